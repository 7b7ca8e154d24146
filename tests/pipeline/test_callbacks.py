"""Callbacks from Kie: with them an image comes at once and after a single poll, but nothing depends on them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import job_operations
from bot.job import FailureReason, State
from bot.kie import models
from bot.kie.models import TaskRecord
from bot.pipeline import uncertain_orders
from bot.pipeline.job_metrics import CALLBACK_MISSING
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.callbacks import CallbackOptions, CallbackShape, callback_body
from bot.sandbox.kie.tasks import STUCK, LocalKieTask, failure
from bot.store.order_attempts import Attempt, AttemptOutcome
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)
CUT_BEFORE = Fault(FaultKind.DISCONNECT_BEFORE)
DAY = 24 * 3600.0


@pytest.fixture
async def called(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot that Kie calls back, with one admin, 9009."""
    async with open_bot_harness(tmp_path, is_called=True, admin_ids=frozenset({9009})) as opened:
        opened.telegram.person(user_id=9009)
        yield opened


def _count_polls(house: BotHarness) -> int:
    return len(house.kie.calls_named("recordInfo"))


def _task(house: BotHarness) -> LocalKieTask:
    [task] = house.kie.tasks.values()
    return task


async def _attempt(house: BotHarness, job_id: int = 1) -> Attempt:
    latest = await house.bot.db.transact(lambda tx: tx.attempts.get_latest(job_id))
    assert latest is not None
    return latest


async def _call_back(house: BotHarness, reference: str, body: object) -> int:
    """Send a callback with a reference, and let the bot process it."""
    status = await house.kie.send_callback(f"{house.reverse_proxy.url}/kie/callback/{reference}", body)
    await house.settle()
    return status


async def _finish_tasks_without_callback(house: BotHarness) -> None:
    await house.kie.wait_for(house._are_results_ready)
    for task_id in house.kie.tasks:
        house.kie.finish_task(task_id)


def _question(house: BotHarness) -> bool:
    return bool(house.progress_message()["text"] == render_english("doubt"))


# -- the benefit of callbacks


async def test_a_picture_comes_when_kie_calls_and_costs_one_look(called: BotHarness) -> None:
    await called.request_edit(make_photo())
    await called.advance_time(20.5)
    assert len(called.pictures()) == 1
    assert _count_polls(called) == 1


async def test_the_address_that_kie_is_given_holds_the_reference_of_this_attempt_only(called: BotHarness) -> None:
    await called.request_edit(make_photo())
    attempt = await _attempt(called)
    assert _task(called).call_back_url == f"{called.reverse_proxy.url}/kie/callback/{attempt.reference}"
    assert len(attempt.reference) >= 32
    called.kie.script_outcomes(failure("Internal Error"))
    await called.request_edit(make_photo("red"))
    await called.advance_time(25)
    await called.advance_time(5)
    urls = [task.call_back_url for task in called.kie.tasks.values()]
    assert len(set(urls)) == len(urls) == 3


