"""After a day with successes, failures and faults, the metrics say what Telegram and Kie really saw."""

import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass

import pytest
import pytest_asyncio

from bot.job import FailureReason, State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import failure
from tests.bot_harness import BotHarness, open_bot_harness
from tests.inbound.metrics_scrape import MetricsScrape, scrape_metrics
from tests.process_harness import KEY, TOKEN, make_photo

SERVER_ERROR_TEXT = "Internal Error, Please try again later."
POLICY_TEXT = "The input or output was flagged as sensitive. Please try again with different inputs."

#: Rate limiting, as Kie and Telegram report it.
KIE_429 = Fault(FaultKind.RESPOND, status=200, body=b'{"code": 429, "msg": "frequency too high"}')
TELEGRAM_429 = Fault(
    FaultKind.RESPOND,
    status=429,
    body=b'{"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 3",'
    b' "parameters": {"retry_after": 3}}',
)


@dataclass(frozen=True)
class MeteredDay:
    """A finished day, and its metrics."""

    harness: BotHarness
    metrics: MetricsScrape
    #: credits that Kie charged
    credits_spent: float

    def query(self, query: str) -> list[tuple[str, ...]]:
        """Ask the bot's database."""
        with closing(sqlite3.connect(self.harness.bot.settings.database_path)) as db:
            return db.execute(query).fetchall()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MeteredDay]:
    """A day of a bot that Kie calls back, except once."""
    folder = tmp_path_factory.mktemp("day")
    async with open_bot_harness(folder, is_called=True, metrics_port=0, admin_ids=frozenset({9009})) as house:
        house.telegram.person(user_id=9009)
        before = house.kie.credits
        await _play_a_day(house)
        await _an_edit_without_a_callback(house)
        yield MeteredDay(house, await scrape_metrics(house), before - house.kie.credits)


async def _play_a_day(house: BotHarness) -> None:
    """Let edits succeed, be refused, fail, be cancelled, and be rate-limited on both sides."""
    house.kie.script_outcomes(failure(POLICY_TEXT), failure(SERVER_ERROR_TEXT), failure(SERVER_ERROR_TEXT))
    for _ in range(2):
        await house.request_edit(make_photo(size=(16, 16)))
        await house.advance_time(60)
    house.kie.faults.add("createTask", KIE_429)
    house.telegram.faults.add("sendPhoto", TELEGRAM_429)
    for _ in range(3):
        await house.request_edit(make_photo(size=(16, 16)))
        await house.advance_time(60)
    house.ada.send_photo(make_photo(size=(16, 16)))
    await house.process_updates()
    house.ada.send_text("/cancel")
    await house.process_updates()
    await house.advance_time(30)


async def _an_edit_without_a_callback(house: BotHarness) -> None:
    """Let Kie call back in vain, so that the result is found by a later poll."""
    upstream, house.reverse_proxy.upstream = house.reverse_proxy.upstream, None
    await house.request_edit(make_photo(size=(16, 16)))
    await house.advance_time(120)
    house.reverse_proxy.upstream = upstream


def test_requests_are_counted_as_they_ended(day: MeteredDay) -> None:
    metrics = day.metrics
    stored = Counter(day.query("SELECT state, coalesce(reason, 'none') FROM jobs"))
    assert stored == {
        (State.SUCCEEDED, "none"): 4,
        (State.FAILED, FailureReason.REFUSED): 1,
        (State.FAILED, FailureReason.TASK_FAILED): 1,
        (State.CANCELLED, "none"): 1,
    }
    assert metrics.values_by_labels("darkroom_requests_finished_total", "outcome", "reason") == stored
    assert metrics.value("darkroom_requests_accepted_total") == 6
    assert metrics.values_by_labels("darkroom_answers_total", "ending") == {("sent",): 6}
    assert metrics.value("darkroom_updates_total") == len(day.query("SELECT 1 FROM inbox")) == 8


