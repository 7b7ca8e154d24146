"""The buttons under our messages: each press is answered, and each decides once."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.chat import buttons
from bot.chat.buttons import Action, Button, Pressed
from bot.job import Reason, State
from bot.jobs.plan import MOST_DELIVERED
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram.refusals import server_error
from bot.store.chats import Preference
from bot.talk.presses import ORIGINAL_EVERY, ORIGINALS_AT_ONCE
from bot.texts.ideas import IDEAS
from tests.house import House, a_house
from tests.world import a_photo, english

CUT_AFTER = Fault(Kind.CUT_AFTER)
GONE = Fault(Kind.ANSWER, status=404, body=b"gone")
DAY = 86_400.0


def _data(message: dict[str, Any], label: str) -> str:
    """Return what stands behind a button."""
    [button] = [each for row in message["reply_markup"]["inline_keyboard"] for each in row if each["text"] == label]
    return str(button["callback_data"])


async def _all_told(house: House, *presses: str) -> list[str | None]:
    """Let presses in and return what answered each, None if nothing did."""
    await house.receive()
    await house.settle()
    answers = [house.ada.answer_to(press) for press in presses]
    return [None if answer is None else str(answer.get("text", "")) for answer in answers]


async def _told(house: House, press: str) -> str | None:
    [told] = await _all_told(house, press)
    return told


async def _press(house: House, label: str) -> str | None:
    """Let Ada press a button of her status, and return what answered it."""
    return await _told(house, house.ada.press(house.status()["message_id"], label))


async def _held(house: House) -> None:
    """Let Ada ask for an edit that waits, because Kie takes no orders for five minutes."""
    house.kie.refuse(433, "cap")
    await house.ask(a_photo())


async def _in_doubt(house: House, doubts: int = 1) -> None:
    """Let Ada ask for an edit whose order nobody can tell the fate of."""
    house.kie.faults.add("createTask", CUT_AFTER, times=doubts)
    await house.ask(a_photo())
    await house.pass_time(5)


async def _answered(house: House) -> dict[str, Any]:
    """Let Ada have her picture, and return the message with it."""
    await house.ask(a_photo())
    await house.pass_time(30)
    [picture] = house.pictures()
    return picture


async def _answered_with_file(house: House) -> dict[str, Any]:
    """Let Ada have her picture and then its file, and return the message with the picture."""
    await house.ask(a_photo())
    await house.pass_time(30)
    picture, _ = house.pictures()
    return picture


async def _many_answers(house: House, count: int) -> list[dict[str, Any]]:
    """Let Ada have so many pictures, and return the messages with them."""
    house.kie.pay_in(count * 10.0)
    for _ in range(count):
        house.ada.send_photo(a_photo(), caption="make it snow")
    await house.receive()
    await house.pass_time(60 + count)
    assert len(house.pictures()) == count
    return house.pictures()


def _result(house: House) -> bytes:
    [task] = house.kie.tasks.values()
    return task.result


def _push_press(house: House, by: dict[str, Any], message: dict[str, Any], data: str) -> str:
    """Let somebody press a button in Ada's chat; return the id of the press."""
    query_id = f"77{len(house.telegram.cloud.presses)}"
    house.telegram.cloud.presses[query_id] = None
    query = {"id": query_id, "from": by, "message": message, "chat_instance": "1", "data": data}
    house.telegram.push({"callback_query": query})
    return query_id


# -- what is behind them


@pytest.mark.parametrize("action", Action)
def test_what_is_behind_a_button_fits_into_64_bytes_and_is_understood(action: Action) -> None:
    data = Button("Press", action, 10**18 - 1, 10**18 - 1).data
    assert len(data.encode()) <= 64
    assert buttons.read(data) == Pressed(action, 10**18 - 1, 10**18 - 1)


@pytest.mark.parametrize(
    "data",
    [
        *(None, "", "1", "cancel", "1:cancel", "1:cancel:1", "1:cancel:1:0:0", "1:cancel:1:0 ", "1:cancel:1:0\n"),
        *("2:cancel:1:0", "1:buy:1:0", "1:CANCEL:1:0", "1:cancel:-1:0", "1:cancel:٣:0", f"1:cancel:{10**18}:0"),
    ],
)
def test_nothing_else_is_taken_for_a_button_of_ours(data: str | None) -> None:
    assert buttons.read(data) is None


# -- cancel


