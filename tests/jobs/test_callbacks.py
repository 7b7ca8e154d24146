"""Kie calls back: a picture comes at once and with one look, and nothing depends on it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.job import Reason, State
from bot.jobs import doubt
from bot.jobs.measure import MISSING
from bot.kie import models
from bot.kie.models import Look
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie_callbacks import Calling, Shape, payload
from bot.sandbox.kie_tasks import STUCK, Task, fail
from bot.store.attempts import Attempt, Outcome
from tests.house import House, a_house
from tests.world import a_photo, english

CUT_AFTER = Fault(Kind.CUT_AFTER)
CUT_BEFORE = Fault(Kind.CUT_BEFORE)
DAY = 24 * 3600.0


@pytest.fixture
async def called(tmp_path: Path) -> AsyncIterator[House]:
    """A house that Kie calls back, with one admin, 9009."""
    async with a_house(tmp_path, is_called=True, admin_ids=frozenset({9009})) as opened:
        opened.telegram.person(user_id=9009)
        yield opened


def _looks(house: House) -> int:
    return len(house.kie.called("recordInfo"))


def _task(house: House) -> Task:
    [task] = house.kie.tasks.values()
    return task


async def _attempt(house: House, job_id: int = 1) -> Attempt:
    latest = await house.bot.db.unit(lambda tx: tx.attempts.latest(job_id))
    assert latest is not None
    return latest


async def _nudge(house: House, reference: str, body: object) -> int:
    """Let somebody who knows a reference call us back, and the bot do what comes of it."""
    status = await house.kie.call(f"{house.front.url}/kie/callback/{reference}", body)
    await house.settle()
    return status


async def _finished(house: House) -> None:
    """Let every task end of which nobody is called back about."""
    await house.kie.wait_for(house._pictures_are_made)
    for task_id in house.kie.tasks:
        house.kie.finish(task_id)


def _question(house: House) -> bool:
    return bool(house.status()["text"] == english("doubt"))


# -- what it saves


async def test_a_picture_comes_when_kie_calls_and_costs_one_look(called: House) -> None:
    await called.ask(a_photo())
    await called.pass_time(20.5)
    assert len(called.pictures()) == 1
    assert _looks(called) == 1


async def test_the_address_that_kie_is_given_holds_the_reference_of_this_attempt_only(called: House) -> None:
    await called.ask(a_photo())
    attempt = await _attempt(called)
    assert _task(called).call_back_url == f"{called.front.url}/kie/callback/{attempt.reference}"
    assert len(attempt.reference) >= 32
    called.kie.script(fail("Internal Error"))
    await called.ask(a_photo("red"))
    await called.pass_time(25)
    await called.pass_time(5)
    urls = [task.call_back_url for task in called.kie.tasks.values()]
    assert len(set(urls)) == len(urls) == 3


async def test_without_a_public_address_kie_is_not_asked_to_call(house: House) -> None:
    await house.ask(a_photo())
    assert "callBackUrl" not in house.kie.called("createTask")[0].body


@pytest.mark.parametrize("shape", ["2025-09", "2025-11", "2026-08"])
@pytest.mark.parametrize("vintage", [2025, 2026])
async def test_every_vintage_brings_the_picture_and_the_reason_why_not(
    tmp_path: Path, shape: Shape, vintage: int
) -> None:
    async with a_house(tmp_path, is_called=True, kie={"vintage": vintage}) as house:
        house.kie.callbacks.calling = Calling(shape=shape)
        house.kie.script(fail("Content was flagged as sensitive."))
        await house.ask(a_photo())
        await house.ask(a_photo("red"))
        await house.pass_time(21)
        await house.pass_time(2)
        assert len(house.pictures()) == 1
        assert "flagged as sensitive" in house.words()[0]
        assert _looks(house) == 2


# -- nothing depends on it


async def test_a_callback_that_is_lost_loses_no_picture(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    await called.ask(a_photo())
    await called.pass_time(31)
    assert len(called.pictures()) == 1
    assert _looks(called) == 1


async def test_after_two_lost_callbacks_tasks_are_looked_at_as_without_any_until_they_come(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    for colour in ("green", "red"):
        await called.ask(a_photo(colour))
        await called.pass_time(31)
    before = _looks(called)
    await called.ask(a_photo("gold"))
    await called.pass_time(22)
    assert len(called.pictures()) == 3, "within two seconds"
    assert _looks(called) - before > 3
    called.kie.callbacks.calling = Calling()
    for colour in ("plum", "blue"):
        await called.ask(a_photo(colour))
        await called.pass_time(22)
    before = _looks(called)
    await called.ask(a_photo("silver"))
    await called.pass_time(21)
    assert len(called.pictures()) == 6
    assert _looks(called) - before <= 2


async def test_the_operator_hears_once_that_callbacks_do_not_come(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    for colour in ("green", "red", "gold"):
        await called.ask(a_photo(colour))
        await called.pass_time(31)
    assert sum("does not call back any more" in line for line in called.heard.lines) == 1


async def test_a_callback_that_comes_before_the_record_is_up_to_date_is_followed_by_looks(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    await called.ask(a_photo())
    await _nudge(called, (await _attempt(called)).reference, payload(_task(called)))
    await called.pass_time(22)
    assert len(called.pictures()) == 1


async def test_a_task_that_never_ends_is_still_told_about_and_given_up_after_a_day(called: House) -> None:
    called.kie.script(STUCK)
    await called.ask(a_photo())
    await called.pass_time(901)
    assert called.status()["text"] == english("takes-long")
    assert _looks(called) < 18
    await called.pass_time(DAY)
    assert (await called.job()).reason is Reason.OVERDUE


async def test_a_callback_while_the_bot_is_away_is_made_up_for_at_the_start(called: House) -> None:
    await called.ask(a_photo())
    await called.kie.wait_for(called._pictures_are_made)
    await called.close()
    called.clock.now += 60
    await called.kie.calls_back()
    assert called.front.statuses == [502]
    await called.open()
    await called.bot.worker.recover()
    await called.settle()
    assert len(called.pictures()) == 1


async def test_that_one_was_missed_while_the_bot_was_away_says_nothing_about_the_next(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    await called.ask(a_photo())
    called.clock.now += 20
    await _finished(called)
    await called.restart()
    await called.settle()
    assert called.bot.meters.callbacks.values[MISSING,] == 0, "else a restart would look like a trouble with callbacks"
    before = _looks(called)
    called.kie.callbacks.calling = Calling()
    await called.ask(a_photo("red"))
    await called.pass_time(21)
    assert len(called.pictures()) == 2
    assert _looks(called) - before == 1


async def test_callbacks_in_threes_give_one_picture_with_one_look(called: House) -> None:
    called.kie.callbacks.calling = Calling(copies=3)
    await called.ask(a_photo())
    await called.pass_time(25)
    assert called.front.statuses == [200, 200, 200]
    assert len(called.pictures()) == 1
    assert _looks(called) == 1


async def test_a_callback_that_is_repeated_for_days_says_nothing_new(called: House) -> None:
    await called.ask(a_photo())
    await called.pass_time(25)
    [callback] = called.kie.callbacks.all
    for _ in range(5):
        assert await called.kie.call(callback.url, callback.body) == 200
        await called.pass_time(3600)
    assert len(called.pictures()) == 1
    assert _looks(called) == 1
    assert len(called.kie.tasks) == 1


async def test_a_callback_that_comes_after_the_fallback_look_says_nothing_new(called: House) -> None:
    called.kie.callbacks.calling = Calling(delay=15)
    await called.ask(a_photo())
    await called.pass_time(60)
    assert len(called.pictures()) == 1
    assert _looks(called) == 1


async def test_a_failure_that_is_told_three_times_is_ordered_once_more_and_not_thrice(called: House) -> None:
    called.kie.callbacks.calling = Calling(copies=3)
    called.kie.script(fail("Internal Error, Please try again later."))
    await called.ask(a_photo())
    await called.pass_time(21)
    await called.pass_time(30)
    assert len(called.kie.tasks) == 2
    assert len(called.pictures()) == 1


async def test_a_callback_about_the_first_order_says_nothing_about_the_second(called: House) -> None:
    called.kie.script(fail("Internal Error, Please try again later."), STUCK)
    await called.ask(a_photo())
    await called.pass_time(21)
    [callback] = called.kie.callbacks.all
    before = _looks(called)
    assert await called.kie.call(callback.url, callback.body) == 200
    await called.settle()
    assert _looks(called) == before
    assert (await called.job()).state is State.RUNNING


async def test_a_callback_about_an_order_that_kie_turned_away_is_too_late(called: House) -> None:
    called.kie.refuse(433, "cap")
    await called.ask(a_photo())
    reference = (await _attempt(called)).reference
    assert await _nudge(called, reference, {"data": {"taskId": "made-up"}}) == 200
    assert ((await called.job()).state, _looks(called)) == (State.QUEUED, 0)
    called.ada.send_text("/cancel")
    await called.receive()
    assert await _nudge(called, reference, {"data": {"taskId": "made-up"}}) == 200
    await called.pass_time(400)
    assert ((await called.job()).state, _looks(called)) == (State.CANCELLED, 0)


# -- it is never believed


@pytest.mark.parametrize(
    "change",
    [
        {"state": "success", "resultJson": '{"resultUrls":["http://127.0.0.1:9/evil.png"]}'},
        {"state": "fail", "failCode": "500", "failMsg": "forged"},
        {"taskId": "0" * 32},
        {"taskId": None},
    ],
)
async def test_nothing_in_a_callback_is_believed(called: House, change: dict[str, Any]) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    await called.ask(a_photo())
    body = payload(_task(called))
    body["data"] |= change
    assert await _nudge(called, (await _attempt(called)).reference, body) == 200
    job = await called.job()
    assert (job.state, job.task_id) == (State.RUNNING, _task(called).id)
    await called.pass_time(22)
    assert len(called.pictures()) == 1
    assert called.words() == []


async def test_a_flood_of_callbacks_about_one_task_leads_to_one_look_at_a_time(called: House) -> None:
    called.kie.script(STUCK)
    held = Fault(Kind.HELD)
    called.kie.faults.add("recordInfo", held)
    await called.ask(a_photo())
    url = f"{called.front.url}/kie/callback/{(await _attempt(called)).reference}"
    await asyncio.gather(*(called.kie.call(url, b"{}") for _ in range(20)))
    turning = asyncio.create_task(called.turn())
    await called.kie.wait_for(lambda: _looks(called) == 1)
    await asyncio.gather(*(called.kie.call(url, b"{}") for _ in range(20)))
    assert _looks(called) == 1
    held.gate.set()
    await turning
    called.clock.now += 0.2
    await called.turn()
    assert _looks(called) == 2


# -- an order in doubt


@pytest.mark.parametrize("fault", [CUT_AFTER, HTML_502, CUT_BEFORE])
async def test_without_a_callback_the_person_is_asked_after_two_minutes_and_not_before(
    called: House, fault: Fault
) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    called.kie.faults.add("createTask", fault)
    await called.ask(a_photo())
    await called.pass_time(119)
    assert not _question(called)
    await called.pass_time(2)
    assert _question(called)
    await called.pass_time(3600)
    assert len(called.kie.called("createTask")) == 1


async def test_a_callback_brings_the_task_that_the_lost_answer_named(called: House) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    await called.pass_time(21)
    assert len(called.pictures()) == 1
    assert _looks(called) == 1
    assert (await _attempt(called)).outcome is Outcome.ACCEPTED
    await called.pass_time(DAY)
    assert called.words() == []
    assert called.statuses() == []
    assert len(called.kie.called("createTask")) == 1


async def test_a_task_that_a_callback_brings_may_have_failed(called: House) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    called.kie.script(fail("Content was flagged as sensitive."))
    await called.ask(a_photo())
    await called.pass_time(22)
    assert "flagged as sensitive" in called.words()[0]
    assert (await called.job()).reason is Reason.REFUSED


async def test_a_task_that_a_callback_brings_and_that_still_runs_is_watched(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    assert await _nudge(called, (await _attempt(called)).reference, payload(_task(called))) == 200
    assert (await called.job()).state is State.RUNNING
    await called.pass_time(22)
    assert len(called.pictures()) == 1


async def test_an_hour_of_restarts_does_not_put_the_question_off(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    for _ in range(7):
        await called.pass_time(20)
        await called.restart()
    await called.settle()
    assert _question(called)
    asked_at = (await called.job()).asked_at
    await called.restart()
    await called.settle()
    assert (await called.job()).asked_at == asked_at


async def test_an_order_that_a_crash_cut_short_is_asked_about_two_minutes_after_the_start(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    await _cut_short(called)
    await called.restart()
    await called.pass_time(119)
    assert not _question(called)
    await called.pass_time(2)
    assert _question(called)
    assert len(called.kie.called("createTask")) == 1


async def test_a_callback_after_a_crash_brings_the_picture_without_a_question(called: House) -> None:
    await _cut_short(called)
    await called.restart()
    await called.pass_time(60)
    assert len(called.pictures()) == 1
    assert called.words() == []
    assert len(called.kie.called("createTask")) == 1


async def _cut_short(house: House) -> None:
    """Let the bot end while an order is under way: Kie has it, and the answer comes to nobody."""
    house.kie.faults.add("createTask", Fault(Kind.HELD))
    house.ada.send_photo(a_photo(), caption="make it snow")
    await house.receive()
    turning = asyncio.create_task(house.settle())
    await house.kie.wait_for(lambda: house.kie.tasks and house._pictures_are_made())
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)


async def test_a_hint_that_was_taken_in_survives_a_crash_before_it_was_tried(called: House) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    await _finished(called)
    called.kie.faults.always("recordInfo", HTML_502)
    await called.kie.calls_back()
    await called.settle()
    assert (await called.job()).state is State.SUBMITTING
    called.kie.faults.clear()
    await called.restart()
    await called.settle()
    assert len(called.pictures()) == 1


async def test_while_a_hint_waits_for_kie_nobody_is_asked(called: House) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    called.kie.faults.always("recordInfo", HTML_502)
    await called.ask(a_photo())
    await called.pass_time(3600)
    assert (await called.job()).asked_at is None
    called.kie.faults.clear()
    await called.pass_time(61)
    assert len(called.pictures()) == 1
    assert len(called.kie.called("createTask")) == 1


@pytest.mark.long
async def test_a_hint_that_kie_cannot_be_asked_about_for_a_day_leads_to_the_question(called: House) -> None:
    called.kie.faults.add("createTask", CUT_AFTER)
    called.kie.faults.always("recordInfo", HTML_502)
    await called.ask(a_photo())
    await called.pass_time(DAY + 300)
    assert _question(called)


async def test_if_callbacks_are_switched_off_the_person_is_asked_at_the_next_start(tmp_path: Path) -> None:
    async with a_house(tmp_path, is_called=True) as called:
        called.kie.callbacks.calling = Calling(lost=True)
        called.kie.faults.add("createTask", CUT_AFTER)
        await called.ask(a_photo())
        called._settings = called._settings.model_copy(update={"public_url": None})
        await called.restart()
        await called.settle()
        assert _question(called)


# -- whose task it is


async def test_where_kie_does_not_echo_the_address_our_upload_shows_that_it_is_ours(called: House) -> None:
    called.kie.echo_callback(shown=False)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    await called.pass_time(21)
    assert len(called.pictures()) == 1


async def _two_in_doubt(house: House) -> tuple[Attempt, Attempt]:
    """Let Ada and Bob each have an order in doubt, and their tasks be finished without a callback."""
    house.kie.callbacks.calling = Calling(lost=True)
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.ask(a_photo())
    await house.pass_time(5)
    house.kie.faults.add("createTask", CUT_AFTER)
    house.telegram.person(user_id=5001).send_photo(a_photo("red"), caption="make it rain")
    await house.receive()
    await house.settle()
    await _finished(house)
    return await _attempt(house, 1), await _attempt(house, 2)


@pytest.mark.parametrize("is_echoed", [True, False])
async def test_the_task_of_another_order_is_not_believed_to_be_ours(called: House, is_echoed: bool) -> None:
    called.kie.echo_callback(shown=is_echoed)
    ours, theirs = await _two_in_doubt(called)
    [_, their_task] = called.kie.tasks
    assert await _nudge(called, ours.reference, {"data": {"taskId": their_task}}) == 200
    assert (await called.job(1)).state is State.SUBMITTING
    await called.pass_time(122)
    assert _question(called)
    assert await _nudge(called, theirs.reference, {"data": {"taskId": their_task}}) == 200
    assert (await called.job(2)).state is State.SUCCEEDED
    assert called.pictures() == []


async def test_with_the_address_of_another_order_our_upload_proves_nothing(called: House) -> None:
    ours, _ = await _two_in_doubt(called)
    [our_task, their_task] = called.kie.tasks.values()
    our_task.param = our_task.param.replace(ours.reference, "another")
    assert their_task.param
    await _nudge(called, ours.reference, {"data": {"taskId": our_task.id}})
    assert (await called.job(1)).state is State.SUBMITTING


async def test_an_order_whose_pictures_kie_fetched_from_telegram_is_only_known_by_its_address(tmp_path: Path) -> None:
    async with a_house(tmp_path, is_called=True, image_transport="direct", allow_token_in_urls=True) as called:
        called.kie.echo_callback(shown=False)
        called.kie.faults.add("createTask", CUT_AFTER)
        await called.ask(a_photo())
        await called.pass_time(25)
        assert (await called.job()).state is State.SUBMITTING


async def test_a_record_that_echoes_nothing_proves_nothing(called: House) -> None:
    await called.ask(a_photo())
    job, attempt = await called.job(), await _attempt(called)
    bare = replace(job, request=replace(job.request, sources=()))
    seen = Look("a-task", models.Outcome.SUCCESS, "success")
    assert not doubt.is_ours(seen, job, attempt)
    assert not doubt.is_ours(seen, bare, attempt)


async def test_a_forged_task_id_does_not_keep_the_real_one_out(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    await _finished(called)
    reference = (await _attempt(called)).reference
    await _nudge(called, reference, {"data": {"taskId": "made-up"}})
    assert (await called.job()).state is State.SUBMITTING
    await _nudge(called, reference, payload(_task(called)))
    assert (await called.job()).state is State.SUCCEEDED


async def test_a_forged_task_id_is_given_up_after_some_minutes_and_the_person_asked(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    await _nudge(called, (await _attempt(called)).reference, {"data": {"taskId": "made-up"}})
    await called.pass_time(600)
    assert _question(called)
    assert 5 < _looks(called) < 15
    before = _looks(called)
    await called.pass_time(3600)
    assert _looks(called) == before


async def test_a_task_that_kie_does_not_show_yet_is_tried_again(called: House) -> None:
    called.kie.hide_tasks(2)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    await called.pass_time(25)
    assert len(called.pictures()) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"data":{"state":"success"}}'])
async def test_a_callback_that_names_no_task_leaves_a_doubt_as_it_is(called: House, body: bytes) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    called.kie.faults.add("createTask", CUT_AFTER)
    await called.ask(a_photo())
    assert await _nudge(called, (await _attempt(called)).reference, body) == 200
    await called.pass_time(121)
    assert _question(called)


# -- while the order is under way


async def _held_up(house: House, **answer: Any) -> tuple["asyncio.Task[None]", Fault, Attempt]:
    """Let an order be under way whose answer Kie holds back, and its task be finished."""
    held = Fault(Kind.HELD, **answer)
    house.kie.faults.add("createTask", held)
    house.ada.send_photo(a_photo(), caption="make it snow")
    await house.receive()
    turning = asyncio.create_task(house.settle())
    await house.kie.wait_for(lambda: house.kie.tasks and house._pictures_are_made())
    await _finished(house)
    return turning, held, await _attempt(house)


async def test_a_callback_that_overtakes_the_answer_has_no_effect_of_its_own(called: House) -> None:
    called.kie.callbacks.calling = Calling(copies=2)
    turning, held, attempt = await _held_up(called)
    await called.kie.calls_back()
    await called.turn()
    job = await called.job()
    assert (job.state, job.due_at, _looks(called)) == (State.SUBMITTING, None, 0)
    held.gate.set()
    await turning
    await called.settle()
    assert len(called.pictures()) == 1
    assert _looks(called) == 1
    assert (await _attempt(called)).id == attempt.id
    assert len(called.kie.tasks) == 1


async def test_a_callback_that_overtakes_the_answer_is_not_forgotten_when_the_bot_dies_then(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    turning, _, attempt = await _held_up(called)
    url = f"{called.front.url}/kie/callback/{attempt.reference}"
    assert await called.kie.call(url, payload(_task(called))) == 200
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    await called.restart()
    await called.settle()
    assert len(called.pictures()) == 1
    assert len(called.kie.called("createTask")) == 1


async def test_a_forged_callback_during_the_order_gives_way_to_the_answer(called: House) -> None:
    called.kie.callbacks.calling = Calling(lost=True)
    turning, held, attempt = await _held_up(called)
    url = f"{called.front.url}/kie/callback/{attempt.reference}"
    assert await called.kie.call(url, {"data": {"taskId": "made-up"}}) == 200
    held.gate.set()
    await turning
    await called.settle()
    assert (await called.job()).task_id == _task(called).id
    assert (await _attempt(called)).task_id == _task(called).id
    assert len(called.pictures()) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(502, b"<html>"), (200, b'{"code":500,"msg":"Server Error","data":null}'), (200, b"[]")]
)
async def test_a_callback_that_contradicts_the_answer_is_looked_into_before_anything_is_ordered(
    called: House, status: int, body: bytes
) -> None:
    """Kie takes the order and calls back, and then a gateway, or Kie itself, says that there is none."""
    turning, held, _ = await _held_up(called, status=status, body=body)
    await called.kie.calls_back()
    held.gate.set()
    await turning
    await called.settle()
    assert len(called.pictures()) == 1
    await called.pass_time(600)
    assert len(called.kie.called("createTask")) == 1
    assert called.words() == []


# -- and the person decides meanwhile


async def _asked(house: House) -> Attempt:
    """Let Ada be asked about an order in doubt, whose task is finished meanwhile; nobody calls back about it."""
    house.kie.callbacks.calling = Calling(lost=True)
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.ask(a_photo())
    await _finished(house)
    await house.pass_time(125)
    assert _question(house)
    return await _attempt(house)


async def _press(house: House, label: str) -> str:
    press = house.ada.press(house.status()["message_id"], label)
    await house.receive()
    await house.settle()
    return str((house.ada.answer_to(press) or {}).get("text"))


async def test_a_callback_before_try_again_answers_the_question(called: House) -> None:
    first = await _asked(called)
    await _nudge(called, first.reference, payload(_task(called)))
    await called.pass_time(5)
    assert len(called.pictures()) == 1
    assert called.statuses() == []
    await called.pass_time(DAY)
    assert (len(called.pictures()), called.words(), len(called.kie.tasks)) == (1, [], 1)


@pytest.mark.parametrize("label", ["Try again", "Leave it"])
async def test_a_press_waits_for_what_a_callback_before_it_turns_out_to_be(called: House, label: str) -> None:
    first = await _asked(called)
    called.kie.faults.always("recordInfo", HTML_502)
    await _nudge(called, first.reference, payload(_task(called)))
    assert await _press(called, label) == english("toast-news")
    assert (await called.job()).state is State.SUBMITTING
    called.kie.faults.clear()
    await called.pass_time(61)
    assert len(called.pictures()) == 1
    assert len(called.kie.called("createTask")) == 1


async def test_once_it_is_known_to_be_forged_a_callback_keeps_nobody_from_deciding(called: House) -> None:
    first = await _asked(called)
    called.kie.faults.always("recordInfo", HTML_502)
    await _nudge(called, first.reference, {"data": {"taskId": "made-up"}})
    assert await _press(called, "Try again") == english("toast-news")
    called.kie.faults.clear()
    await called.pass_time(600)
    assert await _press(called, "Try again") == english("toast-again")
    assert len(called.kie.called("createTask")) == 2


async def test_a_callback_after_try_again_changes_nothing(called: House) -> None:
    first = await _asked(called)
    called.kie.refuse(433, "cap")
    assert await _press(called, "Try again") == english("toast-again")
    before = _looks(called)
    await _nudge(called, first.reference, payload(_task(called)))
    assert (await called.job()).state is State.QUEUED
    assert _looks(called) == before
    await called.pass_time(400)
    await called.pass_time(32)
    await _nudge(called, first.reference, payload(next(iter(called.kie.tasks.values()))))
    assert (len(called.pictures()), len(called.kie.tasks)) == (1, 2)


async def test_a_callback_about_the_first_order_is_no_proof_for_the_second(called: House) -> None:
    first = await _asked(called)
    called.kie.faults.add("createTask", CUT_BEFORE)
    assert await _press(called, "Try again") == english("toast-again")
    assert (await called.job()).state is State.SUBMITTING
    await _nudge(called, first.reference, payload(_task(called)))
    assert (await called.job()).state is State.SUBMITTING
    assert (await _attempt(called)).hint is None


async def test_an_order_found_by_a_callback_can_come_into_doubt_again_and_is_asked_about_again(called: House) -> None:
    called.kie.script(fail("Internal Error, Please try again later."))
    first = await _asked(called)
    called.kie.faults.add("createTask", CUT_BEFORE)
    called.kie.finish(_task(called).id, fail("Internal Error, Please try again later."))
    await _nudge(called, first.reference, payload(_task(called)))
    assert (await called.job()).asked_at is None
    await called.pass_time(125)
    assert _question(called)
    assert (await _attempt(called)).id != first.id


async def test_a_look_about_an_earlier_attempt_ends_no_later_doubt(called: House) -> None:
    first = await _asked(called)
    job, now = await called.job(), called.clock.instant()
    await called.bot.db.unit(lambda tx: tx.attempts.begin(job.id, "second", now))
    assert await called.bot.db.unit(lambda tx: doubt.end(tx, job, first, "a-task", now)) is None
    assert (await called.job()).state is State.SUBMITTING


async def test_a_callback_after_leave_it_changes_nothing(called: House) -> None:
    first = await _asked(called)
    await _press(called, "Leave it")
    await _nudge(called, first.reference, payload(_task(called)))
    await called.pass_time(60)
    assert (await called.job()).reason is Reason.DOUBT
    assert (called.pictures(), called.words(), len(called.kie.tasks)) == ([], [], 1)


async def test_a_look_that_was_under_way_when_the_person_decided_does_not_undo_it(called: House) -> None:
    """The 24 hours end while Kie is asked about a hint; what it says then is about nobody's order."""
    first = await _asked(called)
    held = Fault(Kind.HELD)
    called.kie.faults.add("recordInfo", held)
    url = f"{called.front.url}/kie/callback/{first.reference}"
    await called.kie.call(url, payload(_task(called)))
    turning = asyncio.create_task(called.turn())
    await called.kie.wait_for(lambda: called.kie.called("recordInfo"))
    job = await called.job()
    assert not await called.bot.db.unit(lambda tx: tx.order_again(job, called.clock.instant()))
    assert await called.bot.db.unit(lambda tx: tx.leave_in_doubt(job, called.clock.instant()))
    held.gate.set()
    await turning
    await called.settle()
    assert (await called.job()).state is State.FAILED
    assert called.pictures() == []


