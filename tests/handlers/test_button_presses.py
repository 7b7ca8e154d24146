"""The buttons under the bot's messages: each press is answered, and each takes effect once."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.handlers.button_presses import RESEND_BURST, RESEND_INTERVAL
from bot.i18n.prompt_suggestions import PROMPT_SUGGESTIONS
from bot.job import FailureReason, State
from bot.pipeline.work_plan import MAX_DELIVERIES
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import server_error
from bot.store.chats import Preference
from bot.telegram import buttons
from bot.telegram.buttons import Button, ButtonAction, ButtonPress
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)
NOT_FOUND = Fault(FaultKind.RESPOND, status=404, body=b"gone")
DAY = 86_400.0


def _callback_data(message: dict[str, Any], label: str) -> str:
    [button] = [each for row in message["reply_markup"]["inline_keyboard"] for each in row if each["text"] == label]
    return str(button["callback_data"])


async def _answers_to_all_presses(house: BotHarness, *presses: str) -> list[str | None]:
    await house.receive_updates()
    await house.settle()
    answers = [house.ada.callback_answer(press) for press in presses]
    return [None if answer is None else str(answer.get("text", "")) for answer in answers]


async def _callback_answer(house: BotHarness, press: str) -> str | None:
    [reply_text] = await _answers_to_all_presses(house, press)
    return reply_text


async def _press_progress_button(house: BotHarness, label: str) -> str | None:
    return await _callback_answer(house, house.ada.press_button(house.progress_message()["message_id"], label))


async def _request_edit_that_waits(house: BotHarness) -> None:
    """Let Ada request an edit that waits, because Kie takes no orders for five minutes."""
    house.kie.refuse_next_create(433, "cap")
    await house.request_edit(make_photo())


async def _make_order_uncertain(house: BotHarness, doubts: int = 1) -> None:
    house.kie.faults.add("createTask", CUT_AFTER, times=doubts)
    await house.request_edit(make_photo())
    await house.advance_time(5)


async def _finish_edit(house: BotHarness) -> dict[str, Any]:
    await house.request_edit(make_photo())
    await house.advance_time(30)
    [picture] = house.pictures()
    return picture


async def _finish_edit_with_file(house: BotHarness) -> dict[str, Any]:
    await house.request_edit(make_photo())
    await house.advance_time(30)
    picture, _ = house.pictures()
    return picture


async def _finish_many_edits(house: BotHarness, count: int) -> list[dict[str, Any]]:
    house.kie.add_credits(count * 10.0)
    for _ in range(count):
        house.ada.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    await house.advance_time(60 + count)
    assert len(house.pictures()) == count
    return house.pictures()


def _result(house: BotHarness) -> bytes:
    [task] = house.kie.tasks.values()
    return task.result


def _push_press(house: BotHarness, by: dict[str, Any], message: dict[str, Any], data: str) -> str:
    query_id = f"77{len(house.telegram.state.callback_answers)}"
    house.telegram.state.callback_answers[query_id] = None
    query = {"id": query_id, "from": by, "message": message, "chat_instance": "1", "data": data}
    house.telegram.push({"callback_query": query})
    return query_id


# -- callback data


@pytest.mark.parametrize("action", ButtonAction)
def test_what_is_behind_a_button_fits_into_64_bytes_and_is_understood(action: ButtonAction) -> None:
    data = Button("Press", action, 10**18 - 1, 10**18 - 1).callback_data
    assert len(data.encode()) <= 64
    assert buttons.parse_callback_data(data) == ButtonPress(action, 10**18 - 1, 10**18 - 1)


@pytest.mark.parametrize(
    "data",
    [
        *(None, "", "1", "cancel", "1:cancel", "1:cancel:1", "1:cancel:1:0:0", "1:cancel:1:0 ", "1:cancel:1:0\n"),
        *("2:cancel:1:0", "1:buy:1:0", "1:CANCEL:1:0", "1:cancel:-1:0", "1:cancel:٣:0", f"1:cancel:{10**18}:0"),
    ],
)
def test_nothing_else_is_taken_for_a_button_of_ours(data: str | None) -> None:
    assert buttons.parse_callback_data(data) is None


# -- cancel


async def test_cancel_takes_back_an_edit_that_is_held_up(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    assert await _press_progress_button(house, "Cancel") == render_english("toast-cancelled")
    await house.advance_time(400)
    assert (await house.read_job()).state is State.CANCELLED
    assert len(house.kie.calls_named("createTask")) == 1, "the one that was refused"


async def test_cancel_takes_back_an_edit_that_waits_for_its_turn(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        house.telegram.person(user_id=5001).send_photo(make_photo(), caption="make it rain")
        await house.receive_updates()
        await house.settle()
        await house.request_edit(make_photo())
        assert await _press_progress_button(house, "Cancel") == render_english("toast-cancelled")
        await house.advance_time(60)
        assert [task.prompt for task in house.kie.tasks.values()] == ["make it rain"]


async def test_after_a_press_of_cancel_the_status_says_so_and_has_no_buttons(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    await house.advance_time(8)  # nothing else is due
    await _press_progress_button(house, "Cancel")
    assert house.progress_message()["text"] == render_english("cancelled-here")
    assert "reply_markup" not in house.progress_message()
    assert house.sent_texts() == []


async def test_cancel_answers_a_question(house: BotHarness) -> None:
    await house.request_edit(make_photo(), caption="")
    assert await _press_progress_button(house, "Cancel") == render_english("toast-cancelled")
    await house.advance_time(4)
    assert house.progress_message()["text"] == render_english("cancelled-here")
    assert (await house.read_job()).state is State.CANCELLED


async def test_a_second_press_of_cancel_is_answered_and_changes_nothing(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    cancel = _callback_data(house.progress_message(), "Cancel")
    await _press_progress_button(house, "Cancel")
    await house.advance_time(4)
    again = _push_press(house, house.ada.user, house.progress_message(), cancel)
    assert await _callback_answer(house, again) == render_english("toast-settled")
    assert [house.progress_message()["text"], house.sent_texts()] == [render_english("cancelled-here"), []]


async def test_a_cancel_that_came_after_the_order_says_so_and_the_picture_comes(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    assert await _press_progress_button(house, "Cancel") == render_english("toast-too-late")
    await house.advance_time(30)
    assert len(house.pictures()) == 1


async def test_a_press_whose_message_was_deleted_is_answered(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    status = house.progress_message()
    house.ada.delete(status["message_id"])
    pressed = house.ada.press_button(status["message_id"], _callback_data(status, "Cancel"))
    assert await _callback_answer(house, pressed) == render_english("toast-cancelled")
    assert (await house.read_job()).state is State.CANCELLED


async def test_a_press_that_is_delivered_twice_is_answered_once(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    await _press_progress_button(house, "Cancel")
    house.telegram.redeliver(house.bot.long_poller._offset - 1)
    await house.receive_updates()
    await house.settle()
    assert sum(call.method == "answerCallbackQuery" for call in house.telegram.calls) == 1


# -- the original file


async def test_the_original_comes_byte_for_byte_in_reply_to_the_answer(house: BotHarness) -> None:
    picture = await _finish_edit(house)
    assert await _callback_answer(
        house, house.ada.press_button(picture["message_id"], "Original file")
    ) == render_english("toast-fetching")
    original = house.pictures()[1]
    assert house.telegram.message_photo_bytes(original) == _result(house)
    assert "document" in original
    assert original["reply_to_message"]["message_id"] == picture["message_id"]


async def test_the_original_comes_after_a_restart(house: BotHarness) -> None:
    picture = await _finish_edit(house)
    house.ada.press_button(picture["message_id"], "Original file")
    await house.receive_updates()
    await house.bot.worker.recover()
    await house.settle()
    assert house.telegram.message_photo_bytes(house.pictures()[1]) == _result(house)


async def test_the_original_is_on_its_way_once_however_often_it_is_asked_for(house: BotHarness) -> None:
    picture = await _finish_edit(house)
    presses = [house.ada.press_button(picture["message_id"], "Original file") for _ in range(3)]
    reply_text = await _answers_to_all_presses(house, *presses)
    assert reply_text == [
        render_english("toast-fetching"),
        render_english("toast-coming"),
        render_english("toast-coming"),
    ]
    assert len(house.pictures()) == 2


async def test_the_original_can_be_had_again_later(house: BotHarness) -> None:
    picture = await _finish_edit(house)
    for _ in range(2):
        assert await _callback_answer(
            house, house.ada.press_button(picture["message_id"], "Original file")
        ) == render_english("toast-fetching")
        await house.advance_time(3600)
    assert len(house.pictures()) == 3


async def test_an_original_that_stands_in_the_chat_is_pointed_at(house: BotHarness) -> None:
    picture = await _finish_edit(house)
    reply_text = []
    for _ in range(3):
        reply_text.append(await _callback_answer(house, house.ada.press_button(picture["message_id"], "Original file")))
        await house.advance_time(600)
    assert reply_text == [
        render_english("toast-fetching"),
        render_english("toast-original-there"),
        render_english("toast-original-there"),
    ]
    assert len(house.kie.calls_named("result")) == 2, "for the answer and for the file"


async def test_a_file_that_came_with_the_answer_is_not_sent_once_more(house: BotHarness) -> None:
    await house.bot.db.transact(lambda tx: tx.chats.set_preference(house.ada.id, Preference.ANSWER_AS, "both"))
    picture = await _finish_edit_with_file(house)
    press = house.ada.press_with_data(picture["message_id"], Button("x", ButtonAction.SEND_ORIGINAL, 1).callback_data)
    assert await _callback_answer(house, press) == render_english("toast-original-there")
    assert len(house.pictures()) == 2


async def test_one_person_is_sent_no_more_than_a_few_originals_at_once(house: BotHarness) -> None:
    pictures = await _finish_many_edits(house, 12)
    before, reply_text = len(house.kie.calls_named("result")), Counter[str | None]()
    for picture in pictures:  # one a second
        reply_text[await _callback_answer(house, house.ada.press_button(picture["message_id"], "Original file"))] += 1
        await house.advance_time(1)
    await house.advance_time(60)
    assert len(house.kie.calls_named("result")) - before == RESEND_BURST
    assert reply_text == {render_english("toast-fetching"): RESEND_BURST, render_english("toast-original-later"): 9}
    assert RESEND_BURST < MAX_DELIVERIES, "so others are sent something meanwhile"


async def test_who_waits_a_minute_has_another_original(house: BotHarness) -> None:
    reply_text = []
    for picture in await _finish_many_edits(house, 5):
        reply_text.append(await _callback_answer(house, house.ada.press_button(picture["message_id"], "Original file")))
        await house.advance_time(0 if len(reply_text) < RESEND_BURST + 1 else RESEND_INTERVAL)
    again = await _callback_answer(house, house.ada.press_button(house.pictures()[3]["message_id"], "Original file"))
    assert reply_text[3:] == [render_english("toast-original-later"), render_english("toast-fetching")]
    assert again == render_english("toast-fetching")


async def test_for_an_admin_there_is_no_limit_of_originals_either(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({1001})) as house:
        presses = [
            house.ada.press_button(each["message_id"], "Original file") for each in await _finish_many_edits(house, 5)
        ]
        assert await _answers_to_all_presses(house, *presses) == [render_english("toast-fetching")] * 5


async def test_that_kie_no_longer_has_the_original_is_told_at_once_and_to_nobody_else(house: BotHarness) -> None:
    picture = await _finish_edit(house)
    house.kie.faults.always("result", NOT_FOUND)
    await _callback_answer(house, house.ada.press_button(picture["message_id"], "Original file"))
    await house.advance_time(5)
    assert house.sent_texts() == [render_english("original-gone")]
    assert house.sent_texts(9009) == []


async def test_an_original_that_could_not_be_had_can_be_asked_for_again(house: BotHarness) -> None:
    picture = await _finish_edit(house)
    house.kie.faults.add("result", NOT_FOUND)
    await _callback_answer(house, house.ada.press_button(picture["message_id"], "Original file"))
    await house.advance_time(5)
    assert await _callback_answer(
        house, house.ada.press_button(picture["message_id"], "Original file")
    ) == render_english("toast-fetching")
    await house.advance_time(5)
    assert len(house.pictures()) == 2


async def test_an_original_whose_address_was_erased_is_told_to_be_gone(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, keep_days=1) as house:
        picture = await _finish_edit(house)
        house.clock.now += 2 * DAY
        await house.bot.db.transact(house.bot.retention.erase_batch)
        assert await _callback_answer(
            house, house.ada.press_button(picture["message_id"], "Original file")
        ) == render_english("original-gone")
        assert house.sent_texts() == []


async def test_an_original_that_is_on_its_way_is_sent_before_its_address_is_erased(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, keep_days=1) as house:
        picture = await _finish_edit(house)
        house.ada.press_button(picture["message_id"], "Original file")
        await house.receive_updates()
        house.clock.now += 2 * DAY
        await house.bot.db.transact(house.bot.retention.erase_batch)
        await house.settle()
        assert len(house.pictures()) == 2
        await house.bot.db.transact(house.bot.retention.erase_batch)
        assert (await house.read_job()).result_url is None


# -- uncertain orders


async def test_a_doubt_is_asked_about_by_a_fresh_message_with_two_buttons(house: BotHarness) -> None:
    house.kie.refuse_next_create(408, "not now")
    await house.request_edit(make_photo())
    before = house.progress_message()["message_id"]
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.advance_time(10)
    question = house.progress_message()
    assert question["message_id"] > before
    assert question["text"] == render_english("doubt")
    assert [each["text"] for each in question["reply_markup"]["inline_keyboard"][0]] == ["Try again", "Leave it"]


async def test_try_again_orders_exactly_once_more_however_often_it_is_pressed(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    presses = [house.ada.press_button(house.progress_message()["message_id"], "Try again") for _ in range(2)]
    reply_text = await _answers_to_all_presses(house, *presses)
    await house.advance_time(60)
    assert reply_text == [render_english("toast-again"), render_english("toast-settled")]
    assert len(house.kie.calls_named("createTask")) == 2
    assert len(house.pictures()) == 1


async def test_after_try_again_the_question_tells_how_it_stands_and_goes_with_the_picture(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    question = house.progress_message()["message_id"]
    await _press_progress_button(house, "Try again")
    await house.advance_time(8)
    assert (house.progress_message()["message_id"], house.progress_message()["text"]) == (
        question,
        render_english("being-edited"),
    )
    await house.advance_time(30)
    assert house.progress_messages() == []


async def test_after_try_again_the_question_is_answered_even_while_nothing_can_be_ordered(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    question = house.progress_message()["message_id"]
    house.kie.refuse_next_create(433, "cap")
    house.telegram.person(user_id=5001).send_photo(make_photo(), caption="make it rain")
    await house.receive_updates()
    await house.settle()
    await _press_progress_button(house, "Try again")
    assert (house.progress_message()["message_id"], house.progress_message()["text"]) == (
        question,
        render_english("got-it"),
    )


async def test_who_tries_again_after_a_while_is_not_told_that_the_picture_still_waits(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    await house.advance_time(1800)
    await _press_progress_button(house, "Try again")
    await house.advance_time(8)
    reply_text = [call.params["text"] for call in house.telegram.calls if call.method == "editMessageText"]
    assert render_english("waiting") not in reply_text


async def test_leave_it_ends_the_edit_and_nothing_is_ever_ordered_again(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    assert await _press_progress_button(house, "Leave it") == render_english("toast-left")
    await house.advance_time(2 * DAY)
    job = await house.read_job()
    assert (job.state, job.reason) == (State.FAILED, FailureReason.ORDER_UNCERTAIN)
    assert len(house.kie.calls_named("createTask")) == 1


async def test_after_leave_it_the_message_says_so_without_buttons(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    await _press_progress_button(house, "Leave it")
    await house.advance_time(4)
    assert house.progress_message()["text"] == render_english("doubt-left")
    assert "reply_markup" not in house.progress_message()
    assert house.sent_texts() == []


async def test_who_decided_cannot_decide_otherwise(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    presses = [
        house.ada.press_button(house.progress_message()["message_id"], label) for label in ("Leave it", "Try again")
    ]
    assert await _answers_to_all_presses(house, *presses) == [
        render_english("toast-left"),
        render_english("toast-settled"),
    ]
    await house.advance_time(60)
    assert len(house.kie.calls_named("createTask")) == 1


@pytest.mark.parametrize("label", ["Try again", "Leave it"])
async def test_the_buttons_of_an_old_question_do_nothing_after_a_second_doubt(house: BotHarness, label: str) -> None:
    await _make_order_uncertain(house, doubts=2)
    old = house.progress_message()
    await _press_progress_button(house, "Try again")
    await house.advance_time(30)
    assert await _callback_answer(
        house, house.ada.press_button(old["message_id"], _callback_data(old, label))
    ) == render_english("toast-settled")
    await house.advance_time(30)
    assert len(house.kie.calls_named("createTask")) == 2
    assert house.progress_message()["text"] == render_english("doubt")


async def test_a_decision_counts_after_a_restart(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    await house.bot.worker.recover()
    assert await _press_progress_button(house, "Try again") == render_english("toast-again")
    await house.bot.worker.recover()
    await house.advance_time(60)
    assert len(house.kie.calls_named("createTask")) == 2


async def test_a_cancel_after_a_doubt_does_not_claim_that_nothing_was_ordered(house: BotHarness) -> None:
    await _make_order_uncertain(house)
    house.kie.refuse_next_create(433, "cap")
    await _press_progress_button(house, "Try again")
    await house.advance_time(8)
    await _press_progress_button(house, "Cancel")
    await house.advance_time(8)
    assert (await house.read_job()).state is State.CANCELLED
    assert "Nothing was ordered" not in house.progress_message()["text"]


# -- presses without effect


async def test_somebody_else_decides_nothing_and_is_told_politely(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    eve = house.telegram.person(user_id=666, first_name="Eve")
    pressed = _push_press(house, eve.user, house.progress_message(), _callback_data(house.progress_message(), "Cancel"))
    assert await _callback_answer(house, pressed) == render_english("toast-not-yours")
    assert (await house.read_job()).state is State.QUEUED


@pytest.mark.parametrize("data", ["1:cancel:99:0", "1:buy:1:0", "cancel", "1:cancel:1", "🦄", "x" * 64])
async def test_a_press_that_means_nothing_is_answered_and_nothing_happens(house: BotHarness, data: str) -> None:
    await _request_edit_that_waits(house)
    assert await _callback_answer(
        house, _push_press(house, house.ada.user, house.progress_message(), data)
    ) == render_english("toast-old")
    assert (await house.read_job()).state is State.QUEUED


async def test_a_press_about_an_edit_of_another_chat_is_answered_and_nothing_happens(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    eve = house.telegram.person(user_id=666, first_name="Eve")
    eve.send_photo(make_photo(), caption="make it rain")
    await house.receive_updates()
    await house.settle()
    pressed = _push_press(
        house, eve.user, house.progress_message(eve.id), _callback_data(house.progress_message(), "Cancel")
    )
    assert await _callback_answer(house, pressed) == render_english("toast-old")
    assert [(await house.read_job(job_id)).state for job_id in (1, 2)] == [State.QUEUED, State.QUEUED]


async def test_a_stranger_who_presses_is_told(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, allowed_ids=frozenset({1001})) as house:
        await _request_edit_that_waits(house)
        eve = house.telegram.person(user_id=666, first_name="Eve")
        message = house.progress_message() | {"chat": {"id": 666, "first_name": "Eve", "type": "private"}}
        pressed = _push_press(house, eve.user, message, _callback_data(house.progress_message(), "Cancel"))
        assert await _callback_answer(house, pressed) == render_english("stranger", id="666")
        assert (await house.read_job()).state is State.QUEUED


# -- callback answers


async def test_an_answer_that_telegram_refuses_as_too_late_blocks_nothing(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    pressed = house.ada.press_button(house.progress_message()["message_id"], "Cancel")
    del house.telegram.state.callback_answers[pressed]
    house.ada.send_text("/help")
    await house.receive_updates()
    await house.settle()
    await house.advance_time(60)
    assert house.sent_texts() == [render_english("help")]
    assert (await house.read_job()).state is State.CANCELLED
    assert sum(call.method == "answerCallbackQuery" for call in house.telegram.calls) == 1


async def test_an_answer_to_a_press_that_did_not_get_through_is_not_tried_again(house: BotHarness) -> None:
    await _request_edit_that_waits(house)
    house.telegram.faults.add("answerCallbackQuery", server_error())
    assert await _press_progress_button(house, "Cancel") is None
    await house.advance_time(60)
    assert sum(call.method == "answerCallbackQuery" for call in house.telegram.calls) == 1
    assert (await house.read_job()).state is State.CANCELLED


async def test_a_press_is_answered_while_a_picture_is_being_sent_to_the_same_chat(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    house.kie.refuse_next_create(433, "cap")
    await house.request_edit(make_photo("red"))
    house.kie.faults.always("result", Fault(FaultKind.HANG))
    await house.kie.wait_for(lambda: all(task.prepared_at for task in house.kie.tasks.values()))
    house.clock.now += 25
    async with asyncio.TaskGroup() as tasks:
        while not house.kie.calls_named("result"):
            await house.bot.worker.start_due(tasks)
            await asyncio.sleep(0)
        pressed = house.ada.press_button(house.progress_messages()[1]["message_id"], "Cancel")
        await house.receive_updates()
        await house.bot.worker.start_due(tasks)
        reply_text = await house.telegram.wait_for(lambda _: house.ada.callback_answer(pressed), 5)
        await house.kie.stop()
    assert reply_text["text"] == render_english("toast-cancelled")


async def test_a_picture_without_words_is_offered_ideas_and_a_press_of_one_orders_it(house: BotHarness) -> None:
    await house.request_edit(make_photo(), "")
    ideas = [button["text"] for row in house.progress_message()["reply_markup"]["inline_keyboard"] for button in row]
    assert ideas == [*(render_english(f"idea-{idea.name}") for idea in PROMPT_SUGGESTIONS.values()), "Cancel"]
    assert await _press_progress_button(house, render_english("idea-figure")) == render_english("toast-idea")
    assert [task.prompt for task in house.kie.tasks.values()] == [PROMPT_SUGGESTIONS[1].prompt]


async def test_two_ideas_for_one_picture_are_one_order(house: BotHarness) -> None:
    await house.request_edit(make_photo(), "")
    question = house.progress_message()["message_id"]
    presses = [house.ada.press_button(question, render_english(f"idea-{name}")) for name in ("snow", "night")]
    assert await _answers_to_all_presses(house, *presses) == [
        render_english("toast-idea"),
        render_english("toast-settled"),
    ]
    assert [task.prompt for task in house.kie.tasks.values()] == [PROMPT_SUGGESTIONS[2].prompt]


async def test_several_pictures_are_offered_no_ideas_that_suit_one(house: BotHarness) -> None:
    house.ada.send_album([make_photo(), make_photo("red")])
    await house.receive_updates()
    await house.advance_time(5)
    [[button]] = house.progress_message()["reply_markup"]["inline_keyboard"]
    assert button["text"] == "Cancel"