async def test_cancel_takes_back_an_edit_that_is_held_up(house: House) -> None:
    await _held(house)
    assert await _press(house, "Cancel") == english("toast-cancelled")
    await house.pass_time(400)
    assert (await house.job()).state is State.CANCELLED
    assert len(house.kie.called("createTask")) == 1, "the one that was refused"


async def test_cancel_takes_back_an_edit_that_waits_for_its_turn(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        house.telegram.person(user_id=5001).send_photo(a_photo(), caption="make it rain")
        await house.receive()
        await house.settle()
        await house.ask(a_photo())
        assert await _press(house, "Cancel") == english("toast-cancelled")
        await house.pass_time(60)
        assert [task.prompt for task in house.kie.tasks.values()] == ["make it rain"]


async def test_after_a_press_of_cancel_the_status_says_so_and_has_no_buttons(house: House) -> None:
    await _held(house)
    await house.pass_time(8)  # nothing else is due
    await _press(house, "Cancel")
    assert house.status()["text"] == english("cancelled-here")
    assert "reply_markup" not in house.status()
    assert house.words() == []


async def test_cancel_answers_a_question(house: House) -> None:
    await house.ask(a_photo(), caption="")
    assert await _press(house, "Cancel") == english("toast-cancelled")
    await house.pass_time(4)
    assert house.status()["text"] == english("cancelled-here")
    assert (await house.job()).state is State.CANCELLED


async def test_a_second_press_of_cancel_is_answered_and_changes_nothing(house: House) -> None:
    await _held(house)
    cancel = _data(house.status(), "Cancel")
    await _press(house, "Cancel")
    await house.pass_time(4)
    again = _push_press(house, house.ada.user, house.status(), cancel)
    assert await _told(house, again) == english("toast-settled")
    assert [house.status()["text"], house.words()] == [english("cancelled-here"), []]


async def test_a_cancel_that_came_after_the_order_says_so_and_the_picture_comes(house: House) -> None:
    await house.ask(a_photo())
    assert await _press(house, "Cancel") == english("toast-too-late")
    await house.pass_time(30)
    assert len(house.pictures()) == 1


async def test_a_press_whose_message_was_deleted_is_answered(house: House) -> None:
    await _held(house)
    status = house.status()
    house.ada.delete(status["message_id"])
    pressed = house.ada.press(status["message_id"], _data(status, "Cancel"))
    assert await _told(house, pressed) == english("toast-cancelled")
    assert (await house.job()).state is State.CANCELLED


async def test_a_press_that_is_delivered_twice_is_answered_once(house: House) -> None:
    await _held(house)
    await _press(house, "Cancel")
    house.telegram.redeliver(house.bot.poll._offset - 1)
    await house.receive()
    await house.settle()
    assert sum(call.method == "answerCallbackQuery" for call in house.telegram.calls) == 1


# -- the original file


async def test_the_original_comes_byte_for_byte_in_reply_to_the_answer(house: House) -> None:
    picture = await _answered(house)
    assert await _told(house, house.ada.press(picture["message_id"], "Original file")) == english("toast-fetching")
    original = house.pictures()[1]
    assert house.telegram.message_photo_bytes(original) == _result(house)
    assert "document" in original
    assert original["reply_to_message"]["message_id"] == picture["message_id"]


async def test_the_original_comes_after_a_restart(house: House) -> None:
    picture = await _answered(house)
    house.ada.press(picture["message_id"], "Original file")
    await house.receive()
    await house.bot.worker.recover()
    await house.settle()
    assert house.telegram.message_photo_bytes(house.pictures()[1]) == _result(house)


async def test_the_original_is_on_its_way_once_however_often_it_is_asked_for(house: House) -> None:
    picture = await _answered(house)
    presses = [house.ada.press(picture["message_id"], "Original file") for _ in range(3)]
    told = await _all_told(house, *presses)
    assert told == [english("toast-fetching"), english("toast-coming"), english("toast-coming")]
    assert len(house.pictures()) == 2


async def test_the_original_can_be_had_again_later(house: House) -> None:
    picture = await _answered(house)
    for _ in range(2):
        assert await _told(house, house.ada.press(picture["message_id"], "Original file")) == english("toast-fetching")
        await house.pass_time(3600)
    assert len(house.pictures()) == 3


async def test_an_original_that_stands_in_the_chat_is_pointed_at(house: House) -> None:
    picture = await _answered(house)
    told = []
    for _ in range(3):
        told.append(await _told(house, house.ada.press(picture["message_id"], "Original file")))
        await house.pass_time(600)
    assert told == [english("toast-fetching"), english("toast-original-there"), english("toast-original-there")]
    assert len(house.kie.called("result")) == 2, "for the answer and for the file"


async def test_a_file_that_came_with_the_answer_is_not_sent_once_more(house: House) -> None:
    await house.bot.db.unit(lambda tx: tx.chats.choose(house.ada.id, Preference.ANSWER_AS, "both"))
    picture = await _answered_with_file(house)
    press = house.ada.press_made_up(picture["message_id"], Button("x", Action.ORIGINAL, 1).data)
    assert await _told(house, press) == english("toast-original-there")
    assert len(house.pictures()) == 2


async def test_one_person_is_sent_no_more_than_a_few_originals_at_once(house: House) -> None:
    pictures = await _many_answers(house, 12)
    before, told = len(house.kie.called("result")), Counter[str | None]()
    for picture in pictures:  # one a second
        told[await _told(house, house.ada.press(picture["message_id"], "Original file"))] += 1
        await house.pass_time(1)
    await house.pass_time(60)
    assert len(house.kie.called("result")) - before == ORIGINALS_AT_ONCE
    assert told == {english("toast-fetching"): ORIGINALS_AT_ONCE, english("toast-original-later"): 9}
    assert ORIGINALS_AT_ONCE < MOST_DELIVERED, "so others are sent something meanwhile"


async def test_who_waits_a_minute_has_another_original(house: House) -> None:
    told = []
    for picture in await _many_answers(house, 5):
        told.append(await _told(house, house.ada.press(picture["message_id"], "Original file")))
        await house.pass_time(0 if len(told) < ORIGINALS_AT_ONCE + 1 else ORIGINAL_EVERY)
    again = await _told(house, house.ada.press(house.pictures()[3]["message_id"], "Original file"))
    assert told[3:] == [english("toast-original-later"), english("toast-fetching")]
    assert again == english("toast-fetching")


async def test_for_an_admin_there_is_no_limit_of_originals_either(tmp_path: Path) -> None:
    async with a_house(tmp_path, admin_ids=frozenset({1001})) as house:
        presses = [house.ada.press(each["message_id"], "Original file") for each in await _many_answers(house, 5)]
        assert await _all_told(house, *presses) == [english("toast-fetching")] * 5


async def test_that_kie_no_longer_has_the_original_is_told_at_once_and_to_nobody_else(house: House) -> None:
    picture = await _answered(house)
    house.kie.faults.always("result", GONE)
    await _told(house, house.ada.press(picture["message_id"], "Original file"))
    await house.pass_time(5)
    assert house.words() == [english("original-gone")]
    assert house.words(9009) == []


async def test_an_original_that_could_not_be_had_can_be_asked_for_again(house: House) -> None:
    picture = await _answered(house)
    house.kie.faults.add("result", GONE)
    await _told(house, house.ada.press(picture["message_id"], "Original file"))
    await house.pass_time(5)
    assert await _told(house, house.ada.press(picture["message_id"], "Original file")) == english("toast-fetching")
    await house.pass_time(5)
    assert len(house.pictures()) == 2


async def test_an_original_whose_address_was_erased_is_told_to_be_gone(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=1) as house:
        picture = await _answered(house)
        house.clock.now += 2 * DAY
        await house.bot.db.unit(house.bot.retention.erase)
        assert await _told(house, house.ada.press(picture["message_id"], "Original file")) == english("original-gone")
        assert house.words() == []


async def test_an_original_that_is_on_its_way_is_sent_before_its_address_is_erased(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=1) as house:
        picture = await _answered(house)
        house.ada.press(picture["message_id"], "Original file")
        await house.receive()
        house.clock.now += 2 * DAY
        await house.bot.db.unit(house.bot.retention.erase)
        await house.settle()
        assert len(house.pictures()) == 2
        await house.bot.db.unit(house.bot.retention.erase)
        assert (await house.job()).result_url is None


# -- an order in doubt


async def test_a_doubt_is_asked_about_by_a_fresh_message_with_two_buttons(house: House) -> None:
    house.kie.refuse(408, "not now")
    await house.ask(a_photo())
    before = house.status()["message_id"]
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.pass_time(10)
    question = house.status()
    assert question["message_id"] > before
    assert question["text"] == english("doubt")
    assert [each["text"] for each in question["reply_markup"]["inline_keyboard"][0]] == ["Try again", "Leave it"]


async def test_try_again_orders_exactly_once_more_however_often_it_is_pressed(house: House) -> None:
    await _in_doubt(house)
    presses = [house.ada.press(house.status()["message_id"], "Try again") for _ in range(2)]
    told = await _all_told(house, *presses)
    await house.pass_time(60)
    assert told == [english("toast-again"), english("toast-settled")]
    assert len(house.kie.called("createTask")) == 2
    assert len(house.pictures()) == 1


async def test_after_try_again_the_question_tells_how_it_stands_and_goes_with_the_picture(house: House) -> None:
    await _in_doubt(house)
    question = house.status()["message_id"]
    await _press(house, "Try again")
    await house.pass_time(8)
    assert (house.status()["message_id"], house.status()["text"]) == (question, english("being-edited"))
    await house.pass_time(30)
    assert house.statuses() == []


async def test_after_try_again_the_question_is_answered_even_while_nothing_can_be_ordered(house: House) -> None:
    await _in_doubt(house)
    question = house.status()["message_id"]
    house.kie.refuse(433, "cap")
    house.telegram.person(user_id=5001).send_photo(a_photo(), caption="make it rain")
    await house.receive()
    await house.settle()
    await _press(house, "Try again")
    assert (house.status()["message_id"], house.status()["text"]) == (question, english("got-it"))


async def test_who_tries_again_after_a_while_is_not_told_that_the_picture_still_waits(house: House) -> None:
    await _in_doubt(house)
    await house.pass_time(1800)
    await _press(house, "Try again")
    await house.pass_time(8)
    told = [call.params["text"] for call in house.telegram.calls if call.method == "editMessageText"]
    assert english("waiting") not in told


async def test_leave_it_ends_the_edit_and_nothing_is_ever_ordered_again(house: House) -> None:
    await _in_doubt(house)
    assert await _press(house, "Leave it") == english("toast-left")
    await house.pass_time(2 * DAY)
    job = await house.job()
    assert (job.state, job.reason) == (State.FAILED, Reason.DOUBT)
    assert len(house.kie.called("createTask")) == 1


async def test_after_leave_it_the_message_says_so_without_buttons(house: House) -> None:
    await _in_doubt(house)
    await _press(house, "Leave it")
    await house.pass_time(4)
    assert house.status()["text"] == english("doubt-left")
    assert "reply_markup" not in house.status()
    assert house.words() == []


async def test_who_decided_cannot_decide_otherwise(house: House) -> None:
    await _in_doubt(house)
    presses = [house.ada.press(house.status()["message_id"], label) for label in ("Leave it", "Try again")]
    assert await _all_told(house, *presses) == [english("toast-left"), english("toast-settled")]
    await house.pass_time(60)
    assert len(house.kie.called("createTask")) == 1


@pytest.mark.parametrize("label", ["Try again", "Leave it"])
async def test_the_buttons_of_an_old_question_do_nothing_after_a_second_doubt(house: House, label: str) -> None:
    await _in_doubt(house, doubts=2)
    old = house.status()
    await _press(house, "Try again")
    await house.pass_time(30)
    assert await _told(house, house.ada.press(old["message_id"], _data(old, label))) == english("toast-settled")
    await house.pass_time(30)
    assert len(house.kie.called("createTask")) == 2
    assert house.status()["text"] == english("doubt")


async def test_a_decision_counts_after_a_restart(house: House) -> None:
    await _in_doubt(house)
    await house.bot.worker.recover()
    assert await _press(house, "Try again") == english("toast-again")
    await house.bot.worker.recover()
    await house.pass_time(60)
    assert len(house.kie.called("createTask")) == 2


async def test_a_cancel_after_a_doubt_does_not_claim_that_nothing_was_ordered(house: House) -> None:
    await _in_doubt(house)
    house.kie.refuse(433, "cap")
    await _press(house, "Try again")
    await house.pass_time(8)
    await _press(house, "Cancel")
    await house.pass_time(8)
    assert (await house.job()).state is State.CANCELLED
    assert "Nothing was ordered" not in house.status()["text"]


# -- presses that are not to be obeyed


async def test_somebody_else_decides_nothing_and_is_told_politely(house: House) -> None:
    await _held(house)
    eve = house.telegram.person(user_id=666, first_name="Eve")
    pressed = _push_press(house, eve.user, house.status(), _data(house.status(), "Cancel"))
    assert await _told(house, pressed) == english("toast-not-yours")
    assert (await house.job()).state is State.QUEUED


@pytest.mark.parametrize("data", ["1:cancel:99:0", "1:buy:1:0", "cancel", "1:cancel:1", "🦄", "x" * 64])
async def test_a_press_that_means_nothing_is_answered_and_nothing_happens(house: House, data: str) -> None:
    await _held(house)
    assert await _told(house, _push_press(house, house.ada.user, house.status(), data)) == english("toast-old")
    assert (await house.job()).state is State.QUEUED


async def test_a_press_about_an_edit_of_another_chat_is_answered_and_nothing_happens(house: House) -> None:
    await _held(house)
    eve = house.telegram.person(user_id=666, first_name="Eve")
    eve.send_photo(a_photo(), caption="make it rain")
    await house.receive()
    await house.settle()
    pressed = _push_press(house, eve.user, house.status(eve.id), _data(house.status(), "Cancel"))
    assert await _told(house, pressed) == english("toast-old")
    assert [(await house.job(job_id)).state for job_id in (1, 2)] == [State.QUEUED, State.QUEUED]


async def test_a_stranger_who_presses_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path, allowed_ids=frozenset({1001})) as house:
        await _held(house)
        eve = house.telegram.person(user_id=666, first_name="Eve")
        message = house.status() | {"chat": {"id": 666, "first_name": "Eve", "type": "private"}}
        pressed = _push_press(house, eve.user, message, _data(house.status(), "Cancel"))
        assert await _told(house, pressed) == english("stranger", id="666")
        assert (await house.job()).state is State.QUEUED


