"""In conversation: another variation, the original, away with it; by whom, and how often."""

from typing import Any

import pytest

from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram.refusals import too_many
from tests.group import Friends, friends
from tests.house import House
from tests.world import a_photo, english

HOUR = 3600.0


@pytest.fixture
def here(house: House) -> Friends:
    """A supergroup."""
    return friends(house)


async def _answer(here: Friends) -> dict[str, Any]:
    """Let Ada have a picture in the group, and return its message."""
    here.ada.send_photo(a_photo(), caption="/edit make it snow 16:9", chat=here.group)
    [answer] = await here.answered()
    return answer


def _labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]


async def _press_in_private(house: House, label: str, times: int = 1) -> list[Any]:
    """Let Ada press a button under her latest picture, and return what answered it."""
    presses = [house.ada.press(house.pictures()[-1]["message_id"], label) for _ in range(times)]
    await house.hear()
    return [(house.ada.answer_to(press) or {}).get("text") for press in presses]


# -- again


async def test_again_is_a_new_variation_of_the_same_request_in_reply_to_the_answer(here: Friends) -> None:
    answer = await _answer(here)
    assert await here.press(here.grace, answer["message_id"], "Again") == english("toast-varied")
    assert here.signs(answer["message_id"]) == ["👀"]
    [_, other] = await here.answered()
    assert other["reply_to_message"]["message_id"] == answer["message_id"]
    first, second = here.house.kie.tasks.values()
    assert {k: v for k, v in first.order.input.items() if k != "image_urls"} == {
        k: v for k, v in second.order.input.items() if k != "image_urls"
    }
    assert first.inputs == second.inputs
    assert (await here.house.job(2)).request.user_id == here.grace.id


async def test_pressed_twice_it_orders_once_and_later_once_more(here: Friends) -> None:
    answer = await _answer(here)
    presses = [person.press(answer["message_id"], "Again", chat=here.group) for person in (here.ada, here.grace)]
    await here.hear()
    told = [(here.ada.answer_to(press) or {}).get("text") for press in presses]
    assert told == [english("toast-varied"), english("toast-varied-already")]
    assert len(await here.answered()) == 2
    assert await here.press(here.ada, answer["message_id"], "Again") == english("toast-varied")
    assert len(await here.answered()) == 3
    assert len(here.house.kie.tasks) == 3


async def test_while_the_answer_of_a_variation_is_on_its_way_there_is_no_second_one(here: Friends) -> None:
    answer = await _answer(here)
    await here.press(here.ada, answer["message_id"], "Again")
    here.house.telegram.faults.always("sendPhoto", too_many(600))
    await here.answered()
    assert (await here.house.job(2)).state is State.SUCCEEDED
    assert await here.press(here.ada, answer["message_id"], "Again") == english("toast-varied-already")


async def test_a_variation_that_was_never_confirmed_does_not_keep_others_from_being_made(here: Friends) -> None:
    answer = await _answer(here)
    await here.press(here.ada, answer["message_id"], "Again")
    here.house.telegram.faults.always("sendPhoto", Fault(Kind.CUT_BEFORE))
    await here.answered()
    await here.house.pass_time(HOUR)
    assert here.words() == [english("answer-unconfirmed")]
    assert await here.press(here.ada, answer["message_id"], "Again") == english("toast-varied")


async def test_a_redelivered_press_orders_nothing_more(here: Friends) -> None:
    answer = await _answer(here)
    here.ada.press(answer["message_id"], "Again", chat=here.group)
    [update] = [u for u in here.house.telegram.cloud.updates.pending if "callback_query" in u]
    assert len(await here.answered()) == 2
    here.house.telegram.redeliver(update["update_id"])
    assert len(await here.answered()) == 2


