"""The paid call: what is written down, repeated, given up, or left to the person."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bot.job import Instant, Reason, State
from bot.jobs.trouble import UPLOADS
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie_tasks import STUCK
from bot.store.breakers import Breaker
from bot.store.transaction import Transaction
from bot.texts import sentence
from tests.house import House, a_house
from tests.world import a_photo, english

CUT_AFTER = Fault(Kind.CUT_AFTER)
CUT_BEFORE = Fault(Kind.CUT_BEFORE)
EMPTY_200 = Fault(Kind.ANSWER, status=200, body=b"")


@pytest.mark.parametrize("fault", [CUT_AFTER, CUT_BEFORE, HTML_502, EMPTY_200])
async def test_an_order_in_doubt_is_asked_about_at_once_and_never_repeated(house: House, fault: Fault) -> None:
    house.kie.faults.add("createTask", fault)
    await house.ask(a_photo())
    await house.pass_time(3600)
    assert len(house.kie.called("createTask")) == 1
    assert "I cannot find out whether it took the order" in house.status()["text"]
    assert (await house.job()).state is State.SUBMITTING


async def test_a_doubt_that_nobody_decides_ends_after_a_day_without_another_word(house: House) -> None:
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.ask(a_photo())
    await house.pass_time(24 * 3600 + 1)
    job = await house.job()
    assert (job.state, job.reason) == (State.FAILED, Reason.DOUBT)
    assert "not ordered a second time" in house.status()["text"]
    assert "reply_markup" not in house.status()
    assert house.words() == []


@pytest.mark.parametrize("code", [408, 429, 430, 455])
async def test_an_order_that_kie_turned_away_for_now_is_made_again_later(house: House, code: int) -> None:
    house.kie.refuse(code, "not now")
    await house.ask(a_photo())
    assert (await house.job()).state is State.QUEUED
    await house.pass_time(6)
    assert (await house.job()).state is State.RUNNING
    assert house.words() == []


async def test_an_order_that_never_left_is_made_when_kie_is_back(house: House) -> None:
    house.kie.refuse(455, "maintenance")
    await house.ask(a_photo())
    port = int(house.kie.url.rsplit(":", 1)[1])
    await house.kie.stop()
    await house.pass_time(3600)
    assert (await house.job()).state is State.QUEUED
    assert house.status()["text"] == english("waiting-for-kie")
    await house.kie.start(port)
    await house.pass_time(60)
    assert len(house.kie.tasks) == 1


async def test_an_hour_without_uploads_is_told_once_and_passes(house: House) -> None:
    house.kie.faults.always("upload", HTML_502)
    await house.ask(a_photo())
    await house.pass_time(3600)
    assert house.status()["text"] == english("waiting-for-kie")
    house.kie.faults.clear()
    await house.pass_time(60)
    assert len(house.kie.tasks) == 1


@pytest.mark.parametrize("code", [400, 422, 505])
async def test_a_refused_order_is_explained_at_once(house: House, code: int) -> None:
    house.kie.refuse(code, "Images size exceeds limit")
    await house.ask(a_photo())
    assert "Images size exceeds limit" in house.words()[0]
    assert (await house.job()).reason is Reason.REFUSED


async def test_code_500_is_tried_twice_more_and_then_told(house: House) -> None:
    for _ in range(3):
        house.kie.refuse(500, "This field is required")
    await house.ask(a_photo())
    await house.pass_time(10)
    assert house.words() == []
    await house.pass_time(40)
    assert "This field is required" in house.words()[0]
    assert len(house.kie.called("createTask")) == 3


async def test_code_500_that_passes_is_never_mentioned(house: House) -> None:
    house.kie.refuse(500, "image_urls file type not supported")
    await house.ask(a_photo())
    await house.pass_time(10)
    assert (await house.job()).state is State.RUNNING
    assert house.words() == []


async def test_without_credit_the_queue_is_kept_and_the_admin_told_once(house: House) -> None:
    house.kie._account.paid_in = 0
    await house.ask(a_photo())
    await house.pass_time(890)
    assert house.words() == []
    await house.pass_time(3600)
    assert len(house.kie.called("createTask")) == 1, "probing is by the balance, which is free"
    assert ["no credit left" in words for words in house.words(9009)] == [True]
    assert house.status()["text"] == english("waiting-for-owner")
    house.kie._account.paid_in = 100
    await house.pass_time(900)
    assert len(house.kie.tasks) == 1
    assert house.words(9009)[1:] == ["Kie.ai takes orders again."]


@pytest.mark.parametrize(("code", "told"), [(401, "API key"), (433, "usage cap")])
async def test_a_bad_key_and_a_key_cap_stop_all_orders_until_they_pass(house: House, code: int, told: str) -> None:
    house.kie.refuse(code, "no")
    await house.ask(a_photo())
    await house.ask(a_photo("red"))
    assert len(house.kie.called("createTask")) == 1
    assert told in house.words(9009)[0]
    await house.pass_time(400)
    await house.pass_time(20)
    assert len(house.kie.tasks) == 2


async def test_after_a_trouble_one_order_goes_alone_before_the_others(house: House) -> None:
    for colour in ("red", "green", "blue"):
        house.ada.send_photo(a_photo(colour), caption="x")
        house.kie.refuse(455, "maintenance")
    await house.receive()
    await house.turn()
    before = len(house.kie.called("createTask"))
    house.kie.refuse(455, "maintenance")
    await house.pass_time(3)
    assert len(house.kie.called("createTask")) == before + 1
    await house.pass_time(10)
    assert len(house.kie.tasks) == 3


async def test_what_waits_behind_one_that_is_prepared_alone_is_prepared_as_soon_as_that_is_done(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        house.kie.script(STUCK)  # so that no order is made that would have the worker look around
        for colour in ("red", "green"):
            await house.ask(a_photo(colour))
        house.ada.send_photo(a_photo("blue"), caption="x")
        await house.receive()
        await house.bot.db.unit(partial(_uploads_are_tried_out, job_id=2, since=house.clock.instant()))
        working = asyncio.create_task(house.bot.worker.run())
        await house.kie.wait_for(lambda: len(house.kie.called("upload")) == 3, 5.0)
        house.bot.worker.stop()
        await working


def _uploads_are_tried_out(tx: Transaction, *, job_id: int, since: Instant) -> None:
    """Let uploads have failed a moment ago, and a job go first that turns out to have nothing to upload any more."""
    tx.breakers.open(Breaker(UPLOADS, since - 2000, since - 1, 1))
    tx.line.mark(job_id, is_ready=False)
    job = tx.jobs.get(job_id)
    assert job is not None
    tx.jobs.note(job, due_at=None)


async def test_an_upload_that_has_grown_old_is_made_again_before_the_order(house: House) -> None:
    for _ in range(100):
        house.kie.refuse(433, "The current number of points used by apiKey has exceeded the daily limit")
    await house.ask(a_photo())
    await house.pass_time(21 * 3600)
    house.kie._account.refusals.clear()
    await house.pass_time(3600)
    assert len(house.kie.called("upload")) == 2
    assert len(house.kie.tasks) == 1


async def test_what_is_sent_to_kie_names_model_shape_and_format(house: House) -> None:
    await house.ask(a_photo(), caption="make it snow")
    [call] = house.kie.called("createTask")
    order = call.body
    assert order["model"] == "google/nano-banana-edit"
    assert {key: order["input"][key] for key in ("prompt", "output_format", "image_size", "aspect_ratio")} == {
        "prompt": "make it snow",
        "output_format": "png",
        "image_size": "auto",
        "aspect_ratio": "auto",
    }


@pytest.mark.parametrize("fault", [HTML_502, Fault(Kind.CUT_BEFORE)])
async def test_an_outage_costs_a_doubt_now_and_then_and_not_one_for_everybody(house: House, fault: Fault) -> None:
    house.kie.faults.always("createTask", fault)
    await house.ask(a_photo())
    for number in range(60):
        person = house.telegram.person(user_id=3000 + number)
        person.send_photo(a_photo(), caption="make it snow")
    await house.receive()
    await house.pass_time(60)
    states = [(await house.job(job_id)).state for job_id in range(1, 62)]
    assert 3 <= states.count(State.SUBMITTING) <= 6
    assert states.count(State.QUEUED) >= 55
    assert "does not take orders" in house.words(9009)[0]


async def test_an_order_that_kie_always_turns_away_keeps_nobody_waiting(house: House) -> None:
    house.kie.refuse(408, "no result for over 10 minutes")
    house.kie.refuse(408, "no result for over 10 minutes")
    await house.ask(a_photo(), caption="the odd one")
    await house.pass_time(1)
    for number in range(3):
        person = house.telegram.person(user_id=3000 + number)
        person.send_photo(a_photo(), caption="a good one")
    await house.receive()
    await house.pass_time(8)
    assert next(iter(house.kie.tasks.values())).prompt == "a good one"


async def test_an_order_that_is_turned_away_for_two_days_is_given_up_with_a_word(house: House) -> None:
    for _ in range(5000):
        house.kie.refuse(455, "maintenance")
    await house.ask(a_photo())
    await house.pass_time(900)
    house.clock.now += 48 * 3600
    await house.pass_time(1200)
    assert "has not taken this order" in house.words()[-1]


async def test_a_bad_key_met_at_the_upload_keeps_the_queue(house: House) -> None:
    unauthorized = Fault(Kind.ANSWER, status=401, body=b'{"success":false,"code":401,"msg":"Invalid API Key"}')
    house.kie.faults.always("upload", unauthorized)
    house.kie.faults.always("credit", unauthorized)
    await house.ask(a_photo())
    await house.pass_time(2 * 3600)
    assert (await house.job()).state is State.QUEUED
    assert ["API key" in words for words in house.words(9009)] == [True]
    assert len(house.kie.called("upload")) < 4
    house.kie.faults.clear()
    await house.pass_time(1000)
    assert len(house.kie.tasks) == 1


async def test_what_the_operator_mended_before_a_start_is_tried_at_once(house: House) -> None:
    house.kie.refuse(401, "Unauthorized")
    await house.ask(a_photo())
    await house.bot.worker.recover()
    await house.pass_time(1)
    assert len(house.kie.tasks) == 1


async def test_an_order_that_left_before_the_trouble_does_not_end_it(house: House) -> None:
    house.kie.faults.add("createTask", Fault(Kind.SLOW, seconds=0.5))
    for colour in ("red", "green"):
        house.ada.send_photo(a_photo(colour), caption="x")
    house.kie.refuse(433, "cap")
    await house.receive()
    await house.settle()
    assert house.words(9009) == [sentence("admin-halt-cap").into("en")]
    assert [each.name for each in await house.bot.db.unit(lambda tx: tx.breakers.all())] == ["cap"]


async def test_kies_wish_for_a_pause_has_a_bound(house: House) -> None:
    body = b'{"code":429,"msg":"Rate limit exceeded"}'
    house.kie.faults.add("createTask", Fault(Kind.ANSWER, status=429, body=body, headers={"Retry-After": "86400"}))
    await house.ask(a_photo())
    await house.pass_time(3700)
    assert len(house.kie.tasks) == 1