# -- how they are answered


async def test_an_answer_that_telegram_refuses_as_too_late_blocks_nothing(house: House) -> None:
    await _held(house)
    pressed = house.ada.press(house.status()["message_id"], "Cancel")
    del house.telegram.cloud.presses[pressed]
    house.ada.send_text("/help")
    await house.receive()
    await house.settle()
    await house.pass_time(60)
    assert house.words() == [english("help")]
    assert (await house.job()).state is State.CANCELLED
    assert sum(call.method == "answerCallbackQuery" for call in house.telegram.calls) == 1


async def test_an_answer_to_a_press_that_did_not_get_through_is_not_tried_again(house: House) -> None:
    await _held(house)
    house.telegram.faults.add("answerCallbackQuery", server_error())
    assert await _press(house, "Cancel") is None
    await house.pass_time(60)
    assert sum(call.method == "answerCallbackQuery" for call in house.telegram.calls) == 1
    assert (await house.job()).state is State.CANCELLED


async def test_a_press_is_answered_while_a_picture_is_being_sent_to_the_same_chat(house: House) -> None:
    await house.ask(a_photo())
    house.kie.refuse(433, "cap")
    await house.ask(a_photo("red"))
    house.kie.faults.always("result", Fault(Kind.HANG))
    await house.kie.wait_for(lambda: all(task.prepared_at for task in house.kie.tasks.values()))
    house.clock.now += 25
    async with asyncio.TaskGroup() as tasks:
        while not house.kie.called("result"):
            await house.bot.worker.start_due(tasks)
            await asyncio.sleep(0)
        pressed = house.ada.press(house.statuses()[1]["message_id"], "Cancel")
        await house.receive()
        await house.bot.worker.start_due(tasks)
        told = await house.telegram.wait_for(lambda _: house.ada.answer_to(pressed), 5)
        await house.kie.stop()
    assert told["text"] == english("toast-cancelled")


