"""Edited captions take effect as long as nothing is ordered, and never cause a second order."""

import pytest

from bot.job import State
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo


async def _edit_caption(house: BotHarness, message_id: int, words: str) -> None:
    house.ada.edit_caption(message_id, words)
    await house.receive_updates()
    await house.settle()


async def _request_edit_that_waits(house: BotHarness, caption: str = "make it snow") -> int:
    """Let Ada send an image that stays queued, because Kie takes no orders."""
    house.kie.refuse_next_create(433, "the cap is reached")
    picture = await house.request_edit(make_photo(), caption)
    assert (await house.read_job()).state is State.QUEUED
    return picture


def _prompts(house: BotHarness) -> list[str]:
    return [task.prompt for task in house.kie.tasks.values()]


async def test_a_caption_that_is_changed_in_the_queue_is_what_is_ordered(house: BotHarness) -> None:
    picture = await _request_edit_that_waits(house)
    await _edit_caption(house, picture, "make it rain")
    assert house.telegram.reactions(house.ada.id, picture) == ["✍"]
    await house.advance_time(400)
    assert _prompts(house) == ["make it rain"]


async def test_a_caption_can_be_changed_while_its_album_arrives(house: BotHarness) -> None:
    first, _ = house.ada.send_album([make_photo(), make_photo("red")], {0: "one"})
    await house.receive_updates()
    await _edit_caption(house, first, "two")
    await house.advance_time(5)
    assert _prompts(house) == ["two"]


async def test_a_caption_that_is_added_answers_the_question(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo(), "")
    await _edit_caption(house, picture, "make it snow")
    assert _prompts(house) == ["make it snow"]


async def test_the_words_that_came_on_their_own_can_be_changed_too(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "the cap is reached")
    await house.request_edit(make_photo(), "")
    words = house.ada.send_text("make it snow")
    await house.receive_updates()
    await house.settle()
    house.ada.edit_text(words, "make it rain")
    await house.receive_updates()
    await house.advance_time(400)
    assert _prompts(house) == ["make it rain"]


@pytest.mark.parametrize(
    ("words", "reply_text"), [("", "I go on with the earlier ones"), ("x" * 5001, "5,001 characters")]
)
async def test_a_change_to_nothing_of_use_keeps_the_earlier_words(
    house: BotHarness, words: str, reply_text: str
) -> None:
    picture = await _request_edit_that_waits(house)
    await _edit_caption(house, picture, words)
    assert reply_text in house.sent_texts()[0]
    await house.advance_time(400)
    assert _prompts(house) == ["make it snow"]


async def test_after_the_order_it_is_told_how_to_ask_again_and_nothing_is_ordered(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo())
    await _edit_caption(house, picture, "make it rain")
    assert "too late" in house.sent_texts()[0]
    await house.advance_time(60)
    assert _prompts(house) == ["make it snow"]


async def test_after_the_answer_it_is_told_and_a_reply_to_that_is_another_order(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo())
    await house.advance_time(60)
    await _edit_caption(house, picture, "make it rain")
    assert _prompts(house) == ["make it snow"]
    [reply_text] = [
        each for each in house.telegram.bot_messages(house.ada.id) if "reply to this message" in each.get("text", "")
    ]
    house.ada.send_text("make it rain", reply_to=reply_text["message_id"])
    await house.receive_updates()
    await house.settle()
    assert _prompts(house) == ["make it snow", "make it rain"]


async def test_a_change_of_something_else_is_no_change(house: BotHarness) -> None:
    picture = await _request_edit_that_waits(house)
    await _edit_caption(house, picture, "  make it snow ")
    assert house.sent_texts() == []
    assert house.telegram.reactions(house.ada.id, picture) == []


async def test_a_change_of_something_else_is_no_change_after_the_answer_either(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo())
    await house.advance_time(60)
    await _edit_caption(house, picture, " make it snow")
    assert house.sent_texts() == []


async def test_a_change_that_telegram_delivers_twice_is_told_once(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo())
    house.ada.edit_caption(picture, "make it rain")
    [update] = [each for each in house.telegram.state.updates.pending if "edited_message" in each]
    await house.receive_updates()
    house.telegram.redeliver(update["update_id"])
    await house.receive_updates()
    await house.settle()
    assert len(house.sent_texts()) == 1


async def test_a_change_of_what_is_no_request_is_ignored(house: BotHarness) -> None:
    text = house.ada.send_text("hello")
    await house.receive_updates()
    await house.settle()
    house.ada.edit_text(text, "make it snow")
    await house.receive_updates()
    await house.settle()
    assert len(house.sent_texts()) == 1
