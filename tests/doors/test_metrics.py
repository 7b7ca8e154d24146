"""The figures for Prometheus are what Telegram and Kie really saw, and no fault of one source hides the others."""

import asyncio
import re
import socket
import sqlite3
import threading
from collections import Counter
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
from bot.sandbox.kie_tasks import fail
from bot.settings import CannotRun
from bot.store.transaction import Transaction
from tests.doors.figures import OPENMETRICS, Figures, figures_of, read
from tests.house import House, a_house
from tests.world import KEY, TOKEN, a_photo

BROKEN = "Internal Error, Please try again later."
POLICY = "The input or output was flagged as sensitive. Please try again with different inputs."

#: Too often, as Kie says it, and as Telegram does.
KIE_429 = Fault(Kind.ANSWER, status=200, body=b'{"code": 429, "msg": "frequency too high"}')
TELEGRAM_429 = Fault(
    Kind.ANSWER,
    status=429,
    body=b'{"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 3",'
    b' "parameters": {"retry_after": 3}}',
)
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


async def _a_day(house: House) -> None:
    """Let edits succeed, be refused, break, be taken back, and run into 429s on both sides."""
    house.kie.script(fail(POLICY), fail(BROKEN), fail(BROKEN))
    for _ in range(2):
        await house.ask(a_photo(size=(16, 16)))
        await house.pass_time(60)
    house.kie.faults.add("createTask", KIE_429)
    house.telegram.faults.add("sendPhoto", TELEGRAM_429)
    for _ in range(3):
        await house.ask(a_photo(size=(16, 16)))
        await house.pass_time(60)
    house.ada.send_photo(a_photo(size=(16, 16)))
    await house.hear()
    house.ada.send_text("/cancel")
    await house.hear()
    await house.pass_time(30)


async def _an_edit_without_a_callback(house: House) -> None:
    """Let Kie call at an address where nobody is, so that the picture is found by a later look."""
    door, house.front.door = house.front.door, None
    await house.ask(a_photo(size=(16, 16)))
    await house.pass_time(120)
    house.front.door = door


def _rows(house: House, question: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(house.bot.settings.database_path)) as db:
        return db.execute(question).fetchall()


async def test_requests_are_counted_as_they_ended(house: House) -> None:
    await _a_day(house)
    figures = await figures_of(house)
    stored = Counter(_rows(house, "SELECT state, coalesce(reason, 'none') FROM jobs"))
    assert stored == {
        (State.SUCCEEDED, "none"): 3,
        (State.FAILED, Reason.REFUSED): 1,
        (State.FAILED, Reason.BROKE): 1,
        (State.CANCELLED, "none"): 1,
    }
    assert figures.by("darkroom_requests_finished_total", "outcome", "reason") == stored
    assert figures.of("darkroom_requests_accepted_total") == 5
    assert figures.by("darkroom_answers_total", "ending") == {("sent",): 5}
    assert figures.of("darkroom_updates_total") == len(_rows(house, "SELECT 1 FROM inbox")) == 7


async def test_calls_are_counted_as_the_servers_saw_them(house: House) -> None:
    await _a_day(house)
    figures = await figures_of(house)
    seen = Counter(call.method for call in house.telegram.calls)
    assert figures.by("darkroom_telegram_calls_total", "method").items() >= {(m,): n for m, n in seen.items()}.items()
    assert figures.of("darkroom_telegram_calls_total", method="sendPhoto", code="429") == 1
    assert figures.by("darkroom_kie_calls_total", "call") == {
        ("create",): len(house.kie.called("createTask")),
        ("look",): len(house.kie.called("recordInfo")),
        ("upload",): len(house.kie.called("upload")),
        ("credits",): len(house.kie.called("credit")),
    }
    assert figures.of("darkroom_kie_calls_total", call="create", outcome="too_often") == 1
    assert figures.of("darkroom_kie_calls_total", call="create", outcome="ok") == len(house.kie.tasks)
    assert figures.of("darkroom_task_looks_count") == len(house.kie.tasks)
    assert figures.of("darkroom_task_looks_sum") == len(house.kie.called("recordInfo"))


async def test_times_are_those_of_the_milestones(house: House) -> None:
    await _a_day(house)
    await _an_edit_without_a_callback(house)
    figures = await figures_of(house)
    [[answered, waited, worked]] = _rows(
        house,
        "SELECT sum(answered_at - received_at) / 1000.0, sum(submitted_at - queued_at) / 1000.0, sum(took) / 1000.0"
        " FROM jobs WHERE state = 'succeeded'",
    )
    assert figures.of("darkroom_answer_seconds_sum", outcome=State.SUCCEEDED) == pytest.approx(answered)
    assert figures.of("darkroom_answer_seconds_count", outcome=State.FAILED) == 2
    assert figures.of("darkroom_kie_work_seconds_sum") == pytest.approx(worked)
    assert figures.of("darkroom_kie_work_seconds_bucket", le="20.0") == 4, "one on a bound is below it"
    assert figures.of("darkroom_kie_work_seconds_bucket", le="15.0") == 0
    assert figures.of("darkroom_queue_wait_seconds_sum") >= float(waited)
    made = [task.finished_at for task in house.kie.tasks.values() if not task.outcome.failed]
    sent = [call.at for call in house.telegram.calls if call.method == "sendPhoto" and call.result]
    late = sum(sent) - sum(at for at in made if at is not None)
    assert late > 1
    assert figures.of("darkroom_delivery_seconds_count") == 4
    assert figures.of("darkroom_delivery_seconds_sum") == pytest.approx(late, abs=0.1)


async def test_money_is_what_kie_took(house: House) -> None:
    before = house.kie.credits
    await _a_day(house)
    figures = await figures_of(house)
    assert figures.of("darkroom_kie_credits_spent_total") == before - house.kie.credits > 0
    assert figures.of("darkroom_kie_credits_left") == house.kie.called("credit")[-1].answer["data"]


async def test_callbacks_that_came_and_that_did_not_are_told_apart(house: House) -> None:
    await _a_day(house)
    assert (await figures_of(house)).by("darkroom_kie_callbacks_total", "kind") == {("heard",): len(house.kie.tasks)}
    await _an_edit_without_a_callback(house)
    assert (await figures_of(house)).of("darkroom_kie_callbacks_total", kind="missing") == 1


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


async def test_names_and_labels_keep_the_conventions_and_name_nobody(house: House) -> None:
    await _a_day(house)
    figures = await figures_of(house)
    known = {house.ada.id, *(message["message_id"] for message in house.pictures()), TOKEN, KEY, "make it snow"}
    for name, labels, _ in figures.samples():
        assert re.fullmatch(r"(darkroom|process)_[a-z_]+", name)
        assert not {str(each) for each in known} & set(labels.values())
    for name, family in figures.families.items():
        assert (family.type == "counter") == any(sample.name.endswith("_total") for sample in family.samples), name
        assert family.documentation.endswith("."), name
    series = Counter(name for name, _, _ in figures.samples() if not name.endswith("_bucket"))
    assert max(series.values()) < 60, "the sets of labels are small"


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
