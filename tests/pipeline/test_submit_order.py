"""Orders (the paid calls): what is stored, retried, given up, or left to the user."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bot.clock import Instant
from bot.i18n import sentence
from bot.job import FailureReason, State
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.tasks import STUCK
from bot.store.circuit_breakers import UPLOADS, CircuitBreaker
from bot.store.database import Transaction
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)
CUT_BEFORE = Fault(FaultKind.DISCONNECT_BEFORE)
EMPTY_200 = Fault(FaultKind.RESPOND, status=200, body=b"")


@pytest.mark.parametrize("fault", [CUT_AFTER, CUT_BEFORE, HTML_502, EMPTY_200])
async def test_an_order_in_doubt_is_asked_about_at_once_and_never_repeated(house: BotHarness, fault: Fault) -> None:
    house.kie.faults.add("createTask", fault)
    await house.request_edit(make_photo())
    await house.advance_time(3600)
    assert len(house.kie.calls_named("createTask")) == 1
    assert "I cannot find out whether it took the order" in house.progress_message()["text"]
    assert (await house.read_job()).state is State.SUBMITTING


async def test_a_doubt_that_nobody_decides_ends_after_a_day_without_another_word(house: BotHarness) -> None:
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.request_edit(make_photo())
    await house.advance_time(24 * 3600 + 1)
    job = await house.read_job()
    assert (job.state, job.reason) == (State.FAILED, FailureReason.ORDER_UNCERTAIN)
    assert "not ordered a second time" in house.progress_message()["text"]
    assert "reply_markup" not in house.progress_message()
    assert house.sent_texts() == []


@pytest.mark.parametrize("code", [408, 429, 430, 455])
async def test_an_order_that_kie_turned_away_for_now_is_made_again_later(house: BotHarness, code: int) -> None:
    house.kie.refuse_next_create(code, "not now")
    await house.request_edit(make_photo())
    assert (await house.read_job()).state is State.QUEUED
    await house.advance_time(6)
    assert (await house.read_job()).state is State.RUNNING
    assert house.sent_texts() == []


async def test_an_order_that_never_left_is_made_when_kie_is_back(house: BotHarness) -> None:
    house.kie.refuse_next_create(455, "maintenance")
    await house.request_edit(make_photo())
    port = int(house.kie.url.rsplit(":", 1)[1])
    await house.kie.stop()
    await house.advance_time(3600)
    assert (await house.read_job()).state is State.QUEUED
    assert house.progress_message()["text"] == render_english("waiting-for-kie")
    await house.kie.start(port)
    await house.advance_time(60)
    assert len(house.kie.tasks) == 1


async def test_an_hour_without_uploads_is_told_once_and_passes(house: BotHarness) -> None:
    house.kie.faults.always("upload", HTML_502)
    await house.request_edit(make_photo())
    await house.advance_time(3600)
    assert house.progress_message()["text"] == render_english("waiting-for-kie")
    house.kie.faults.clear()
    await house.advance_time(60)
    assert len(house.kie.tasks) == 1


@pytest.mark.parametrize("code", [400, 422, 505])
async def test_a_refused_order_is_explained_at_once(house: BotHarness, code: int) -> None:
    house.kie.refuse_next_create(code, "Images size exceeds limit")
    await house.request_edit(make_photo())
    assert "Images size exceeds limit" in house.sent_texts()[0]
    assert (await house.read_job()).reason is FailureReason.REFUSED


async def test_code_500_is_tried_twice_more_and_then_told(house: BotHarness) -> None:
    for _ in range(3):
        house.kie.refuse_next_create(500, "This field is required")
    await house.request_edit(make_photo())
    await house.advance_time(10)
    assert house.sent_texts() == []
    await house.advance_time(40)
    assert "This field is required" in house.sent_texts()[0]
    assert len(house.kie.calls_named("createTask")) == 3


async def test_code_500_that_passes_is_never_mentioned(house: BotHarness) -> None:
    house.kie.refuse_next_create(500, "image_urls file type not supported")
    await house.request_edit(make_photo())
    await house.advance_time(10)
    assert (await house.read_job()).state is State.RUNNING
    assert house.sent_texts() == []


async def test_without_credit_the_queue_is_kept_and_the_admin_told_once(house: BotHarness) -> None:
    house.kie._account.paid_in = 0
    await house.request_edit(make_photo())
    await house.advance_time(890)
    assert house.sent_texts() == []
    await house.advance_time(3600)
    assert len(house.kie.calls_named("createTask")) == 1, "probing is by the balance, which is free"
    assert ["no credit left" in text for text in house.sent_texts(9009)] == [True]
    assert house.progress_message()["text"] == render_english("waiting-for-owner")
    house.kie._account.paid_in = 100
    await house.advance_time(900)
    assert len(house.kie.tasks) == 1
    assert house.sent_texts(9009)[1:] == ["Kie.ai takes orders again."]


@pytest.mark.parametrize(("code", "expected"), [(401, "API key"), (433, "usage cap")])
async def test_a_bad_key_and_a_key_cap_stop_all_orders_until_they_pass(
    house: BotHarness, code: int, expected: str
) -> None:
    house.kie.refuse_next_create(code, "no")
    await house.request_edit(make_photo())
    await house.request_edit(make_photo("red"))
    assert len(house.kie.calls_named("createTask")) == 1
    assert expected in house.sent_texts(9009)[0]
    await house.advance_time(400)
    await house.advance_time(20)
    assert len(house.kie.tasks) == 2


async def test_after_a_trouble_one_order_goes_alone_before_the_others(house: BotHarness) -> None:
    for colour in ("red", "green", "blue"):
        house.ada.send_photo(make_photo(colour), caption="x")
        house.kie.refuse_next_create(455, "maintenance")
    await house.receive_updates()
    await house.run_due_work()
    before = len(house.kie.calls_named("createTask"))
    house.kie.refuse_next_create(455, "maintenance")
    await house.advance_time(3)
    assert len(house.kie.calls_named("createTask")) == before + 1
    await house.advance_time(10)
    assert len(house.kie.tasks) == 3


async def test_what_waits_behind_one_that_is_prepared_alone_is_prepared_as_soon_as_that_is_done(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        house.kie.script_outcomes(STUCK)  # an order would wake the worker
        for colour in ("red", "green"):
            await house.request_edit(make_photo(colour))
        house.ada.send_photo(make_photo("blue"), caption="x")
        await house.receive_updates()
        await house.bot.db.transact(partial(_start_upload_probe, job_id=2, since=house.clock.instant()))
        working = asyncio.create_task(house.bot.worker.run())
        await house.kie.wait_for(lambda: len(house.kie.calls_named("upload")) == 3, 5.0)
        house.bot.worker.stop()
        await working


def _start_upload_probe(tx: Transaction, *, job_id: int, since: Instant) -> None:
    """Open the upload breaker, and put a job without pending uploads first."""
    tx.circuit_breakers.open(CircuitBreaker(UPLOADS, since - 2000, since - 1, 1))
    tx.fair_queue.set_ready(job_id, is_ready=False)
    job = tx.jobs.get(job_id)
    assert job is not None
    tx.jobs.update(job, due_at=None)


async def test_an_upload_that_has_grown_old_is_made_again_before_the_order(house: BotHarness) -> None:
    for _ in range(100):
        house.kie.refuse_next_create(433, "The current number of points used by apiKey has exceeded the daily limit")
    await house.request_edit(make_photo())
    await house.advance_time(21 * 3600)
    house.kie._account.refusals.clear()
    await house.advance_time(3600)
    assert len(house.kie.calls_named("upload")) == 2
    assert len(house.kie.tasks) == 1


async def test_what_is_sent_to_kie_names_model_shape_and_format(house: BotHarness) -> None:
    await house.request_edit(make_photo(), caption="make it snow")
    [call] = house.kie.calls_named("createTask")
    order = call.body
    assert order["model"] == "google/nano-banana-edit"
    assert {key: order["input"][key] for key in ("prompt", "output_format", "image_size", "aspect_ratio")} == {
        "prompt": "make it snow",
        "output_format": "png",
        "image_size": "auto",
        "aspect_ratio": "auto",
    }


@pytest.mark.parametrize("fault", [HTML_502, Fault(FaultKind.DISCONNECT_BEFORE)])
async def test_an_outage_costs_a_doubt_now_and_then_and_not_one_for_everybody(house: BotHarness, fault: Fault) -> None:
    house.kie.faults.always("createTask", fault)
    await house.request_edit(make_photo())
    for number in range(60):
        person = house.telegram.person(user_id=3000 + number)
        person.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    await house.advance_time(60)
    states = [(await house.read_job(job_id)).state for job_id in range(1, 62)]
    assert 3 <= states.count(State.SUBMITTING) <= 6
    assert states.count(State.QUEUED) >= 55
    assert "does not take orders" in house.sent_texts(9009)[0]


async def test_an_order_that_kie_always_turns_away_keeps_nobody_waiting(house: BotHarness) -> None:
    house.kie.refuse_next_create(408, "no result for over 10 minutes")
    house.kie.refuse_next_create(408, "no result for over 10 minutes")
    await house.request_edit(make_photo(), caption="the odd one")
    await house.advance_time(1)
    for number in range(3):
        person = house.telegram.person(user_id=3000 + number)
        person.send_photo(make_photo(), caption="a good one")
    await house.receive_updates()
    await house.advance_time(8)
    assert next(iter(house.kie.tasks.values())).prompt == "a good one"


async def test_an_order_that_is_turned_away_for_two_days_is_given_up_with_a_word(house: BotHarness) -> None:
    for _ in range(5000):
        house.kie.refuse_next_create(455, "maintenance")
    await house.request_edit(make_photo())
    await house.advance_time(900)
    house.clock.now += 48 * 3600
    await house.advance_time(1200)
    assert "has not taken this order" in house.sent_texts()[-1]


async def test_a_bad_key_met_at_the_upload_keeps_the_queue(house: BotHarness) -> None:
    unauthorized = Fault(FaultKind.RESPOND, status=401, body=b'{"success":false,"code":401,"msg":"Invalid API Key"}')
    house.kie.faults.always("upload", unauthorized)
    house.kie.faults.always("credit", unauthorized)
    await house.request_edit(make_photo())
    await house.advance_time(2 * 3600)
    assert (await house.read_job()).state is State.QUEUED
    assert ["API key" in text for text in house.sent_texts(9009)] == [True]
    assert len(house.kie.calls_named("upload")) < 4
    house.kie.faults.clear()
    await house.advance_time(1000)
    assert len(house.kie.tasks) == 1


async def test_what_the_operator_mended_before_a_start_is_tried_at_once(house: BotHarness) -> None:
    house.kie.refuse_next_create(401, "Unauthorized")
    await house.request_edit(make_photo())
    await house.bot.worker.recover()
    await house.advance_time(1)
    assert len(house.kie.tasks) == 1


async def test_an_order_that_left_before_the_trouble_does_not_end_it(house: BotHarness) -> None:
    house.kie.faults.add("createTask", Fault(FaultKind.DELAY, seconds=0.5))
    for colour in ("red", "green"):
        house.ada.send_photo(make_photo(colour), caption="x")
    house.kie.refuse_next_create(433, "cap")
    await house.receive_updates()
    await house.settle()
    assert house.sent_texts(9009) == [sentence("admin-halt-cap").translate("en")]
    assert [each.name for each in await house.bot.db.transact(lambda tx: tx.circuit_breakers.list_open())] == ["cap"]


async def test_kies_wish_for_a_pause_has_a_bound(house: BotHarness) -> None:
    body = b'{"code":429,"msg":"Rate limit exceeded"}'
    house.kie.faults.add(
        "createTask", Fault(FaultKind.RESPOND, status=429, body=body, headers={"Retry-After": "86400"})
    )
    await house.request_edit(make_photo())
    await house.advance_time(3700)
    assert len(house.kie.tasks) == 1
