"""A picture that Kie has made is not lost to an answer that is none: it is fetched later, told truthfully, and had."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.chat.buttons import Action, Button
from bot.job import Reason, State
from bot.kie.keeping import RESULTS_KEPT
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie_tasks import Outcome
from bot.sandbox.telegram.refusals import bad_request, server_error, too_many
from bot.store.chats import Preference
from bot.talk.presses import ORIGINALS_AT_ONCE
from tests.group import friends
from tests.house import House, a_house
from tests.world import a_photo, english

DAY = 86_400.0
GONE = Fault(Kind.ANSWER, status=404, body=b"gone")
LOST = english("result-lost", results=RESULTS_KEPT)


def _ok(body: bytes, kind: str = "image/png") -> Fault:
    return Fault(Kind.ANSWER, status=200, body=body, headers={"Content-Type": kind})


#: What a gateway, a proxy or a host of files answers when it has a bad moment, with status 200.
WRONG = {
    "page": _ok(b"<html><body>Please wait</body></html>", "text/html"),
    "JSON": _ok(b'{"code": 500, "msg": "busy"}', "application/json"),
    "half a PNG": _ok(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00"),
    "half a JPEG": _ok(a_photo()[:-400], "image/jpeg"),
    "nothing": _ok(b""),
    "SVG": _ok(b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', "image/svg+xml"),
}


async def _made(house: House) -> None:
    """Let Ada ask, and Kie make the picture."""
    await house.ask(a_photo())
    await house.pass_time(30)


async def _given_up(house: House) -> dict[str, Any]:
    """Let it be given up to fetch a picture; return the message that says so."""
    house.kie.faults.always("result", WRONG["page"])
    await _made(house)
    house.clock.now += 3 * DAY
    await house.pass_time(130)
    [message] = _told(house)
    return message


def _told(house: House) -> list[dict[str, Any]]:
    """Return the texts that Ada has, but for those that tell how it stands."""
    statuses = house.statuses()
    return [each for each in house.telegram.bot_messages(house.ada.id) if "text" in each and each not in statuses]


async def _pressed(house: House, message: dict[str, Any], label: str = "Fetch it again") -> str | None:
    press = house.ada.press(message["message_id"], label)
    await house.hear()
    return (house.ada.answer_to(press) or {}).get("text")


def _labels(message: dict[str, Any]) -> list[str]:
    return [each["text"] for row in message.get("reply_markup", {}).get("inline_keyboard", []) for each in row]


def _sent(house: House) -> list[bytes]:
    """Return the pictures that Ada was sent, as they left."""
    calls = [call for call in house.telegram.calls if call.method in ("sendPhoto", "sendDocument")]
    return [upload.content for call in calls for upload in call.files.values()]


def _result(house: House) -> bytes:
    [task] = house.kie.tasks.values()
    return task.result


# -- tried again


@pytest.mark.parametrize("name", WRONG)
async def test_an_answer_that_is_no_whole_picture_is_as_good_as_a_503(house: House, name: str) -> None:
    house.kie.faults.add("result", WRONG[name])
    await _made(house)
    await house.pass_time(10)
    assert len(house.pictures()) == 1
    assert _sent(house) == [_result(house)]
    assert (house.words(), house.words(9009)) == ([], [])


@pytest.mark.parametrize("name", WRONG)
async def test_an_original_that_comes_as_something_else_is_fetched_again(house: House, name: str) -> None:
    await _made(house)
    [picture] = house.pictures()
    house.kie.faults.add("result", WRONG[name], times=2)
    assert await _pressed(house, picture, "Original file") == english("toast-fetching")
    await house.pass_time(20)
    assert len(house.pictures()) == 2
    assert _sent(house) == [_result(house)] * 2
    assert house.words() == []


async def test_it_is_tried_for_longer_than_a_passing_trouble_lasts(house: House) -> None:
    house.kie.faults.always("result", WRONG["page"])
    await _made(house)
    await house.pass_time(3600)
    house.kie.faults.clear()
    await house.pass_time(61)
    assert len(house.pictures()) == 1
    assert house.words() == []


# -- told


@pytest.mark.parametrize("fault", [WRONG["page"], HTML_502, GONE])
async def test_while_a_picture_cannot_be_fetched_its_status_says_so(house: House, fault: Fault) -> None:
    house.kie.faults.always("result", fault)
    await _made(house)
    await house.pass_time(20)
    assert house.status()["text"] == english("being-edited")
    await house.pass_time(70)
    assert house.status()["text"] == english("made-not-fetched")
    house.kie.faults.clear()
    await house.pass_time(120)
    assert len(house.pictures()) == 1
    assert (house.statuses(), house.words()) == ([], [])


async def test_that_a_picture_cannot_be_fetched_is_told_after_a_restart_as_well(house: House) -> None:
    house.kie.faults.always("result", WRONG["page"])
    await _made(house)
    await house.restart()
    await house.pass_time(130)
    assert house.status()["text"] == english("made-not-fetched")


async def test_a_trouble_of_telegrams_is_not_taken_for_one_of_kies(house: House) -> None:
    house.telegram.faults.always("sendPhoto", server_error())
    house.telegram.faults.always("getMe", server_error())
    await _made(house)
    await house.pass_time(600)
    assert (await house.job()).unfetched_at is None
    assert [each["text"] for each in house.statuses()] == [english("being-edited")]


async def test_in_a_group_nobody_is_bothered_and_who_asks_is_told(house: House) -> None:
    here = friends(house)
    house.kie.faults.always("result", WRONG["page"])
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    await house.pass_time(120)
    assert here.texts() == []
    here.ada.send_text("/status@darkroom_bot", chat=here.group)
    await here.hear()
    assert here.words() == [english("made-not-fetched")]
    house.kie.faults.clear()
    await house.pass_time(120)
    assert (len(here.pictures()), here.words()) == (1, [])


# -- given up, and had all the same


async def test_what_is_given_up_is_told_as_made_and_a_button_brings_it(house: House) -> None:
    told = await _given_up(house)
    assert told["text"] == LOST
    assert _labels(told) == ["Fetch it again"]
    job = await house.job()
    assert (job.state, job.task_id, job.result_url) == (State.SUCCEEDED, *_kept(house))
    house.kie.faults.clear()
    assert await _pressed(house, told) == english("toast-picture-fetching")
    await house.pass_time(5)
    [picture] = house.pictures()
    assert _sent(house) == [_result(house)]
    assert picture["reply_to_message"]["message_id"] == job.request.message_id
    assert _labels(picture) == ["Again", "Original file", "Delete"]
    assert house.words() == [], "what said that it did not come goes"
    assert len(house.kie.called("createTask")) == 1


def _kept(house: House) -> tuple[str, str]:
    [task] = house.kie.tasks.values()
    return task.id, task.result_url


async def test_it_is_fetched_once_however_often_it_is_pressed_and_kept_on_with(house: House) -> None:
    told = await _given_up(house)
    presses = [house.ada.press(told["message_id"], "Fetch it again") for _ in range(2)]
    await house.hear()
    answers = [(house.ada.answer_to(press) or {}).get("text") for press in presses]
    assert answers == [english("toast-picture-fetching"), english("toast-picture-coming")]
    await house.pass_time(300)
    assert await _pressed(house, told) == english("toast-picture-coming")
    house.kie.faults.clear()
    await house.pass_time(61)
    assert len(house.pictures()) == 1


async def test_a_press_counts_after_a_restart(house: House) -> None:
    told = await _given_up(house)
    await house.restart()
    await _pressed(house, told)
    await house.restart()
    house.kie.faults.clear()
    await house.pass_time(10)
    assert len(house.pictures()) == 1
    assert (await house.job()).answered_at is not None


async def test_what_is_given_up_once_more_is_told_once_more_with_the_button(house: House) -> None:
    told = await _given_up(house)
    await _pressed(house, told)
    house.clock.now += 3 * DAY
    await house.pass_time(130)
    [before, again] = _told(house)
    assert before["message_id"] == told["message_id"], "Telegram lets no bot delete what is older than two days"
    assert (again["text"], _labels(again)) == (LOST, ["Fetch it again"])
    house.kie.faults.clear()
    assert await _pressed(house, again) == english("toast-picture-fetching")
    await house.pass_time(5)
    assert len(house.pictures()) == 1


async def test_what_kie_did_not_have_for_a_while_can_be_had_later(house: House) -> None:
    house.kie.faults.always("result", GONE)
    await _made(house)
    await house.pass_time(900)
    [told] = _told(house)
    assert told["text"] == LOST
    house.kie.faults.clear()
    await _pressed(house, told)
    await house.pass_time(5)
    assert len(house.pictures()) == 1


async def test_what_kie_no_longer_keeps_is_not_promised(house: House) -> None:
    told = await _given_up(house)
    house.clock.now += RESULTS_KEPT * DAY
    fetched = len(house.kie.called("result"))
    assert await _pressed(house, told) == english("result-gone")
    await house.pass_time(5)
    assert len(house.kie.called("result")) == fetched


async def test_a_bot_that_was_down_for_weeks_does_not_promise_it_either(house: House) -> None:
    house.kie.faults.always("result", GONE)
    await _made(house)
    house.clock.now += 20 * DAY
    for _ in range(12):
        await house.pass_time(61)
    [told] = _told(house)
    assert (told["text"], _labels(told)) == (english("result-gone"), [])


async def test_what_telegram_did_not_take_can_be_sent_later(house: House) -> None:
    house.telegram.faults.always("sendPhoto", too_many(100))
    await _made(house)
    house.clock.now += 3 * DAY
    await house.pass_time(130)
    house.telegram.faults.clear()
    await house.pass_time(130)
    [told] = _told(house)
    assert told["text"] == english("result-not-sent", results=RESULTS_KEPT)
    await _pressed(house, told)
    await house.pass_time(10)
    assert len(house.pictures()) == 1


async def test_an_answer_that_was_never_confirmed_can_be_sent_once_more(house: House) -> None:
    house.telegram.faults.always("sendPhoto", Fault(Kind.CUT_BEFORE))
    house.telegram.faults.always("editMessageMedia", Fault(Kind.CUT_BEFORE))
    await _made(house)
    await house.pass_time(600)
    [told] = _told(house)
    assert told["text"] == english("answer-unconfirmed")
    house.telegram.faults.clear()
    assert await _pressed(house, told) == english("toast-picture-fetching")
    await house.pass_time(10)
    assert len(house.pictures()) == 1


async def test_where_the_bot_may_send_pictures_again_it_is_only_pressed_and_anybody_may(house: House) -> None:
    here = friends(house)
    for method in ("sendPhoto", "sendDocument"):
        house.telegram.faults.always(method, bad_request("not enough rights to send photos to the chat"))
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    assert await here.answered() == []
    [told] = here.texts()
    assert (told["text"], here.signs(asked)) == (english("may-not-send"), ["🤷"])
    house.telegram.faults.clear()
    assert await here.press(here.grace, told["message_id"], "Fetch it again") == english("toast-picture-fetching")
    assert len(await here.answered()) == 1
    assert (here.words(), here.signs(asked)) == ([], ["👌"])
    assert len(house.kie.called("createTask")) == 1


async def test_a_picture_that_came_by_the_button_is_deleted_like_any_other(house: House) -> None:
    told = await _given_up(house)
    house.kie.faults.clear()
    await _pressed(house, told)
    await house.pass_time(5)
    house.clock.now += DAY
    [picture] = house.pictures()
    assert await _pressed(house, picture, "Delete") == english("toast-deleted")
    await house.pass_time(5)
    assert house.pictures() == []
    press = house.ada.press_made_up(told["message_id"], Button("x", Action.FETCH, 1).data)
    await house.hear()
    assert house.ada.answer_to(press) == {"text": english("toast-picture-deleted")}


async def test_a_picture_that_stands_in_the_chat_is_not_fetched_by_a_made_up_press(house: House) -> None:
    await _made(house)
    [picture] = house.pictures()
    house.ada.press_made_up(picture["message_id"], Button("x", Action.FETCH, 1).data)
    await house.hear()
    await house.pass_time(10)
    assert len(house.pictures()) == 1


async def test_one_person_has_no_more_than_a_few_fetched_at_once(house: House) -> None:
    house.kie.faults.always("result", GONE)
    for _ in range(ORIGINALS_AT_ONCE + 1):
        house.ada.send_photo(a_photo(), caption="make it snow")
    await house.receive()
    await house.pass_time(900)
    answers = [await _pressed(house, each) for each in _told(house)]
    assert answers == [english("toast-picture-fetching")] * ORIGINALS_AT_ONCE + [english("toast-picture-later")]


# -- the original file


@pytest.mark.parametrize("answer_as", ["photo", "both"])
async def test_an_original_that_is_given_up_has_a_button_too(house: House, answer_as: str) -> None:
    await house.bot.db.unit(lambda tx: tx.chats.choose(house.ada.id, Preference.ANSWER_AS, answer_as))
    if answer_as == "both":
        house.telegram.faults.add("sendDocument", too_many(100))  # so that it is fetched once more
    await _made(house)
    house.kie.faults.always("result", WRONG["JSON"])
    if answer_as == "photo":
        await _pressed(house, house.pictures()[0], "Original file")
    await house.pass_time(5)
    house.clock.now += 3 * DAY
    await house.pass_time(130)
    [told] = _told(house)
    assert (told["text"], _labels(told)) == (english("original-not-fetched"), ["Original file"])
    house.kie.faults.clear()
    assert await _pressed(house, told, "Original file") == english("toast-fetching")
    await house.pass_time(5)
    assert len(house.pictures()) == 2
    assert _sent(house)[-1] == _result(house)
    assert house.words() == []


# -- a reply to an answer


@pytest.mark.parametrize("name", [*WRONG, "502"])
async def test_a_reply_to_an_answer_is_about_telegrams_copy_where_kies_cannot_be_had(house: House, name: str) -> None:
    await _made(house)
    [picture] = house.pictures()
    house.kie.faults.always("result", WRONG.get(name, HTML_502))
    house.ada.send_text("make it rain", reply_to=picture["message_id"])
    await house.hear()
    await house.pass_time(60)
    [_, second] = house.kie.tasks.values()
    assert second.inputs == [house.telegram.message_photo_bytes(picture)]
    assert house.words() == []


async def test_a_reply_to_an_answer_is_about_kies_copy_where_that_can_be_had_in_a_moment(house: House) -> None:
    await _made(house)
    [picture] = house.pictures()
    [first] = house.kie.tasks.values()
    better = a_photo("red", size=(900, 700))
    first.result = better
    house.kie.faults.add("result", WRONG["page"])
    house.ada.send_text("make it rain", reply_to=picture["message_id"])
    await house.hear()
    await house.pass_time(20)
    [_, second] = house.kie.tasks.values()
    assert second.inputs == [better]


# -- where the address stands


async def test_a_picture_whose_address_stands_elsewhere_comes(house: House) -> None:
    await house.ask(a_photo())
    [task] = house.kie.tasks.values()
    task.outcome = replace(task.outcome, says=json.dumps([{"image_url": f" {task.result_url}"}]) + " // ok")
    await house.pass_time(30)
    assert len(house.pictures()) == 1
    assert _sent(house) == [_result(house)]


async def test_who_has_a_picture_that_is_not_found_is_not_asked_to_order_it_again(house: House) -> None:
    house.kie.script(Outcome(says='{"a new place": "https://results.example/one.png"}'))
    await house.ask(a_photo())
    await house.pass_time(60)
    job = await house.job()
    assert (job.state, job.reason) == (State.FAILED, Reason.BROKE)
    assert house.words() == [english("no-result")]
    [told] = house.words(9009)
    assert job.task_id is not None
    assert job.task_id in told
    assert "jobs 1" in told


async def test_what_kie_said_holds_no_secret_of_the_bot(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:  # which looks for secrets in its database when it is closed
        key = house.bot.settings.kie_api_key.get_secret_value()
        house.kie.script(Outcome(says=json.dumps({"asked by": key})))
        await house.ask(a_photo())
        await house.pass_time(60)
        assert house.words() == [english("no-result")]
