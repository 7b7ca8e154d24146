"""The metrics endpoint answers where it is switched on, and no failure of one source hides the others."""

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from bot.__main__ import _log_fatal_error
from bot.job import FailureReason, State
from bot.ops.health import WRITE_CHECK_TTL
from bot.pipeline.circuit_breakers import BREAKER_PAUSES
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.settings import CannotRun
from bot.store.database import Transaction
from tests.bot_harness import BotHarness, open_bot_harness
from tests.inbound.metrics_scrape import OPENMETRICS_ACCEPT, MetricsScrape, scrape_metrics, scrape_url
from tests.process_harness import make_photo

TELEGRAM_403 = Fault(
    FaultKind.RESPOND,
    status=403,
    body=b'{"ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}',
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot with metrics, and with callbacks from Kie."""
    async with open_bot_harness(tmp_path, is_called=True, metrics_port=0, admin_ids=frozenset({9009})) as opened:
        opened.telegram.person(user_id=9009)
        yield opened


async def test_what_is_open_is_counted_by_its_state_and_aged(house: BotHarness) -> None:
    house.kie.refuse_next_create(402, "no credits")
    await house.request_edit(make_photo(size=(16, 16)))
    house.ada.send_photo(make_photo(size=(16, 16)))
    await house.process_updates()
    house.clock.now += 100
    house.telegram.faults.always("sendMessage", Fault(FaultKind.DISCONNECT_BEFORE))
    house.ada.send_text("/help")
    await house.receive_updates()
    house.clock.now += 5
    metrics = await scrape_metrics(house)
    assert metrics.values_by_labels("darkroom_jobs", "state") == {(State.GATHERING,): 1, (State.QUEUED,): 1}
    assert 105 <= metrics.value("darkroom_oldest_queued_seconds") < 110
    assert metrics.value("darkroom_outbox_messages") == 1
    assert metrics.value("darkroom_outbox_late_seconds") == pytest.approx(5, abs=0.1)
    assert metrics.values_by_labels("darkroom_breaker_open", "breaker") == {("credits",): 1}
    assert {labels["breaker"] for name, labels, _ in metrics.samples() if name == "darkroom_breaker_open"} == set(
        BREAKER_PAUSES
    )


async def test_an_answer_that_reaches_nobody_is_no_answer(house: BotHarness) -> None:
    await house.request_edit(make_photo(size=(16, 16)))
    house.telegram.faults.add("sendPhoto", TELEGRAM_403)
    await house.advance_time(60)
    metrics = await scrape_metrics(house)
    assert metrics.values_by_labels("darkroom_answers_total", "ending") == {("gone",): 1}
    assert metrics.value("darkroom_requests_finished_total", outcome=State.SUCCEEDED, reason="none") == 1
    assert metrics.value("darkroom_answer_seconds_count", outcome=State.SUCCEEDED) == 0


async def test_both_formats_say_the_same(house: BotHarness) -> None:
    await house.request_edit(make_photo(size=(16, 16)))
    classic, modern = await scrape_metrics(house), await scrape_metrics(house, accept=OPENMETRICS_ACCEPT)
    assert classic.content_type.startswith("text/plain; version=0.0.4")
    assert modern.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert _stable_samples(classic) == _stable_samples(modern)
    assert len(_stable_samples(classic)) > 100


def _stable_samples(metrics: MetricsScrape) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples except those of the process and of the disk, which change all the time."""
    return {
        (name, tuple(sorted(labels.items()))): value
        for name, labels, value in metrics.samples()
        if name.startswith("darkroom_") and not name.endswith("_bytes")
    }


async def test_a_database_that_hangs_or_fails_hides_nothing_else(house: BotHarness) -> None:
    assert house.bot.metrics_endpoint is not None
    for source in (house.bot.metrics_endpoint._database, house.bot.metrics_endpoint._conditions):
        source._timeout = 0.02
    released = threading.Event()
    await house.request_edit(make_photo(size=(16, 16)))
    hanging = asyncio.ensure_future(house.bot.db.transact(lambda _: released.wait(20)))
    try:
        metrics = await scrape_metrics(house)
    finally:
        released.set()
    await hanging
    assert metrics.value("darkroom_source_up", source="database") == 0
    assert metrics.value("darkroom_source_up", source="disk") == 1
    assert metrics.value("darkroom_disk_free_bytes") > 0
    assert metrics.value("darkroom_requests_accepted_total") == 1
    assert "darkroom_jobs" not in metrics.families
    assert (await scrape_metrics(house)).value("darkroom_source_up", source="database") == 1, "and it comes back"
    await house.bot.db.close()
    house.clock.now += WRITE_CHECK_TTL
    metrics = await scrape_metrics(house)
    assert metrics.value("darkroom_source_up", source="database") == 0
    assert metrics.value("darkroom_ready", condition="database") == 0


def _spend_and_roll_back(tx: Transaction) -> None:
    tx.credits.add_spending(5.0, 1)
    raise ZeroDivisionError


async def test_what_somebody_faster_has_done_is_counted_once(house: BotHarness) -> None:
    await house.request_edit(make_photo(size=(16, 16)))
    job = await house.read_job()
    for _ in range(2):
        await house.bot.db.transact(
            lambda tx: tx.jobs.transition(job, State.FAILED, reason=FailureReason.OVERDUE, finished_at=1, due_at=None)
        )
    with pytest.raises(ZeroDivisionError):
        await house.bot.db.transact(_spend_and_roll_back)
    metrics = await scrape_metrics(house)
    assert metrics.value("darkroom_requests_finished_total", outcome=State.FAILED, reason=FailureReason.OVERDUE) == 1
    assert metrics.value("darkroom_kie_credits_spent_total") == 0, "what was undone has not happened"


async def test_there_is_nothing_else_to_be_had(house: BotHarness) -> None:
    assert house.bot.metrics_endpoint is not None
    address = await house.bot.metrics_endpoint.open("127.0.0.1", 0)
    async with aiohttp.ClientSession() as http:
        asked = [("POST", ""), ("HEAD", ""), ("GET", "/x"), ("GET", "/../healthz")]
        answers = [(await http.request(method, f"{address}{path}")).status for method, path in asked]
        odd = await http.get(address, headers={"Accept": "application/openmetrics-text; version=x; escaping=y, ,;"})
        public = await http.get(f"{house.reverse_proxy.upstream}/metrics")
    await house.bot.metrics_endpoint.close()
    assert answers == [405, 405, 404, 404]
    assert (odd.status, public.status) == (200, 404)


async def test_a_port_that_is_taken_ends_the_start_with_the_remedy_and_code_2(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        async with open_bot_harness(tmp_path, metrics_port=port, port=0) as house:
            with pytest.raises(
                CannotRun, match=rf"^METRICS_PORT {port} on METRICS_HOST .* choose another METRICS_PORT"
            ) as caught:
                await house.bot.serve_until(asyncio.Event())
            assert house.telegram.calls == [], "it ends before anything else is done"
    assert _log_fatal_error(caught.value) == 2


async def test_the_figures_can_be_had_while_the_bot_lives_and_not_after(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    async with open_bot_harness(tmp_path, metrics_port=0, port=0) as house:
        with caplog.at_level("INFO"):
            living = asyncio.create_task(house.bot.serve_until(stop))
            await house.telegram.wait_for(lambda telegram: any(c.method == "getUpdates" for c in telegram.calls), 10)
        [address] = re.findall(r"metrics at (http://127\.0\.0\.1:\d+/metrics)", caplog.text)
        metrics = await scrape_url(address)
        stop.set()
        await living
        with pytest.raises(aiohttp.ClientConnectorError):
            await scrape_url(address)
    assert metrics.values_by_labels("darkroom_ready", "condition") == {
        ("receiver",): 1,
        ("worker",): 1,
        ("database",): 1,
    }
    assert metrics.value("darkroom_receiver_silence_seconds") == 0


async def test_nobody_is_shown_anything_unless_it_is_asked_for(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        assert house.bot.metrics_endpoint is None
