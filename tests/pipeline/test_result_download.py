"""Failed downloads: the result is fetched later; the user gets correct information, and can request it again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.handlers.button_presses import RESEND_BURST
from bot.job import FailureReason, State
from bot.kie.models import RESULT_RETENTION_DAYS
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.tasks import ScriptedOutcome
from bot.sandbox.telegram.errors import bad_request, server_error, too_many_requests
from bot.store.chats import Preference
from bot.telegram.buttons import Button, ButtonAction
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import create_group
from tests.process_harness import make_photo, render_english

DAY = 86_400.0
NOT_FOUND = Fault(FaultKind.RESPOND, status=404, body=b"gone")
RESULT_LOST_TEXT = render_english("result-lost", results=RESULT_RETENTION_DAYS)


def _ok_response(body: bytes, kind: str = "image/png") -> Fault:
    return Fault(FaultKind.RESPOND, status=200, body=body, headers={"Content-Type": kind})


#: Errors of a gateway, a proxy or a file host that come with status 200.
INVALID_RESULTS = {
    "page": _ok_response(b"<html><body>Please wait</body></html>", "text/html"),
    "JSON": _ok_response(b'{"code": 500, "msg": "busy"}', "application/json"),
    "half a PNG": _ok_response(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00"),
    "half a JPEG": _ok_response(make_photo()[:-400], "image/jpeg"),
    "nothing": _ok_response(b""),
    "SVG": _ok_response(b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', "image/svg+xml"),
}


async def _finish_task(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(30)


async def _exhaust_download_retries(house: BotHarness) -> dict[str, Any]:
    """Wait until the download is given up; return the message that says so."""
    house.kie.faults.always("result", INVALID_RESULTS["page"])
    await _finish_task(house)
    house.clock.now += 3 * DAY
    await house.advance_time(130)
    [message] = _texts_to_ada(house)
    return message


def _texts_to_ada(house: BotHarness) -> list[dict[str, Any]]:
    """Return the text messages to Ada without the progress messages."""
    progress = house.progress_messages()
    return [each for each in house.telegram.bot_messages(house.ada.id) if "text" in each and each not in progress]


async def _press_button(house: BotHarness, message: dict[str, Any], label: str = "Fetch it again") -> str | None:
    press = house.ada.press_button(message["message_id"], label)
    await house.process_updates()
    return (house.ada.callback_answer(press) or {}).get("text")


def _button_labels(message: dict[str, Any]) -> list[str]:
    return [each["text"] for row in message.get("reply_markup", {}).get("inline_keyboard", []) for each in row]


def _sent_pictures(house: BotHarness) -> list[bytes]:
    """Return the bytes of the images that Ada was sent."""
    calls = [call for call in house.telegram.calls if call.method in ("sendPhoto", "sendDocument")]
    return [upload.content for call in calls for upload in call.files.values()]


def _result(house: BotHarness) -> bytes:
    [task] = house.kie.tasks.values()
    return task.result


# -- retries


@pytest.mark.parametrize("name", INVALID_RESULTS)
async def test_an_answer_that_is_no_whole_picture_is_as_good_as_a_503(house: BotHarness, name: str) -> None:
    house.kie.faults.add("result", INVALID_RESULTS[name])
    await _finish_task(house)
    await house.advance_time(10)
    assert len(house.pictures()) == 1
    assert _sent_pictures(house) == [_result(house)]
    assert (house.sent_texts(), house.sent_texts(9009)) == ([], [])


@pytest.mark.parametrize("name", INVALID_RESULTS)
async def test_an_original_that_comes_as_something_else_is_fetched_again(house: BotHarness, name: str) -> None:
    await _finish_task(house)
    [image] = house.pictures()
    house.kie.faults.add("result", INVALID_RESULTS[name], times=2)
    assert await _press_button(house, image, "Original file") == render_english("toast-fetching")
    await house.advance_time(20)
    assert len(house.pictures()) == 2
    assert _sent_pictures(house) == [_result(house)] * 2
    assert house.sent_texts() == []


async def test_it_is_tried_for_longer_than_a_passing_trouble_lasts(house: BotHarness) -> None:
    house.kie.faults.always("result", INVALID_RESULTS["page"])
    await _finish_task(house)
    await house.advance_time(3600)
    house.kie.faults.clear()
    await house.advance_time(61)
    assert len(house.pictures()) == 1
    assert house.sent_texts() == []


# -- what the user is notified of


@pytest.mark.parametrize("fault", [INVALID_RESULTS["page"], HTML_502, NOT_FOUND])
async def test_while_a_picture_cannot_be_fetched_its_status_says_so(house: BotHarness, fault: Fault) -> None:
    house.kie.faults.always("result", fault)
    await _finish_task(house)
    await house.advance_time(20)
    assert house.progress_message()["text"] == render_english("being-edited")
    await house.advance_time(70)
    assert house.progress_message()["text"] == render_english("made-not-fetched")
    house.kie.faults.clear()
    await house.advance_time(120)
    assert len(house.pictures()) == 1
    assert (house.progress_messages(), house.sent_texts()) == ([], [])


async def test_that_a_picture_cannot_be_fetched_is_told_after_a_restart_as_well(house: BotHarness) -> None:
    house.kie.faults.always("result", INVALID_RESULTS["page"])
    await _finish_task(house)
    await house.restart()
    await house.advance_time(130)
    assert house.progress_message()["text"] == render_english("made-not-fetched")


async def test_a_trouble_of_telegrams_is_not_taken_for_one_of_kies(house: BotHarness) -> None:
    house.telegram.faults.always("sendPhoto", server_error())
    house.telegram.faults.always("getMe", server_error())
    await _finish_task(house)
    await house.advance_time(600)
    assert (await house.read_job()).download_failing_since is None
    assert [each["text"] for each in house.progress_messages()] == [render_english("being-edited")]


async def test_in_a_group_nobody_is_bothered_and_who_asks_is_told(house: BotHarness) -> None:
    here = create_group(house)
    house.kie.faults.always("result", INVALID_RESULTS["page"])
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    await house.advance_time(120)
    assert here.text_messages() == []
    here.ada.send_text("/status@darkroom_bot", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("made-not-fetched")]
    house.kie.faults.clear()
    await house.advance_time(120)
    assert (len(here.pictures()), here.sent_texts()) == (1, [])


# -- given up, and fetched by a button


async def test_what_is_given_up_is_told_as_made_and_a_button_brings_it(house: BotHarness) -> None:
    notice = await _exhaust_download_retries(house)
    assert notice["text"] == RESULT_LOST_TEXT
    assert _button_labels(notice) == ["Fetch it again"]
    job = await house.read_job()
    assert (job.state, job.task_id, job.result_url) == (State.SUCCEEDED, *_kept_result(house))
    house.kie.faults.clear()
    assert await _press_button(house, notice) == render_english("toast-picture-fetching")
    await house.advance_time(5)
    [image] = house.pictures()
    assert _sent_pictures(house) == [_result(house)]
    assert image["reply_to_message"]["message_id"] == job.request.message_id
    assert _button_labels(image) == ["Again", "Original file", "Delete"]
    assert house.sent_texts() == [], "what said that it did not come goes"
    assert len(house.kie.calls_named("createTask")) == 1


def _kept_result(house: BotHarness) -> tuple[str, str]:
    [task] = house.kie.tasks.values()
    return task.id, task.result_url


async def test_it_is_fetched_once_however_often_it_is_pressed_and_kept_on_with(house: BotHarness) -> None:
    notice = await _exhaust_download_retries(house)
    presses = [house.ada.press_button(notice["message_id"], "Fetch it again") for _ in range(2)]
    await house.process_updates()
    answers = [(house.ada.callback_answer(press) or {}).get("text") for press in presses]
    assert answers == [render_english("toast-picture-fetching"), render_english("toast-picture-coming")]
    await house.advance_time(300)
    assert await _press_button(house, notice) == render_english("toast-picture-coming")
    house.kie.faults.clear()
    await house.advance_time(61)
    assert len(house.pictures()) == 1


async def test_a_press_counts_after_a_restart(house: BotHarness) -> None:
    notice = await _exhaust_download_retries(house)
    await house.restart()
    await _press_button(house, notice)
    await house.restart()
    house.kie.faults.clear()
    await house.advance_time(10)
    assert len(house.pictures()) == 1
    assert (await house.read_job()).answered_at is not None


async def test_what_is_given_up_once_more_is_told_once_more_with_the_button(house: BotHarness) -> None:
    notice = await _exhaust_download_retries(house)
    await _press_button(house, notice)
    house.clock.now += 3 * DAY
    await house.advance_time(130)
    [before, again] = _texts_to_ada(house)
    assert before["message_id"] == notice["message_id"], "Telegram lets no bot delete what is older than two days"
    assert (again["text"], _button_labels(again)) == (RESULT_LOST_TEXT, ["Fetch it again"])
    house.kie.faults.clear()
    assert await _press_button(house, again) == render_english("toast-picture-fetching")
    await house.advance_time(5)
    assert len(house.pictures()) == 1


async def test_what_kie_did_not_have_for_a_while_can_be_had_later(house: BotHarness) -> None:
    house.kie.faults.always("result", NOT_FOUND)
    await _finish_task(house)
    await house.advance_time(900)
    [notice] = _texts_to_ada(house)
    assert notice["text"] == RESULT_LOST_TEXT
    house.kie.faults.clear()
    await _press_button(house, notice)
    await house.advance_time(5)
    assert len(house.pictures()) == 1


async def test_what_kie_no_longer_keeps_is_not_promised(house: BotHarness) -> None:
    notice = await _exhaust_download_retries(house)
    house.clock.now += RESULT_RETENTION_DAYS * DAY
    fetched = len(house.kie.calls_named("result"))
    assert await _press_button(house, notice) == render_english("result-gone")
    await house.advance_time(5)
    assert len(house.kie.calls_named("result")) == fetched


async def test_a_bot_that_was_down_for_weeks_does_not_promise_it_either(house: BotHarness) -> None:
    house.kie.faults.always("result", NOT_FOUND)
    await _finish_task(house)
    house.clock.now += 20 * DAY
    for _ in range(12):
        await house.advance_time(61)
    [notice] = _texts_to_ada(house)
    assert (notice["text"], _button_labels(notice)) == (render_english("result-gone"), [])


async def test_what_telegram_did_not_take_can_be_sent_later(house: BotHarness) -> None:
    house.telegram.faults.always("sendPhoto", too_many_requests(100))
    await _finish_task(house)
    house.clock.now += 3 * DAY
    await house.advance_time(130)
    house.telegram.faults.clear()
    await house.advance_time(130)
    [notice] = _texts_to_ada(house)
    assert notice["text"] == render_english("result-not-sent", results=RESULT_RETENTION_DAYS)
    await _press_button(house, notice)
    await house.advance_time(10)
    assert len(house.pictures()) == 1


async def test_an_answer_that_was_never_confirmed_can_be_sent_once_more(house: BotHarness) -> None:
    house.telegram.faults.always("sendPhoto", Fault(FaultKind.DISCONNECT_BEFORE))
    house.telegram.faults.always("editMessageMedia", Fault(FaultKind.DISCONNECT_BEFORE))
    await _finish_task(house)
    await house.advance_time(600)
    [notice] = _texts_to_ada(house)
    assert notice["text"] == render_english("answer-unconfirmed")
    house.telegram.faults.clear()
    assert await _press_button(house, notice) == render_english("toast-picture-fetching")
    await house.advance_time(10)
    assert len(house.pictures()) == 1


async def test_where_the_bot_may_send_pictures_again_it_is_only_pressed_and_anybody_may(house: BotHarness) -> None:
    here = create_group(house)
    for method in ("sendPhoto", "sendDocument"):
        house.telegram.faults.always(method, bad_request("not enough rights to send photos to the chat"))
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    assert await here.finish_edits() == []
    [notice] = here.text_messages()
    assert (notice["text"], here.bot_reactions(asked)) == (render_english("may-not-send"), ["🤷"])
    house.telegram.faults.clear()
    assert await here.press_button(here.grace, notice["message_id"], "Fetch it again") == render_english(
        "toast-picture-fetching"
    )
    assert len(await here.finish_edits()) == 1
    assert (here.sent_texts(), here.bot_reactions(asked)) == ([], ["👌"])
    assert len(house.kie.calls_named("createTask")) == 1


async def test_a_picture_that_came_by_the_button_is_deleted_like_any_other(house: BotHarness) -> None:
    notice = await _exhaust_download_retries(house)
    house.kie.faults.clear()
    await _press_button(house, notice)
    await house.advance_time(5)
    house.clock.now += DAY
    [image] = house.pictures()
    assert await _press_button(house, image, "Delete") == render_english("toast-deleted")
    await house.advance_time(5)
    assert house.pictures() == []
    press = house.ada.press_with_data(notice["message_id"], Button("x", ButtonAction.FETCH_RESULT, 1).callback_data)
    await house.process_updates()
    assert house.ada.callback_answer(press) == {"text": render_english("toast-picture-deleted")}


async def test_a_picture_that_stands_in_the_chat_is_not_fetched_by_a_made_up_press(house: BotHarness) -> None:
    await _finish_task(house)
    [image] = house.pictures()
    house.ada.press_with_data(image["message_id"], Button("x", ButtonAction.FETCH_RESULT, 1).callback_data)
    await house.process_updates()
    await house.advance_time(10)
    assert len(house.pictures()) == 1


async def test_one_person_has_no_more_than_a_few_fetched_at_once(house: BotHarness) -> None:
    house.kie.faults.always("result", NOT_FOUND)
    for _ in range(RESEND_BURST + 1):
        house.ada.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    await house.advance_time(900)
    answers = [await _press_button(house, each) for each in _texts_to_ada(house)]
    assert answers == [render_english("toast-picture-fetching")] * RESEND_BURST + [
        render_english("toast-picture-later")
    ]


# -- the original file


@pytest.mark.parametrize("answer_as", ["photo", "both"])
async def test_an_original_that_is_given_up_has_a_button_too(house: BotHarness, answer_as: str) -> None:
    await house.bot.db.transact(lambda tx: tx.chats.set_preference(house.ada.id, Preference.ANSWER_AS, answer_as))
    if answer_as == "both":
        house.telegram.faults.add("sendDocument", too_many_requests(100))  # which causes a second download
    await _finish_task(house)
    house.kie.faults.always("result", INVALID_RESULTS["JSON"])
    if answer_as == "photo":
        await _press_button(house, house.pictures()[0], "Original file")
    await house.advance_time(5)
    house.clock.now += 3 * DAY
    await house.advance_time(130)
    [notice] = _texts_to_ada(house)
    assert (notice["text"], _button_labels(notice)) == (render_english("original-not-fetched"), ["Original file"])
    house.kie.faults.clear()
    assert await _press_button(house, notice, "Original file") == render_english("toast-fetching")
    await house.advance_time(5)
    assert len(house.pictures()) == 2
    assert _sent_pictures(house)[-1] == _result(house)
    assert house.sent_texts() == []


# -- a reply to an answer


@pytest.mark.parametrize("name", [*INVALID_RESULTS, "502"])
async def test_a_reply_to_an_answer_is_about_telegrams_copy_where_kies_cannot_be_had(
    house: BotHarness, name: str
) -> None:
    await _finish_task(house)
    [image] = house.pictures()
    house.kie.faults.always("result", INVALID_RESULTS.get(name, HTML_502))
    house.ada.send_text("make it rain", reply_to=image["message_id"])
    await house.process_updates()
    await house.advance_time(60)
    [_, second] = house.kie.tasks.values()
    assert second.inputs == [house.telegram.message_photo_bytes(image)]
    assert house.sent_texts() == []


async def test_a_reply_to_an_answer_is_about_kies_copy_where_that_can_be_had_in_a_moment(house: BotHarness) -> None:
    await _finish_task(house)
    [image] = house.pictures()
    [first] = house.kie.tasks.values()
    better = make_photo("red", size=(900, 700))
    first.result = better
    house.kie.faults.add("result", INVALID_RESULTS["page"])
    house.ada.send_text("make it rain", reply_to=image["message_id"])
    await house.process_updates()
    await house.advance_time(20)
    [_, second] = house.kie.tasks.values()
    assert second.inputs == [better]


# -- records without the usual URL


async def test_a_picture_whose_address_stands_elsewhere_comes(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    [task] = house.kie.tasks.values()
    task.outcome = replace(task.outcome, raw_result_json=json.dumps([{"image_url": f" {task.result_url}"}]) + " // ok")
    await house.advance_time(30)
    assert len(house.pictures()) == 1
    assert _sent_pictures(house) == [_result(house)]


async def test_who_has_a_picture_that_is_not_found_is_not_asked_to_order_it_again(house: BotHarness) -> None:
    house.kie.script_outcomes(ScriptedOutcome(raw_result_json='{"a new place": "https://results.example/one.png"}'))
    await house.request_edit(make_photo())
    await house.advance_time(60)
    job = await house.read_job()
    assert (job.state, job.reason) == (State.FAILED, FailureReason.TASK_FAILED)
    assert house.sent_texts() == [render_english("no-result")]
    [notice] = house.sent_texts(9009)
    assert job.task_id is not None
    assert job.task_id in notice
    assert "jobs 1" in notice


async def test_what_kie_said_holds_no_secret_of_the_bot(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:  # closing it searches the database for secrets
        key = house.bot.settings.kie_api_key.get_secret_value()
        house.kie.script_outcomes(ScriptedOutcome(raw_result_json=json.dumps({"asked by": key})))
        await house.request_edit(make_photo())
        await house.advance_time(60)
        assert house.sent_texts() == [render_english("no-result")]