async def test_a_variation_can_be_varied_and_cancelled_like_any_edit(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(40)
    house.kie.refuse(433, "cap")
    assert await _press_in_private(house, "Again") == [english("toast-varied")]
    assert _labels(house.status()) == ["Cancel"]
    house.ada.press(house.status()["message_id"], "Cancel")
    await house.hear()
    assert (await house.job(2)).state is State.CANCELLED
    assert await _press_in_private(house, "Again") == [english("toast-varied")]
    await house.pass_time(400)
    assert await _press_in_private(house, "Again") == [english("toast-varied")]
    await house.pass_time(60)
    assert len(house.pictures()) == 3


async def test_what_was_erased_cannot_be_varied_and_says_so(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(40)
    house.clock.now += 31 * 24 * HOUR
    await house.bot.db.unit(house.bot.retention.erase)
    assert await _press_in_private(house, "Again") == [english("toast-erased")]


async def test_an_album_is_varied_as_a_whole(here: Friends) -> None:
    here.ada.send_album([a_photo("red"), a_photo("blue")], {0: "/edit a duel"}, chat=here.group)
    [answer] = await here.answered()
    await here.press(here.grace, answer["message_id"], "Again")
    await here.answered()
    first, second = here.house.kie.tasks.values()
    assert second.inputs == first.inputs
    assert len(second.inputs) == 2


# -- the original


async def test_anybody_in_the_group_may_have_the_original(here: Friends) -> None:
    answer = await _answer(here)
    assert await here.press(here.grace, answer["message_id"], "Original file") == english("toast-fetching")
    [_, original] = here.pictures()
    [task] = here.house.kie.tasks.values()
    assert here.house.telegram.message_photo_bytes(original) == task.result
    assert original["reply_to_message"]["message_id"] == answer["message_id"]


async def test_in_a_topic_a_variation_and_the_original_come_there_as_well(house: House) -> None:
    here = friends(house, is_forum=True)
    topic = here.group.open_topic("Holidays", here.ada.user)
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, thread=topic)
    [answer] = await here.answered()
    for label in ("Again", "Original file"):
        await here.press(here.grace, answer["message_id"], label)
    others = (await here.answered())[1:]
    assert [other["message_thread_id"] for other in others] == [topic, topic]


# -- delete


async def test_the_one_who_asked_may_delete_an_answer_with_all_that_belongs_to_it(here: Friends) -> None:
    answer = await _answer(here)
    await here.press(here.grace, answer["message_id"], "Original file")
    assert len(here.pictures()) == 2
    assert await here.press(here.ada, answer["message_id"], "Delete") == english("toast-deleted")
    await here.house.pass_time(5)
    assert here.pictures() == []


async def test_a_file_that_was_still_to_come_does_not_come_after_its_answer_was_deleted(here: Friends) -> None:
    answer = await _answer(here)
    here.house.telegram.faults.add("sendDocument", too_many(30))
    await here.press(here.grace, answer["message_id"], "Original file")
    await here.press(here.ada, answer["message_id"], "Delete")
    await here.house.pass_time(60)
    assert here.pictures() == []


async def test_somebody_else_may_not_and_is_told_so_politely(here: Friends) -> None:
    answer = await _answer(here)
    assert await here.press(here.grace, answer["message_id"], "Delete") == english("toast-not-yours")
    await here.house.pass_time(5)
    assert len(here.pictures()) == 1
    assert here.words() == []


async def test_an_admin_of_the_group_may(here: Friends) -> None:
    answer = await _answer(here)
    here.group.promote(here.grace.user)
    assert await here.press(here.grace, answer["message_id"], "Delete") == english("toast-deleted")
    await here.house.pass_time(5)
    assert here.pictures() == []


async def test_who_is_no_admin_any_more_may_not(here: Friends) -> None:
    answer = await _answer(here)
    here.group.promote(here.grace.user)
    here.group.demote(here.grace.user)
    assert await here.press(here.grace, answer["message_id"], "Delete") == english("toast-not-yours")


async def test_what_an_anonymous_admin_asked_for_any_admin_may_delete_and_nobody_else(here: Friends) -> None:
    here.group.promote(here.ada.user)
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    [answer] = await here.answered()
    assert await here.press(here.grace, answer["message_id"], "Delete") == english("toast-not-yours")
    assert await here.press(here.ada, answer["message_id"], "Delete") == english("toast-deleted")


async def test_about_an_order_in_doubt_of_an_anonymous_admin_any_admin_decides_and_nobody_else(here: Friends) -> None:
    here.house.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
    here.group.promote(here.ada.user)
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.hear()
    await here.house.pass_time(5)
    [question] = here.texts()
    assert await here.press(here.grace, question["message_id"], "Leave it") == english("toast-not-yours")
    assert await here.press(here.ada, question["message_id"], "Leave it") == english("toast-left")


async def test_who_became_an_admin_is_one_a_minute_later(here: Friends) -> None:
    answer = await _answer(here)
    assert await here.press(here.grace, answer["message_id"], "Delete") == english("toast-not-yours")
    here.group.promote(here.grace.user)
    here.house.clock.now += 61
    assert await here.press(here.grace, answer["message_id"], "Delete") == english("toast-deleted")


async def test_while_the_admins_cannot_be_found_out_others_are_served_and_the_press_is_answered(
    here: Friends,
) -> None:
    answer = await _answer(here)
    here.group.promote(here.grace.user)
    here.house.telegram.faults.always("getChatAdministrators", Fault(Kind.CUT_BEFORE))
    press = here.grace.press(answer["message_id"], "Delete", chat=here.group)
    here.ada.send_text("/help", chat=here.group)
    await here.hear()
    assert here.words() == [english("help", where="group")]
    await here.house.pass_time(20)
    await here.hear()
    assert (here.grace.answer_to(press) or {}).get("text") == english("toast-not-yours")


async def test_the_admins_are_asked_for_once_a_minute_at_most(here: Friends) -> None:
    answer = await _answer(here)
    for _ in range(5):
        await here.press(here.grace, answer["message_id"], "Delete")
    assert len([call for call in here.house.telegram.calls if call.method == "getChatAdministrators"]) == 1


async def test_what_telegram_does_not_let_a_bot_delete_is_said(here: Friends) -> None:
    answer = await _answer(here)
    here.house.clock.now += 49 * HOUR
    told = await here.press(here.ada, answer["message_id"], "Delete")
    assert told == english("toast-too-old-to-delete", where="group")
    assert len(here.pictures()) == 1


async def test_deleting_twice_and_in_an_outage_ends_with_nothing_left(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(40)
    house.telegram.faults.add("deleteMessage", Fault(Kind.CUT_BEFORE), times=2)
    assert await _press_in_private(house, "Delete", times=2) == [english("toast-deleted")] * 2
    await house.pass_time(30)
    assert house.pictures() == []


# -- what was pressed elsewhere


async def test_a_button_of_another_chat_does_nothing(here: Friends) -> None:
    answer = await _answer(here)
    other = friends(here.house, -77)
    foreign = {"message_id": answer["message_id"], "chat": other.group.room.shown, "date": 0}
    here.house.telegram.cloud.presses["881"] = None
    [data] = [
        b["callback_data"] for row in answer["reply_markup"]["inline_keyboard"] for b in row if b["text"] == "Again"
    ]
    query = {"id": "881", "from": here.ada.user, "message": foreign, "chat_instance": "1", "data": data}
    here.house.telegram.push({"callback_query": query})
    await here.hear()
    assert (here.ada.answer_to("881") or {}).get("text") == english("toast-old")
    assert len(here.house.kie.tasks) == 1