# -- whatever happens, in any order


EVENTS = ("kie calls", "forged task", "garbage", "time passes", "much time passes", "restart", "Try again", "Leave it")


async def _happens(house: House, event: str) -> None:
    references = [each.call_back_url for each in house.kie.tasks.values() if each.call_back_url]
    match event:
        case "kie calls":
            await _finished(house)
            await house.kie.calls_back()
            await asyncio.gather(*(house.kie.call(each.url, each.body) for each in house.kie.callbacks.all))
        case "forged task":
            await asyncio.gather(*(house.kie.call(url, {"data": {"taskId": "made-up"}}) for url in references))
        case "garbage":
            await asyncio.gather(*(house.kie.call(url, b"\xff") for url in references))
        case "time passes":
            await house.pass_time(15)
        case "much time passes":
            await house.pass_time(130)
        case "restart":
            await house.restart()
        case _:
            if house.statuses() and event in repr(house.status().get("reply_markup")):
                await _press(house, event)
    await house.settle()


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    fault=st.sampled_from([None, CUT_AFTER, CUT_BEFORE]),
    calling=st.sampled_from([Calling(), Calling(copies=2), Calling(lost=True), Calling(delay=200)]),
    events=st.lists(st.sampled_from(EVENTS), min_size=3, max_size=7),
)
async def test_one_person_gets_one_answer_and_pays_once_but_for_a_press(
    fault: Fault | None, calling: Calling, events: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with a_house(Path(folder), is_called=True) as house:
            house.kie.callbacks.calling = calling
            if fault is not None:
                house.kie.faults.add("createTask", fault)
            await house.ask(a_photo())
            for event in events:
                await _happens(house, event)
            await house.pass_time(400)
            presses = sum(told == english("toast-again") for told in _toasts(house))
            assert len(house.kie.called("createTask")) <= 1 + presses
            assert len(house.pictures()) <= 1
            assert bool(house.pictures()) or _question(house) or "not ordered a second time" in house.status()["text"]


def _toasts(house: House) -> list[str]:
    return [str(call.params.get("text")) for call in house.telegram.calls if call.method == "answerCallbackQuery"]