def test_calls_are_counted_as_the_servers_saw_them(day: MeteredDay) -> None:
    metrics = day.metrics
    seen = Counter(call.method for call in day.harness.telegram.calls)
    assert (
        metrics.values_by_labels("darkroom_telegram_calls_total", "method").items()
        >= {(m,): n for m, n in seen.items()}.items()
    )
    assert metrics.value("darkroom_telegram_calls_total", method="sendPhoto", code="429") == 1
    assert metrics.values_by_labels("darkroom_kie_calls_total", "call") == {
        ("create",): len(day.harness.kie.calls_named("createTask")),
        ("look",): len(day.harness.kie.calls_named("recordInfo")),
        ("upload",): len(day.harness.kie.calls_named("upload")),
        ("credits",): len(day.harness.kie.calls_named("credit")),
    }
    assert metrics.value("darkroom_kie_calls_total", call="create", outcome="too_often") == 1
    assert metrics.value("darkroom_kie_calls_total", call="create", outcome="ok") == len(day.harness.kie.tasks)
    assert metrics.value("darkroom_task_looks_count") == len(day.harness.kie.tasks)
    assert metrics.value("darkroom_task_looks_sum") == len(day.harness.kie.calls_named("recordInfo"))


def test_times_are_those_of_the_milestones(day: MeteredDay) -> None:
    metrics = day.metrics
    [[answered, waited, worked]] = day.query(
        "SELECT sum(answered_at - received_at) / 1000.0, sum(submitted_at - queued_at) / 1000.0,"
        " sum(kie_duration_ms) / 1000.0"
        " FROM jobs WHERE state = 'succeeded'",
    )
    assert metrics.value("darkroom_answer_seconds_sum", outcome=State.SUCCEEDED) == pytest.approx(answered)
    assert metrics.value("darkroom_answer_seconds_count", outcome=State.FAILED) == 2
    assert metrics.value("darkroom_kie_work_seconds_sum") == pytest.approx(worked)
    assert metrics.value("darkroom_kie_work_seconds_bucket", le="20.0") == 4, "one on a bound is below it"
    assert metrics.value("darkroom_kie_work_seconds_bucket", le="15.0") == 0
    assert metrics.value("darkroom_queue_wait_seconds_sum") >= float(waited)
    made = [task.finished_at for task in day.harness.kie.tasks.values() if not task.outcome.is_failure]
    sent = [call.at for call in day.harness.telegram.calls if call.method == "sendPhoto" and call.result]
    late = sum(sent) - sum(at for at in made if at is not None)
    assert late > 1
    assert metrics.value("darkroom_delivery_seconds_count") == 4
    assert metrics.value("darkroom_delivery_seconds_sum") == pytest.approx(late, abs=0.1)


def test_money_is_what_kie_took(day: MeteredDay) -> None:
    metrics = day.metrics
    assert metrics.value("darkroom_kie_credits_spent_total") == day.credits_spent > 0
    assert metrics.value("darkroom_kie_credits_left") == day.harness.kie.calls_named("credit")[-1].answer["data"]


def test_callbacks_that_came_and_that_did_not_are_told_apart(day: MeteredDay) -> None:
    metrics = day.metrics
    heard = len(day.harness.kie.tasks) - 1
    assert metrics.values_by_labels("darkroom_kie_callbacks_total", "kind") == {("heard",): heard, ("missing",): 1}


def test_names_and_labels_keep_the_conventions_and_name_nobody(day: MeteredDay) -> None:
    metrics = day.metrics
    known = {
        day.harness.ada.id,
        *(message["message_id"] for message in day.harness.pictures()),
        TOKEN,
        KEY,
        "make it snow",
    }
    for name, labels, _ in metrics.samples():
        assert re.fullmatch(r"(darkroom|process)_[a-z_]+", name)
        assert not {str(each) for each in known} & set(labels.values())
    for name, family in metrics.families.items():
        assert (family.type == "counter") == any(sample.name.endswith("_total") for sample in family.samples), name
        assert family.documentation.endswith("."), name
    series = Counter(name for name, _, _ in metrics.samples() if not name.endswith("_bucket"))
    assert max(series.values()) < 60, "the sets of labels are small"
