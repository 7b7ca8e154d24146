"""The buttons under an answer: variation, original, delete; who may press them, and how often."""

from typing import Any

import pytest

from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import too_many_requests
from tests.bot_harness import BotHarness
from tests.group_harness import GroupHarness, create_group
from tests.process_harness import make_photo, render_english

HOUR = 3600.0


@pytest.fixture
def here(house: BotHarness) -> GroupHarness:
    """A supergroup."""
    return create_group(house)


async def _finish_group_edit(here: GroupHarness) -> dict[str, Any]:
    here.ada.send_photo(make_photo(), caption="/edit make it snow 16:9", chat=here.group)
    [answer] = await here.finish_edits()
    return answer


def _button_labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]


async def _press_under_latest_picture(house: BotHarness, label: str, times: int = 1) -> list[Any]:
    """Let Ada press a button under her latest image, and return the answers."""
    presses = [house.ada.press_button(house.pictures()[-1]["message_id"], label) for _ in range(times)]
    await house.process_updates()
    return [(house.ada.callback_answer(press) or {}).get("text") for press in presses]


# -- variations


async def test_again_is_a_new_variation_of_the_same_request_in_reply_to_the_answer(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    assert await here.press_button(here.grace, answer["message_id"], "Again") == render_english("toast-varied")
    assert here.bot_reactions(answer["message_id"]) == ["👀"]
    [_, other] = await here.finish_edits()
    assert other["reply_to_message"]["message_id"] == answer["message_id"]
    first, second = here.harness.kie.tasks.values()
    assert {k: v for k, v in first.request.input.items() if k != "image_urls"} == {
        k: v for k, v in second.request.input.items() if k != "image_urls"
    }
    assert first.inputs == second.inputs
    assert (await here.harness.read_job(2)).request.user_id == here.grace.id


async def test_pressed_twice_it_orders_once_and_later_once_more(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    presses = [person.press_button(answer["message_id"], "Again", chat=here.group) for person in (here.ada, here.grace)]
    await here.process_updates()
    reply_text = [(here.ada.callback_answer(press) or {}).get("text") for press in presses]
    assert reply_text == [render_english("toast-varied"), render_english("toast-varied-already")]
    assert len(await here.finish_edits()) == 2
    assert await here.press_button(here.ada, answer["message_id"], "Again") == render_english("toast-varied")
    assert len(await here.finish_edits()) == 3
    assert len(here.harness.kie.tasks) == 3


async def test_while_the_answer_of_a_variation_is_on_its_way_there_is_no_second_one(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    await here.press_button(here.ada, answer["message_id"], "Again")
    here.harness.telegram.faults.always("sendPhoto", too_many_requests(600))
    await here.finish_edits()
    assert (await here.harness.read_job(2)).state is State.SUCCEEDED
    assert await here.press_button(here.ada, answer["message_id"], "Again") == render_english("toast-varied-already")


async def test_a_variation_that_was_never_confirmed_does_not_keep_others_from_being_made(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    await here.press_button(here.ada, answer["message_id"], "Again")
    here.harness.telegram.faults.always("sendPhoto", Fault(FaultKind.DISCONNECT_BEFORE))
    await here.finish_edits()
    await here.harness.advance_time(HOUR)
    assert here.sent_texts() == [render_english("answer-unconfirmed")]
    assert await here.press_button(here.ada, answer["message_id"], "Again") == render_english("toast-varied")


async def test_a_redelivered_press_orders_nothing_more(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    here.ada.press_button(answer["message_id"], "Again", chat=here.group)
    [update] = [u for u in here.harness.telegram.state.updates.pending if "callback_query" in u]
    assert len(await here.finish_edits()) == 2
    here.harness.telegram.redeliver(update["update_id"])
    assert len(await here.finish_edits()) == 2


async def test_a_variation_can_be_varied_and_cancelled_like_any_edit(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(40)
    house.kie.refuse_next_create(433, "cap")
    assert await _press_under_latest_picture(house, "Again") == [render_english("toast-varied")]
    assert _button_labels(house.progress_message()) == ["Cancel"]
    house.ada.press_button(house.progress_message()["message_id"], "Cancel")
    await house.process_updates()
    assert (await house.read_job(2)).state is State.CANCELLED
    assert await _press_under_latest_picture(house, "Again") == [render_english("toast-varied")]
    await house.advance_time(400)
    assert await _press_under_latest_picture(house, "Again") == [render_english("toast-varied")]
    await house.advance_time(60)
    assert len(house.pictures()) == 3


async def test_what_was_erased_cannot_be_varied_and_says_so(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(40)
    house.clock.now += 31 * 24 * HOUR
    await house.bot.db.transact(house.bot.retention.erase_batch)
    assert await _press_under_latest_picture(house, "Again") == [render_english("toast-erased")]


async def test_an_album_is_varied_as_a_whole(here: GroupHarness) -> None:
    here.ada.send_album([make_photo("red"), make_photo("blue")], {0: "/edit a duel"}, chat=here.group)
    [answer] = await here.finish_edits()
    await here.press_button(here.grace, answer["message_id"], "Again")
    await here.finish_edits()
    first, second = here.harness.kie.tasks.values()
    assert second.inputs == first.inputs
    assert len(second.inputs) == 2


# -- the original file


async def test_anybody_in_the_group_may_have_the_original(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    assert await here.press_button(here.grace, answer["message_id"], "Original file") == render_english(
        "toast-fetching"
    )
    [_, original] = here.pictures()
    [task] = here.harness.kie.tasks.values()
    assert here.harness.telegram.message_photo_bytes(original) == task.result
    assert original["reply_to_message"]["message_id"] == answer["message_id"]


async def test_in_a_topic_a_variation_and_the_original_come_there_as_well(house: BotHarness) -> None:
    here = create_group(house, is_forum=True)
    topic = here.group.open_topic("Holidays", here.ada.user)
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, thread=topic)
    [answer] = await here.finish_edits()
    for label in ("Again", "Original file"):
        await here.press_button(here.grace, answer["message_id"], label)
    others = (await here.finish_edits())[1:]
    assert [other["message_thread_id"] for other in others] == [topic, topic]


# -- delete


async def test_the_one_who_asked_may_delete_an_answer_with_all_that_belongs_to_it(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    await here.press_button(here.grace, answer["message_id"], "Original file")
    assert len(here.pictures()) == 2
    assert await here.press_button(here.ada, answer["message_id"], "Delete") == render_english("toast-deleted")
    await here.harness.advance_time(5)
    assert here.pictures() == []


async def test_a_file_that_was_still_to_come_does_not_come_after_its_answer_was_deleted(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    here.harness.telegram.faults.add("sendDocument", too_many_requests(30))
    await here.press_button(here.grace, answer["message_id"], "Original file")
    await here.press_button(here.ada, answer["message_id"], "Delete")
    await here.harness.advance_time(60)
    assert here.pictures() == []


async def test_somebody_else_may_not_and_is_told_so_politely(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    assert await here.press_button(here.grace, answer["message_id"], "Delete") == render_english("toast-not-yours")
    await here.harness.advance_time(5)
    assert len(here.pictures()) == 1
    assert here.sent_texts() == []


async def test_an_admin_of_the_group_may(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    here.group.promote(here.grace.user)
    assert await here.press_button(here.grace, answer["message_id"], "Delete") == render_english("toast-deleted")
    await here.harness.advance_time(5)
    assert here.pictures() == []


async def test_who_is_no_admin_any_more_may_not(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    here.group.promote(here.grace.user)
    here.group.demote(here.grace.user)
    assert await here.press_button(here.grace, answer["message_id"], "Delete") == render_english("toast-not-yours")


async def test_what_an_anonymous_admin_asked_for_any_admin_may_delete_and_nobody_else(here: GroupHarness) -> None:
    here.group.promote(here.ada.user)
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    [answer] = await here.finish_edits()
    assert await here.press_button(here.grace, answer["message_id"], "Delete") == render_english("toast-not-yours")
    assert await here.press_button(here.ada, answer["message_id"], "Delete") == render_english("toast-deleted")


async def test_about_an_order_in_doubt_of_an_anonymous_admin_any_admin_decides_and_nobody_else(
    here: GroupHarness,
) -> None:
    here.harness.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
    here.group.promote(here.ada.user)
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.process_updates()
    await here.harness.advance_time(5)
    [question] = here.text_messages()
    assert await here.press_button(here.grace, question["message_id"], "Leave it") == render_english("toast-not-yours")
    assert await here.press_button(here.ada, question["message_id"], "Leave it") == render_english("toast-left")


async def test_who_became_an_admin_is_one_a_minute_later(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    assert await here.press_button(here.grace, answer["message_id"], "Delete") == render_english("toast-not-yours")
    here.group.promote(here.grace.user)
    here.harness.clock.now += 61
    assert await here.press_button(here.grace, answer["message_id"], "Delete") == render_english("toast-deleted")


async def test_while_the_admins_cannot_be_found_out_others_are_served_and_the_press_is_answered(
    here: GroupHarness,
) -> None:
    answer = await _finish_group_edit(here)
    here.group.promote(here.grace.user)
    here.harness.telegram.faults.always("getChatAdministrators", Fault(FaultKind.DISCONNECT_BEFORE))
    press = here.grace.press_button(answer["message_id"], "Delete", chat=here.group)
    here.ada.send_text("/help", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("help", where="group")]
    await here.harness.advance_time(20)
    await here.process_updates()
    assert (here.grace.callback_answer(press) or {}).get("text") == render_english("toast-not-yours")


async def test_the_admins_are_asked_for_once_a_minute_at_most(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    for _ in range(5):
        await here.press_button(here.grace, answer["message_id"], "Delete")
    assert len([call for call in here.harness.telegram.calls if call.method == "getChatAdministrators"]) == 1


async def test_what_telegram_does_not_let_a_bot_delete_is_said(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    here.harness.clock.now += 49 * HOUR
    reply_text = await here.press_button(here.ada, answer["message_id"], "Delete")
    assert reply_text == render_english("toast-too-old-to-delete", where="group")
    assert len(here.pictures()) == 1


async def test_deleting_twice_and_in_an_outage_ends_with_nothing_left(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(40)
    house.telegram.faults.add("deleteMessage", Fault(FaultKind.DISCONNECT_BEFORE), times=2)
    assert await _press_under_latest_picture(house, "Delete", times=2) == [render_english("toast-deleted")] * 2
    await house.advance_time(30)
    assert house.pictures() == []


# -- presses in another chat


async def test_a_button_of_another_chat_does_nothing(here: GroupHarness) -> None:
    answer = await _finish_group_edit(here)
    other = create_group(here.harness, -77)
    foreign = {"message_id": answer["message_id"], "chat": other.group.chat.api_object, "date": 0}
    here.harness.telegram.state.callback_answers["881"] = None
    [data] = [
        b["callback_data"] for row in answer["reply_markup"]["inline_keyboard"] for b in row if b["text"] == "Again"
    ]
    query = {"id": "881", "from": here.ada.user, "message": foreign, "chat_instance": "1", "data": data}
    here.harness.telegram.push({"callback_query": query})
    await here.process_updates()
    assert (here.ada.callback_answer("881") or {}).get("text") == render_english("toast-old")
    assert len(here.harness.kie.tasks) == 1
