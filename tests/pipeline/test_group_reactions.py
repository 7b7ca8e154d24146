"""Edits in groups: a reaction to an accepted request, the chat action, the image, and a reaction at the end."""

from collections import Counter

import pytest

from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import failure
from bot.sandbox.telegram.errors import bad_request, too_many_requests
from tests.bot_harness import BotHarness
from tests.group_harness import VISIBLE_METHODS, GroupHarness, create_group
from tests.process_harness import make_photo, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)


@pytest.fixture
def here(house: BotHarness) -> GroupHarness:
    """A supergroup."""
    return create_group(house)


async def _request_edit(here: GroupHarness) -> int:
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    return asked


async def test_an_edit_is_one_message_two_signs_and_the_action(here: GroupHarness) -> None:
    asked = await _request_edit(here)
    assert here.bot_reactions(asked) == ["👀"]
    assert [call.method for call in here.visible_calls()] == ["setMessageReaction"]
    await here.harness.advance_time(40)
    assert here.bot_reactions(asked) == ["👌"]
    counted = Counter(call.method for call in here.visible_calls())
    assert counted == {"setMessageReaction": 2, "sendChatAction": 1, "sendPhoto": 1}


async def test_what_is_left_out_of_an_album_is_said_with_the_picture(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", album="7", chat=here.group)
    here.ada.send_attachment("video", album="7", chat=here.group)
    [answer] = await here.finish_edits()
    assert answer["caption"] == render_english("answer-without-rest")
    assert Counter(call.method for call in here.visible_calls())["sendMessage"] == 0


async def test_a_refusal_is_one_message_and_a_sign(here: GroupHarness) -> None:
    here.harness.kie.script_outcomes(failure("The input or output was flagged as sensitive."))
    asked = await _request_edit(here)
    await here.harness.advance_time(40)
    assert here.bot_reactions(asked) == ["🤷"]
    assert Counter(call.method for call in here.visible_calls()) == {"setMessageReaction": 2, "sendMessage": 1}


async def test_what_takes_long_or_is_held_up_is_not_told_unasked(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(433, "cap")
    await _request_edit(here)
    await here.harness.advance_time(3000)
    assert here.sent_texts() == []
    assert len(here.pictures()) == 1


async def test_what_is_taken_back_gets_a_sign(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(433, "cap")
    asked = await _request_edit(here)
    here.ada.send_text("/cancel", chat=here.group)
    await here.process_updates()
    await here.harness.advance_time(5)
    assert here.bot_reactions(asked) == ["🫡"]
    assert here.sent_texts() == [render_english("taken-back", count=1)]


async def test_a_caption_that_is_edited_meanwhile_gets_no_further_sign(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(433, "cap")
    asked = await _request_edit(here)
    for text in ("rain", "hail"):
        here.ada.edit_caption(asked, f"/edit make it {text}", chat=here.group)
        await here.process_updates()
    assert (await here.harness.read_job()).request.prompt == "make it hail"
    await here.harness.advance_time(400)
    await here.harness.advance_time(60)
    assert here.bot_reactions(asked) == ["👌"]
    assert Counter(call.method for call in here.visible_calls())["setMessageReaction"] == 2


async def test_an_order_in_doubt_is_asked_about_because_only_the_person_can_decide(here: GroupHarness) -> None:
    here.harness.kie.faults.add("createTask", CUT_AFTER)
    asked = await _request_edit(here)
    await here.harness.advance_time(5)
    [question] = here.text_messages()
    assert question["text"] == render_english("doubt")
    assert question["reply_to_message"]["message_id"] == asked
    assert await here.press_button(here.grace, question["message_id"], "Try again") == render_english("toast-not-yours")
    assert await here.press_button(here.ada, question["message_id"], "Try again") == render_english("toast-again")
    await here.harness.advance_time(60)
    assert here.sent_texts() == [], "the question goes once it is decided"
    assert len(here.pictures()) == 1


async def test_an_order_that_is_left_in_doubt_says_so_in_the_same_message(here: GroupHarness) -> None:
    here.harness.kie.faults.add("createTask", CUT_AFTER)
    asked = await _request_edit(here)
    await here.harness.advance_time(5)
    await here.press_button(here.ada, here.text_messages()[0]["message_id"], "Leave it")
    await here.harness.advance_time(5)
    assert here.sent_texts() == [render_english("doubt-left")]
    assert here.bot_reactions(asked) == ["🤷"]


async def test_however_slow_the_picture_is_the_action_is_shown_twice_at_most(
    here: GroupHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.pipeline.deliver_image.CHAT_ACTION_INTERVAL", 0.0)
    here.harness.telegram.faults.always("sendPhoto", bad_request("PHOTO_INVALID"))
    await _request_edit(here)
    await here.harness.advance_time(40)
    assert 1 <= len(here.visible_calls("sendChatAction")) <= 2


async def test_a_second_try_to_send_shows_no_further_action(here: GroupHarness) -> None:
    here.harness.kie.faults.add("result", Fault(FaultKind.DISCONNECT_BEFORE), times=3)
    await _request_edit(here)
    await here.harness.advance_time(60)
    assert len(here.pictures()) == 1
    assert 1 <= len(here.visible_calls("sendChatAction")) <= 2


async def test_neither_does_one_that_telegram_put_off(here: GroupHarness) -> None:
    here.harness.telegram.faults.add("sendPhoto", too_many_requests(20), times=3)
    await _request_edit(here)
    await here.harness.advance_time(120)
    assert len(here.pictures()) == 1
    assert 1 <= len(here.visible_calls("sendChatAction")) <= 2


async def test_a_sign_that_is_not_allowed_there_changes_nothing(here: GroupHarness) -> None:
    here.harness.telegram.faults.always("setMessageReaction", bad_request("REACTION_INVALID"))
    await _request_edit(here)
    await here.harness.advance_time(40)
    assert len(here.pictures()) == 1
    assert len(here.visible_calls("setMessageReaction")) == 2


async def test_more_answers_than_a_minute_allows_come_all_and_only_signs_are_dropped(here: GroupHarness) -> None:
    here.harness.telegram.state.enforce_flood_control = True
    here.harness.kie.add_credits(1000)
    requests = 26
    for _ in range(requests):
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    for _ in range(20):
        await here.harness.advance_time(20)
    assert len(here.pictures()) == requests
    sent = here.visible_calls("sendPhoto", "sendMessage", "sendDocument")
    assert [call.error for call in sent if call.error] == [], "Telegram never had to say no"
    times = sorted(call.at for call in sent)
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[20:], strict=False))
    signs = here.visible_calls("setMessageReaction")
    assert len(signs) < 2 * requests
    assert max(call.at - times[0] for call in signs) <= times[-1] - times[0] + 30
    assert Counter(call.method for call in here.visible_calls())["sendMessage"] == 0


async def test_signs_do_not_use_up_the_messages_of_a_minute(here: GroupHarness) -> None:
    for _ in range(15):
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    await here.harness.advance_time(4)
    await here.harness.advance_time(40)
    assert len(here.pictures()) == 15
    assert len(here.visible_calls("setMessageReaction")) > 5


async def test_what_is_taken_back_at_once_gets_one_sign(here: GroupHarness) -> None:
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    here.ada.send_text("/cancel", chat=here.group)
    await here.process_updates()
    assert here.bot_reactions(asked) == ["🫡"]
    assert len(here.visible_calls("setMessageReaction")) == 1


async def test_a_new_request_gets_no_sign_either_while_telegram_wants_to_be_left_alone(here: GroupHarness) -> None:
    here.harness.telegram.faults.add("sendPhoto", too_many_requests(20))
    await _request_edit(here)
    await here.harness.advance_time(22)
    [refused] = here.visible_calls("sendPhoto")
    other = await _request_edit(here)
    assert here.bot_reactions(other) == []
    await here.harness.advance_time(22)
    assert min(call.at for call in here.visible_calls(*VISIBLE_METHODS) if call.at > refused.at) >= refused.at + 20


async def test_signs_wait_while_telegram_wants_to_be_left_alone(here: GroupHarness) -> None:
    here.harness.telegram.faults.add("sendPhoto", too_many_requests(20))
    asked = await _request_edit(here)
    await here.harness.advance_time(60)
    [refused, taken] = here.visible_calls("sendPhoto")
    quiet = [call for call in here.visible_calls(*VISIBLE_METHODS) if refused.at < call.at < refused.at + 20]
    assert [call.method for call in quiet if call.method != "sendChatAction"] == []
    assert taken.at >= refused.at + 20
    assert here.bot_reactions(asked) == ["👌"]


async def test_status_in_a_group_is_told_when_it_is_asked_for_and_kept_true(here: GroupHarness) -> None:
    for _ in range(6):
        here.harness.kie.refuse_next_create(433, "cap")
    for _ in range(5):
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    here.grace.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    here.ada.send_text("/status", chat=here.group)
    await here.process_updates()
    await here.harness.advance_time(8)
    messages = here.text_messages()
    assert here.sent_texts().count(render_english("more-under-way", count=2)) == 1
    progress = [message for message in messages if "reply_markup" in message]
    assert len(progress) == 3
    assert await here.press_button(here.grace, progress[0]["message_id"], "Cancel") == render_english("toast-not-yours")
    assert await here.press_button(here.ada, progress[0]["message_id"], "Cancel") == render_english("toast-cancelled")
    assert (await here.harness.read_job(1)).state is State.CANCELLED
    for _ in range(25):
        await here.harness.advance_time(100)
    assert len(here.pictures()) == 5
    left = [message["text"] for message in here.text_messages() if "more edits" not in message["text"]]
    assert left == [render_english("cancelled-here"), render_english("waiting-for-owner")], (
        "the others went with their answers"
    )
