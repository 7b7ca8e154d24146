"""The door for Prometheus shows the figures where they are asked for, and no fault of one source hides the others."""

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from bot.__main__ import _ended
from bot.job import Reason, State
from bot.jobs.trouble import PAUSES
from bot.operate.health import BELIEVED
from bot.sandbox.faults import Fault, Kind
from bot.settings import CannotRun
from bot.store.transaction import Transaction
from tests.doors.figures import OPENMETRICS, Figures, figures_of, read
from tests.house import House, a_house
from tests.world import a_photo

TELEGRAM_403 = Fault(
    Kind.ANSWER,
    status=403,
    body=b'{"ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}',
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A bot that is watched, and called back by Kie."""
    async with a_house(tmp_path, is_called=True, metrics_port=0, admin_ids=frozenset({9009})) as opened:
        opened.telegram.person(user_id=9009)
        yield opened


async def test_what_is_open_is_counted_by_its_state_and_aged(house: House) -> None:
    house.kie.refuse(402, "no credits")
    await house.ask(a_photo(size=(16, 16)))
    house.ada.send_photo(a_photo(size=(16, 16)))
    await house.hear()
    house.clock.now += 100
    house.telegram.faults.always("sendMessage", Fault(Kind.CUT_BEFORE))
    house.ada.send_text("/help")
    await house.receive()
    house.clock.now += 5
    figures = await figures_of(house)
    assert figures.by("darkroom_jobs", "state") == {(State.GATHERING,): 1, (State.QUEUED,): 1}
    assert 105 <= figures.of("darkroom_oldest_queued_seconds") < 110
    assert figures.of("darkroom_outbox_messages") == 1
    assert figures.of("darkroom_outbox_late_seconds") == pytest.approx(5, abs=0.1)
    assert figures.by("darkroom_breaker_open", "breaker") == {("credits",): 1}
    assert {labels["breaker"] for name, labels, _ in figures.samples() if name == "darkroom_breaker_open"} == set(
        PAUSES
    )


async def test_an_answer_that_reaches_nobody_is_no_answer(house: House) -> None:
    await house.ask(a_photo(size=(16, 16)))
    house.telegram.faults.add("sendPhoto", TELEGRAM_403)
    await house.pass_time(60)
    figures = await figures_of(house)
    assert figures.by("darkroom_answers_total", "ending") == {("gone",): 1}
    assert figures.of("darkroom_requests_finished_total", outcome=State.SUCCEEDED, reason="none") == 1
    assert figures.of("darkroom_answer_seconds_count", outcome=State.SUCCEEDED) == 0


async def test_both_formats_say_the_same(house: House) -> None:
    await house.ask(a_photo(size=(16, 16)))
    classic, modern = await figures_of(house), await figures_of(house, accept=OPENMETRICS)
    assert classic.content_type.startswith("text/plain; version=0.0.4")
    assert modern.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert _own(classic) == _own(modern)
    assert len(_own(classic)) > 100


def _own(figures: Figures) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the figures but for those of the process and of the disk, which change from moment to moment."""
    return {
        (name, tuple(sorted(labels.items()))): value
        for name, labels, value in figures.samples()
        if name.startswith("darkroom_") and not name.endswith("_bytes")
    }


async def test_a_database_that_hangs_or_fails_hides_nothing_else(house: House) -> None:
    assert house.bot.metrics is not None
    for source in (house.bot.metrics._database, house.bot.metrics._conditions):
        source._patience = 0.02
    released = threading.Event()
    await house.ask(a_photo(size=(16, 16)))
    hanging = asyncio.ensure_future(house.bot.db.unit(lambda _: released.wait(20)))
    try:
        figures = await figures_of(house)
    finally:
        released.set()
    await hanging
    assert figures.of("darkroom_source_up", source="database") == 0
    assert figures.of("darkroom_source_up", source="disk") == 1
    assert figures.of("darkroom_disk_free_bytes") > 0
    assert figures.of("darkroom_requests_accepted_total") == 1
    assert "darkroom_jobs" not in figures.families
    assert (await figures_of(house)).of("darkroom_source_up", source="database") == 1, "and it comes back"
    await house.bot.db.close()
    house.clock.now += BELIEVED
    figures = await figures_of(house)
    assert figures.of("darkroom_source_up", source="database") == 0
    assert figures.of("darkroom_ready", condition="database") == 0


def _spent_and_undone(tx: Transaction) -> None:
    tx.account.spend(5.0, 1)
    raise ZeroDivisionError


async def test_what_somebody_faster_has_done_is_counted_once(house: House) -> None:
    await house.ask(a_photo(size=(16, 16)))
    job = await house.job()
    for _ in range(2):
        await house.bot.db.unit(
            lambda tx: tx.jobs.move(job, State.FAILED, reason=Reason.OVERDUE, finished_at=1, due_at=None)
        )
    with pytest.raises(ZeroDivisionError):
        await house.bot.db.unit(_spent_and_undone)
    figures = await figures_of(house)
    assert figures.of("darkroom_requests_finished_total", outcome=State.FAILED, reason=Reason.OVERDUE) == 1
    assert figures.of("darkroom_kie_credits_spent_total") == 0, "what was undone has not happened"


async def test_there_is_nothing_else_to_be_had(house: House) -> None:
    assert house.bot.metrics is not None
    address = await house.bot.metrics.open("127.0.0.1", 0)
    async with aiohttp.ClientSession() as http:
        asked = [("POST", ""), ("HEAD", ""), ("GET", "/x"), ("GET", "/../healthz")]
        answers = [(await http.request(method, f"{address}{path}")).status for method, path in asked]
        odd = await http.get(address, headers={"Accept": "application/openmetrics-text; version=x; escaping=y, ,;"})
        public = await http.get(f"{house.front.door}/metrics")
    await house.bot.metrics.close()
    assert answers == [405, 405, 404, 404]
    assert (odd.status, public.status) == (200, 404)


async def test_a_port_that_is_taken_ends_the_start_with_the_remedy_and_code_2(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        async with a_house(tmp_path, metrics_port=port, port=0) as house:
            with pytest.raises(
                CannotRun, match=rf"^METRICS_PORT {port} on METRICS_HOST .* choose another METRICS_PORT"
            ) as caught:
                await house.bot.live(asyncio.Event())
            assert house.telegram.calls == [], "it ends before anything else is done"
    assert _ended(caught.value) == 2


async def test_the_figures_can_be_had_while_the_bot_lives_and_not_after(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    async with a_house(tmp_path, metrics_port=0, port=0) as house:
        with caplog.at_level("INFO"):
            living = asyncio.create_task(house.bot.live(stop))
            await house.telegram.wait_for(lambda telegram: any(c.method == "getUpdates" for c in telegram.calls), 10)
        [address] = re.findall(r"metrics at (http://127\.0\.0\.1:\d+/metrics)", caplog.text)
        figures = await read(address)
        stop.set()
        await living
        with pytest.raises(aiohttp.ClientConnectorError):
            await read(address)
    assert figures.by("darkroom_ready", "condition") == {("receiver",): 1, ("worker",): 1, ("database",): 1}
    assert figures.of("darkroom_receiver_silence_seconds") == 0


async def test_nobody_is_shown_anything_unless_it_is_asked_for(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        assert house.bot.metrics is None