async def test_without_a_public_address_kie_is_not_asked_to_call(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    assert "callBackUrl" not in house.kie.calls_named("createTask")[0].body


@pytest.mark.parametrize("shape", ["2025-09", "2025-11", "2026-08"])
@pytest.mark.parametrize("api_year", [2025, 2026])
async def test_every_api_year_brings_the_picture_and_the_reason_why_not(
    tmp_path: Path, shape: CallbackShape, api_year: int
) -> None:
    async with open_bot_harness(tmp_path, is_called=True, kie={"api_year": api_year}) as house:
        house.kie.callbacks.options = CallbackOptions(shape=shape)
        house.kie.script_outcomes(failure("Content was flagged as sensitive."))
        await house.request_edit(make_photo())
        await house.request_edit(make_photo("red"))
        await house.advance_time(21)
        await house.advance_time(2)
        assert len(house.pictures()) == 1
        assert "flagged as sensitive" in house.sent_texts()[0]
        assert _count_polls(house) == 2


# -- nothing depends on callbacks


async def test_a_callback_that_is_lost_loses_no_picture(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    await called.request_edit(make_photo())
    await called.advance_time(31)
    assert len(called.pictures()) == 1
    assert _count_polls(called) == 1


async def test_after_two_lost_callbacks_tasks_are_looked_at_as_without_any_until_they_come(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    for colour in ("green", "red"):
        await called.request_edit(make_photo(colour))
        await called.advance_time(31)
    before = _count_polls(called)
    await called.request_edit(make_photo("gold"))
    await called.advance_time(22)
    assert len(called.pictures()) == 3, "within two seconds"
    assert _count_polls(called) - before > 3
    called.kie.callbacks.options = CallbackOptions()
    for colour in ("plum", "blue"):
        await called.request_edit(make_photo(colour))
        await called.advance_time(22)
    before = _count_polls(called)
    await called.request_edit(make_photo("silver"))
    await called.advance_time(21)
    assert len(called.pictures()) == 6
    assert _count_polls(called) - before <= 2


async def test_the_operator_hears_once_that_callbacks_do_not_come(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    for colour in ("green", "red", "gold"):
        await called.request_edit(make_photo(colour))
        await called.advance_time(31)
    assert sum("callbacks do not arrive" in line for line in called.log_capture.lines) == 1


async def test_a_callback_that_comes_before_the_record_is_up_to_date_is_followed_by_looks(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    await called.request_edit(make_photo())
    await _call_back(called, (await _attempt(called)).reference, callback_body(_task(called)))
    await called.advance_time(22)
    assert len(called.pictures()) == 1


async def test_a_task_that_never_ends_is_still_told_about_and_given_up_after_a_day(called: BotHarness) -> None:
    called.kie.script_outcomes(STUCK)
    await called.request_edit(make_photo())
    await called.advance_time(901)
    assert called.progress_message()["text"] == render_english("takes-long")
    assert _count_polls(called) < 18
    await called.advance_time(DAY)
    assert (await called.read_job()).reason is FailureReason.OVERDUE


async def test_a_callback_while_the_bot_is_away_is_made_up_for_at_the_start(called: BotHarness) -> None:
    await called.request_edit(make_photo())
    await called.kie.wait_for(called._are_results_ready)
    await called.close()
    called.clock.now += 60
    await called.kie.wait_for_callbacks()
    assert called.reverse_proxy.statuses == [502]
    await called.open()
    await called.bot.worker.recover()
    await called.settle()
    assert len(called.pictures()) == 1


async def test_that_one_was_missed_while_the_bot_was_away_says_nothing_about_the_next(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    await called.request_edit(make_photo())
    called.clock.now += 20
    await _finish_tasks_without_callback(called)
    await called.restart()
    await called.settle()
    missing = called.bot.metrics.registry.get_sample_value("darkroom_kie_callbacks_total", {"kind": CALLBACK_MISSING})
    assert missing == 0, "else a restart would look like an outage of callbacks"
    before = _count_polls(called)
    called.kie.callbacks.options = CallbackOptions()
    await called.request_edit(make_photo("red"))
    await called.advance_time(21)
    assert len(called.pictures()) == 2
    assert _count_polls(called) - before == 1


async def test_callbacks_in_threes_give_one_picture_with_one_look(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(copies=3)
    await called.request_edit(make_photo())
    await called.advance_time(25)
    assert called.reverse_proxy.statuses == [200, 200, 200]
    assert len(called.pictures()) == 1
    assert _count_polls(called) == 1


async def test_a_callback_that_is_repeated_for_days_says_nothing_new(called: BotHarness) -> None:
    await called.request_edit(make_photo())
    await called.advance_time(25)
    [callback] = called.kie.callbacks.all
    for _ in range(5):
        assert await called.kie.send_callback(callback.url, callback.body) == 200
        await called.advance_time(3600)
    assert len(called.pictures()) == 1
    assert _count_polls(called) == 1
    assert len(called.kie.tasks) == 1


async def test_a_callback_that_comes_after_the_fallback_look_says_nothing_new(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(delay=15)
    await called.request_edit(make_photo())
    await called.advance_time(60)
    assert len(called.pictures()) == 1
    assert _count_polls(called) == 1


async def test_a_failure_that_is_told_three_times_is_ordered_once_more_and_not_thrice(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(copies=3)
    called.kie.script_outcomes(failure("Internal Error, Please try again later."))
    await called.request_edit(make_photo())
    await called.advance_time(21)
    await called.advance_time(30)
    assert len(called.kie.tasks) == 2
    assert len(called.pictures()) == 1


async def test_a_callback_about_the_first_order_says_nothing_about_the_second(called: BotHarness) -> None:
    called.kie.script_outcomes(failure("Internal Error, Please try again later."), STUCK)
    await called.request_edit(make_photo())
    await called.advance_time(21)
    [callback] = called.kie.callbacks.all
    before = _count_polls(called)
    assert await called.kie.send_callback(callback.url, callback.body) == 200
    await called.settle()
    assert _count_polls(called) == before
    assert (await called.read_job()).state is State.RUNNING


async def test_a_callback_about_an_order_that_kie_turned_away_is_too_late(called: BotHarness) -> None:
    called.kie.refuse_next_create(433, "cap")
    await called.request_edit(make_photo())
    reference = (await _attempt(called)).reference
    assert await _call_back(called, reference, {"data": {"taskId": "made-up"}}) == 200
    assert ((await called.read_job()).state, _count_polls(called)) == (State.QUEUED, 0)
    called.ada.send_text("/cancel")
    await called.receive_updates()
    assert await _call_back(called, reference, {"data": {"taskId": "made-up"}}) == 200
    await called.advance_time(400)
    assert ((await called.read_job()).state, _count_polls(called)) == (State.CANCELLED, 0)


# -- a callback is never trusted


@pytest.mark.parametrize(
    "change",
    [
        {"state": "success", "resultJson": '{"resultUrls":["http://127.0.0.1:9/evil.png"]}'},
        {"state": "fail", "failCode": "500", "failMsg": "forged"},
        {"taskId": "0" * 32},
        {"taskId": None},
    ],
)
async def test_nothing_in_a_callback_is_believed(called: BotHarness, change: dict[str, Any]) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    await called.request_edit(make_photo())
    body = callback_body(_task(called))
    body["data"] |= change
    assert await _call_back(called, (await _attempt(called)).reference, body) == 200
    job = await called.read_job()
    assert (job.state, job.task_id) == (State.RUNNING, _task(called).id)
    await called.advance_time(22)
    assert len(called.pictures()) == 1
    assert called.sent_texts() == []


async def test_a_flood_of_callbacks_about_one_task_leads_to_one_look_at_a_time(called: BotHarness) -> None:
    called.kie.script_outcomes(STUCK)
    held = Fault(FaultKind.HOLD_RESPONSE)
    called.kie.faults.add("recordInfo", held)
    await called.request_edit(make_photo())
    url = f"{called.reverse_proxy.url}/kie/callback/{(await _attempt(called)).reference}"
    await asyncio.gather(*(called.kie.send_callback(url, b"{}") for _ in range(20)))
    turning = asyncio.create_task(called.run_due_work())
    await called.kie.wait_for(lambda: _count_polls(called) == 1)
    await asyncio.gather(*(called.kie.send_callback(url, b"{}") for _ in range(20)))
    assert _count_polls(called) == 1
    held.release.set()
    await turning
    called.clock.now += 0.2
    await called.run_due_work()
    assert _count_polls(called) == 2


# -- uncertain orders


@pytest.mark.parametrize("fault", [CUT_AFTER, HTML_502, CUT_BEFORE])
async def test_without_a_callback_the_person_is_asked_after_two_minutes_and_not_before(
    called: BotHarness, fault: Fault
) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    called.kie.faults.add("createTask", fault)
    await called.request_edit(make_photo())
    await called.advance_time(119)
    assert not _question(called)
    await called.advance_time(2)
    assert _question(called)
    await called.advance_time(3600)
    assert len(called.kie.calls_named("createTask")) == 1


async def test_a_callback_brings_the_task_that_the_lost_answer_named(called: BotHarness) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    await called.advance_time(21)
    assert len(called.pictures()) == 1
    assert _count_polls(called) == 1
    assert (await _attempt(called)).outcome is AttemptOutcome.ACCEPTED
    await called.advance_time(DAY)
    assert called.sent_texts() == []
    assert called.progress_messages() == []
    assert len(called.kie.calls_named("createTask")) == 1


async def test_a_task_that_a_callback_brings_may_have_failed(called: BotHarness) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    called.kie.script_outcomes(failure("Content was flagged as sensitive."))
    await called.request_edit(make_photo())
    await called.advance_time(22)
    assert "flagged as sensitive" in called.sent_texts()[0]
    assert (await called.read_job()).reason is FailureReason.REFUSED


async def test_a_task_that_a_callback_brings_and_that_still_runs_is_watched(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    assert await _call_back(called, (await _attempt(called)).reference, callback_body(_task(called))) == 200
    assert (await called.read_job()).state is State.RUNNING
    await called.advance_time(22)
    assert len(called.pictures()) == 1


async def test_an_hour_of_restarts_does_not_put_the_question_off(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    for _ in range(7):
        await called.advance_time(20)
        await called.restart()
    await called.settle()
    assert _question(called)
    asked_at = (await called.read_job()).asked_at
    await called.restart()
    await called.settle()
    assert (await called.read_job()).asked_at == asked_at


async def test_an_order_that_a_crash_cut_short_is_asked_about_two_minutes_after_the_start(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    await _restart_during_order(called)
    await called.restart()
    await called.advance_time(119)
    assert not _question(called)
    await called.advance_time(2)
    assert _question(called)
    assert len(called.kie.calls_named("createTask")) == 1


async def test_a_callback_after_a_crash_brings_the_picture_without_a_question(called: BotHarness) -> None:
    await _restart_during_order(called)
    await called.restart()
    await called.advance_time(60)
    assert len(called.pictures()) == 1
    assert called.sent_texts() == []
    assert len(called.kie.calls_named("createTask")) == 1


async def _restart_during_order(house: BotHarness) -> None:
    """Stop the bot while an order is in flight: Kie has accepted it, and the answer is lost."""
    house.kie.faults.add("createTask", Fault(FaultKind.HOLD_RESPONSE))
    house.ada.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    turning = asyncio.create_task(house.settle())
    await house.kie.wait_for(lambda: house.kie.tasks and house._are_results_ready())
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)


async def test_a_hint_that_was_taken_in_survives_a_crash_before_it_was_tried(called: BotHarness) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    await _finish_tasks_without_callback(called)
    called.kie.faults.always("recordInfo", HTML_502)
    await called.kie.wait_for_callbacks()
    await called.settle()
    assert (await called.read_job()).state is State.SUBMITTING
    called.kie.faults.clear()
    await called.restart()
    await called.settle()
    assert len(called.pictures()) == 1


async def test_while_a_hint_waits_for_kie_nobody_is_asked(called: BotHarness) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    called.kie.faults.always("recordInfo", HTML_502)
    await called.request_edit(make_photo())
    await called.advance_time(3600)
    assert (await called.read_job()).asked_at is None
    called.kie.faults.clear()
    await called.advance_time(61)
    assert len(called.pictures()) == 1
    assert len(called.kie.calls_named("createTask")) == 1


@pytest.mark.long
async def test_a_hint_that_kie_cannot_be_asked_about_for_a_day_leads_to_the_question(called: BotHarness) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    called.kie.faults.always("recordInfo", HTML_502)
    await called.request_edit(make_photo())
    await called.advance_time(DAY + 300)
    assert _question(called)


async def test_if_callbacks_are_switched_off_the_person_is_asked_at_the_next_start(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, is_called=True) as called:
        called.kie.callbacks.options = CallbackOptions(lost=True)
        called.kie.faults.add("createTask", CUT_AFTER)
        await called.request_edit(make_photo())
        called._settings = called._settings.model_copy(update={"public_url": None})
        await called.restart()
        await called.settle()
        assert _question(called)


# -- the ownership of a task


async def test_where_kie_does_not_echo_the_address_our_upload_shows_that_it_is_ours(called: BotHarness) -> None:
    called.kie.echo_callback(shown=False)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    await called.advance_time(21)
    assert len(called.pictures()) == 1


async def _make_two_orders_uncertain(house: BotHarness) -> tuple[Attempt, Attempt]:
    """Give Ada and Bob an uncertain order each, whose tasks finish without a callback."""
    house.kie.callbacks.options = CallbackOptions(lost=True)
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.request_edit(make_photo())
    await house.advance_time(5)
    house.kie.faults.add("createTask", CUT_AFTER)
    house.telegram.person(user_id=5001).send_photo(make_photo("red"), caption="make it rain")
    await house.receive_updates()
    await house.settle()
    await _finish_tasks_without_callback(house)
    return await _attempt(house, 1), await _attempt(house, 2)


@pytest.mark.parametrize("is_echoed", [True, False])
async def test_the_task_of_another_order_is_not_believed_to_be_ours(called: BotHarness, is_echoed: bool) -> None:
    called.kie.echo_callback(shown=is_echoed)
    ours, theirs = await _make_two_orders_uncertain(called)
    [_, their_task] = called.kie.tasks
    assert await _call_back(called, ours.reference, {"data": {"taskId": their_task}}) == 200
    assert (await called.read_job(1)).state is State.SUBMITTING
    await called.advance_time(122)
    assert _question(called)
    assert await _call_back(called, theirs.reference, {"data": {"taskId": their_task}}) == 200
    assert (await called.read_job(2)).state is State.SUCCEEDED
    assert called.pictures() == []


async def test_with_the_address_of_another_order_our_upload_proves_nothing(called: BotHarness) -> None:
    ours, _ = await _make_two_orders_uncertain(called)
    [our_task, their_task] = called.kie.tasks.values()
    our_task.param = our_task.param.replace(ours.reference, "another")
    assert their_task.param
    await _call_back(called, ours.reference, {"data": {"taskId": our_task.id}})
    assert (await called.read_job(1)).state is State.SUBMITTING


async def test_an_order_whose_pictures_kie_fetched_from_telegram_is_only_known_by_its_address(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, is_called=True, image_transport="direct", allow_token_in_urls=True) as called:
        called.kie.echo_callback(shown=False)
        called.kie.faults.add("createTask", CUT_AFTER)
        await called.request_edit(make_photo())
        await called.advance_time(25)
        assert (await called.read_job()).state is State.SUBMITTING


async def test_a_record_that_echoes_nothing_proves_nothing(called: BotHarness) -> None:
    await called.request_edit(make_photo())
    job, attempt = await called.read_job(), await _attempt(called)
    bare = replace(job, request=replace(job.request, sources=()))
    seen = TaskRecord("a-task", models.TaskOutcome.SUCCESS, "success")
    assert not uncertain_orders.is_task_of_attempt(seen, job, attempt)
    assert not uncertain_orders.is_task_of_attempt(seen, bare, attempt)


async def test_a_forged_task_id_does_not_keep_the_real_one_out(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    await _finish_tasks_without_callback(called)
    reference = (await _attempt(called)).reference
    await _call_back(called, reference, {"data": {"taskId": "made-up"}})
    assert (await called.read_job()).state is State.SUBMITTING
    await _call_back(called, reference, callback_body(_task(called)))
    assert (await called.read_job()).state is State.SUCCEEDED


async def test_a_forged_task_id_is_given_up_after_some_minutes_and_the_person_asked(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    await _call_back(called, (await _attempt(called)).reference, {"data": {"taskId": "made-up"}})
    await called.advance_time(600)
    assert _question(called)
    assert 5 < _count_polls(called) < 15
    before = _count_polls(called)
    await called.advance_time(3600)
    assert _count_polls(called) == before


async def test_a_task_that_kie_does_not_show_yet_is_tried_again(called: BotHarness) -> None:
    called.kie.hide_tasks(2)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    await called.advance_time(25)
    assert len(called.pictures()) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"data":{"state":"success"}}'])
async def test_a_callback_that_names_no_task_leaves_a_doubt_as_it_is(called: BotHarness, body: bytes) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.request_edit(make_photo())
    assert await _call_back(called, (await _attempt(called)).reference, body) == 200
    await called.advance_time(121)
    assert _question(called)


# -- while the order is in flight


async def _hold_order_response(house: BotHarness, **answer: Any) -> tuple["asyncio.Task[None]", Fault, Attempt]:
    """Place an order to which Kie delays its answer until the task has finished."""
    held = Fault(FaultKind.HOLD_RESPONSE, **answer)
    house.kie.faults.add("createTask", held)
    house.ada.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    turning = asyncio.create_task(house.settle())
    await house.kie.wait_for(lambda: house.kie.tasks and house._are_results_ready())
    await _finish_tasks_without_callback(house)
    return turning, held, await _attempt(house)


async def test_a_callback_that_overtakes_the_answer_has_no_effect_of_its_own(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(copies=2)
    turning, held, attempt = await _hold_order_response(called)
    await called.kie.wait_for_callbacks()
    await called.run_due_work()
    job = await called.read_job()
    assert (job.state, job.due_at, _count_polls(called)) == (State.SUBMITTING, None, 0)
    held.release.set()
    await turning
    await called.settle()
    assert len(called.pictures()) == 1
    assert _count_polls(called) == 1
    assert (await _attempt(called)).id == attempt.id
    assert len(called.kie.tasks) == 1


async def test_a_callback_that_overtakes_the_answer_is_not_forgotten_when_the_bot_dies_then(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    turning, _, attempt = await _hold_order_response(called)
    url = f"{called.reverse_proxy.url}/kie/callback/{attempt.reference}"
    assert await called.kie.send_callback(url, callback_body(_task(called))) == 200
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    await called.restart()
    await called.settle()
    assert len(called.pictures()) == 1
    assert len(called.kie.calls_named("createTask")) == 1


async def test_a_forged_callback_during_the_order_gives_way_to_the_answer(called: BotHarness) -> None:
    called.kie.callbacks.options = CallbackOptions(lost=True)
    turning, held, attempt = await _hold_order_response(called)
    url = f"{called.reverse_proxy.url}/kie/callback/{attempt.reference}"
    assert await called.kie.send_callback(url, {"data": {"taskId": "made-up"}}) == 200
    held.release.set()
    await turning
    await called.settle()
    assert (await called.read_job()).task_id == _task(called).id
    assert (await _attempt(called)).task_id == _task(called).id
    assert len(called.pictures()) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(502, b"<html>"), (200, b'{"code":500,"msg":"Server Error","data":null}'), (200, b"[]")]
)
async def test_a_callback_that_contradicts_the_answer_is_looked_into_before_anything_is_ordered(
    called: BotHarness, status: int, body: bytes
) -> None:
    """Kie accepts the order and calls back; then a gateway, or Kie itself, answers that there is no task."""
    turning, held, _ = await _hold_order_response(called, status=status, body=body)
    await called.kie.wait_for_callbacks()
    held.release.set()
    await turning
    await called.settle()
    assert len(called.pictures()) == 1
    await called.advance_time(600)
    assert len(called.kie.calls_named("createTask")) == 1
    assert called.sent_texts() == []


# -- the user decides meanwhile


async def _make_order_uncertain(house: BotHarness) -> Attempt:
    """Have Ada asked about an uncertain order whose task meanwhile finishes without a callback."""
    house.kie.callbacks.options = CallbackOptions(lost=True)
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.request_edit(make_photo())
    await _finish_tasks_without_callback(house)
    await house.advance_time(125)
    assert _question(house)
    return await _attempt(house)


async def _press_button(house: BotHarness, label: str) -> str:
    press = house.ada.press_button(house.progress_message()["message_id"], label)
    await house.receive_updates()
    await house.settle()
    return str((house.ada.callback_answer(press) or {}).get("text"))


async def test_a_callback_before_try_again_answers_the_question(called: BotHarness) -> None:
    first = await _make_order_uncertain(called)
    await _call_back(called, first.reference, callback_body(_task(called)))
    await called.advance_time(5)
    assert len(called.pictures()) == 1
    assert called.progress_messages() == []
    await called.advance_time(DAY)
    assert (len(called.pictures()), called.sent_texts(), len(called.kie.tasks)) == (1, [], 1)


@pytest.mark.parametrize("label", ["Try again", "Leave it"])
async def test_a_press_waits_for_what_a_callback_before_it_turns_out_to_be(called: BotHarness, label: str) -> None:
    first = await _make_order_uncertain(called)
    called.kie.faults.always("recordInfo", HTML_502)
    await _call_back(called, first.reference, callback_body(_task(called)))
    assert await _press_button(called, label) == render_english("toast-news")
    assert (await called.read_job()).state is State.SUBMITTING
    called.kie.faults.clear()
    await called.advance_time(61)
    assert len(called.pictures()) == 1
    assert len(called.kie.calls_named("createTask")) == 1


async def test_once_it_is_known_to_be_forged_a_callback_keeps_nobody_from_deciding(called: BotHarness) -> None:
    first = await _make_order_uncertain(called)
    called.kie.faults.always("recordInfo", HTML_502)
    await _call_back(called, first.reference, {"data": {"taskId": "made-up"}})
    assert await _press_button(called, "Try again") == render_english("toast-news")
    called.kie.faults.clear()
    await called.advance_time(600)
    assert await _press_button(called, "Try again") == render_english("toast-again")
    assert len(called.kie.calls_named("createTask")) == 2


async def test_a_callback_after_try_again_changes_nothing(called: BotHarness) -> None:
    first = await _make_order_uncertain(called)
    called.kie.refuse_next_create(433, "cap")
    assert await _press_button(called, "Try again") == render_english("toast-again")
    before = _count_polls(called)
    await _call_back(called, first.reference, callback_body(_task(called)))
    assert (await called.read_job()).state is State.QUEUED
    assert _count_polls(called) == before
    await called.advance_time(400)
    await called.advance_time(32)
    await _call_back(called, first.reference, callback_body(next(iter(called.kie.tasks.values()))))
    assert (len(called.pictures()), len(called.kie.tasks)) == (1, 2)


async def test_a_callback_about_the_first_order_is_no_proof_for_the_second(called: BotHarness) -> None:
    first = await _make_order_uncertain(called)
    called.kie.faults.add("createTask", CUT_BEFORE)
    assert await _press_button(called, "Try again") == render_english("toast-again")
    assert (await called.read_job()).state is State.SUBMITTING
    await _call_back(called, first.reference, callback_body(_task(called)))
    assert (await called.read_job()).state is State.SUBMITTING
    assert (await _attempt(called)).candidate_task_id is None


async def test_an_order_found_by_a_callback_can_come_into_doubt_again_and_is_asked_about_again(
    called: BotHarness,
) -> None:
    called.kie.script_outcomes(failure("Internal Error, Please try again later."))
    first = await _make_order_uncertain(called)
    called.kie.faults.add("createTask", CUT_BEFORE)
    called.kie.finish_task(_task(called).id, failure("Internal Error, Please try again later."))
    await _call_back(called, first.reference, callback_body(_task(called)))
    assert (await called.read_job()).asked_at is None
    await called.advance_time(125)
    assert _question(called)
    assert (await _attempt(called)).id != first.id


async def test_a_look_about_an_earlier_attempt_ends_no_later_doubt(called: BotHarness) -> None:
    first = await _make_order_uncertain(called)
    job, now = await called.read_job(), called.clock.instant()
    await called.bot.db.transact(lambda tx: tx.attempts.begin(job.id, "second", now))
    assert (
        await called.bot.db.transact(lambda tx: uncertain_orders.confirm_ordered(tx, job, first, "a-task", now)) is None
    )
    assert (await called.read_job()).state is State.SUBMITTING


async def test_a_callback_after_leave_it_changes_nothing(called: BotHarness) -> None:
    first = await _make_order_uncertain(called)
    await _press_button(called, "Leave it")
    await _call_back(called, first.reference, callback_body(_task(called)))
    await called.advance_time(60)
    assert (await called.read_job()).reason is FailureReason.ORDER_UNCERTAIN
    assert (called.pictures(), called.sent_texts(), len(called.kie.tasks)) == ([], [], 1)


async def test_a_look_that_was_under_way_when_the_person_decided_does_not_undo_it(called: BotHarness) -> None:
    """The 24 hours end during the poll of a candidate task; the record then belongs to no open order."""
    first = await _make_order_uncertain(called)
    held = Fault(FaultKind.HOLD_RESPONSE)
    called.kie.faults.add("recordInfo", held)
    url = f"{called.reverse_proxy.url}/kie/callback/{first.reference}"
    await called.kie.send_callback(url, callback_body(_task(called)))
    turning = asyncio.create_task(called.run_due_work())
    await called.kie.wait_for(lambda: called.kie.calls_named("recordInfo"))
    job = await called.read_job()
    assert not await called.bot.db.transact(
        lambda tx: job_operations.retry_uncertain_order(tx, job, called.clock.instant())
    )
    assert await called.bot.db.transact(
        lambda tx: job_operations.abandon_uncertain_order(tx, job, called.clock.instant())
    )
    held.release.set()
    await turning
    await called.settle()
    assert (await called.read_job()).state is State.FAILED
    assert called.pictures() == []


# -- any events in any order


EVENTS = ("kie calls", "forged task", "garbage", "time passes", "much time passes", "restart", "Try again", "Leave it")


async def _apply_event(house: BotHarness, event: str) -> None:
    references = [each.call_back_url for each in house.kie.tasks.values() if each.call_back_url]
    match event:
        case "kie calls":
            await _finish_tasks_without_callback(house)
            await house.kie.wait_for_callbacks()
            await asyncio.gather(*(house.kie.send_callback(each.url, each.body) for each in house.kie.callbacks.all))
        case "forged task":
            await asyncio.gather(*(house.kie.send_callback(url, {"data": {"taskId": "made-up"}}) for url in references))
        case "garbage":
            await asyncio.gather(*(house.kie.send_callback(url, b"\xff") for url in references))
        case "time passes":
            await house.advance_time(15)
        case "much time passes":
            await house.advance_time(130)
        case "restart":
            await house.restart()
        case _:
            if house.progress_messages() and event in repr(house.progress_message().get("reply_markup")):
                await _press_button(house, event)
    await house.settle()


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    fault=st.sampled_from([None, CUT_AFTER, CUT_BEFORE]),
    calling=st.sampled_from(
        [CallbackOptions(), CallbackOptions(copies=2), CallbackOptions(lost=True), CallbackOptions(delay=200)]
    ),
    events=st.lists(st.sampled_from(EVENTS), min_size=3, max_size=7),
)
async def test_one_person_gets_one_answer_and_pays_once_but_for_a_press(
    fault: Fault | None, calling: CallbackOptions, events: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_bot_harness(Path(folder), is_called=True) as house:
            house.kie.callbacks.options = calling
            if fault is not None:
                house.kie.faults.add("createTask", fault)
            await house.request_edit(make_photo())
            for event in events:
                await _apply_event(house, event)
            await house.advance_time(400)
            presses = sum(told == render_english("toast-again") for told in _callback_answers(house))
            assert len(house.kie.calls_named("createTask")) <= 1 + presses
            assert len(house.pictures()) <= 1
            assert (
                bool(house.pictures())
                or _question(house)
                or "not ordered a second time" in house.progress_message()["text"]
            )


def _callback_answers(house: BotHarness) -> list[str]:
    return [str(call.params.get("text")) for call in house.telegram.calls if call.method == "answerCallbackQuery"]