async def test_a_picture_without_words_is_offered_ideas_and_a_press_of_one_orders_it(house: House) -> None:
    await house.ask(a_photo(), "")
    ideas = [button["text"] for row in house.status()["reply_markup"]["inline_keyboard"] for button in row]
    assert ideas == [*(english(f"idea-{idea.name}") for idea in IDEAS.values()), "Cancel"]
    assert await _press(house, english("idea-figure")) == english("toast-idea")
    assert [task.prompt for task in house.kie.tasks.values()] == [IDEAS[1].prompt]


async def test_two_ideas_for_one_picture_are_one_order(house: House) -> None:
    await house.ask(a_photo(), "")
    question = house.status()["message_id"]
    presses = [house.ada.press(question, english(f"idea-{name}")) for name in ("snow", "night")]
    assert await _all_told(house, *presses) == [english("toast-idea"), english("toast-settled")]
    assert [task.prompt for task in house.kie.tasks.values()] == [IDEAS[2].prompt]


async def test_several_pictures_are_offered_no_ideas_that_suit_one(house: House) -> None:
    house.ada.send_album([a_photo(), a_photo("red")])
    await house.receive()
    await house.pass_time(5)
    [[button]] = house.status()["reply_markup"]["inline_keyboard"]
    assert button["text"] == "Cancel"
