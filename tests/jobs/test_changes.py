"""A person edits a caption: followed while nothing is ordered, and never a second order by itself."""

import pytest

from bot.job import State
from tests.house import House
from tests.world import a_photo


async def _change(house: House, message_id: int, words: str) -> None:
    house.ada.edit_caption(message_id, words)
    await house.receive()
    await house.settle()


async def _held(house: House, caption: str = "make it snow") -> int:
    """Let Ada send a picture that waits in the queue, because Kie takes no orders."""
    house.kie.refuse(433, "the cap is reached")
    picture = await house.ask(a_photo(), caption)
    assert (await house.job()).state is State.QUEUED
    return picture


def _prompts(house: House) -> list[str]:
    return [task.prompt for task in house.kie.tasks.values()]


async def test_a_caption_that_is_changed_in_the_queue_is_what_is_ordered(house: House) -> None:
    picture = await _held(house)
    await _change(house, picture, "make it rain")
    assert house.telegram.reactions(house.ada.id, picture) == ["✍"]
    await house.pass_time(400)
    assert _prompts(house) == ["make it rain"]


async def test_a_caption_can_be_changed_while_its_album_arrives(house: House) -> None:
    first, _ = house.ada.send_album([a_photo(), a_photo("red")], {0: "one"})
    await house.receive()
    await _change(house, first, "two")
    await house.pass_time(5)
    assert _prompts(house) == ["two"]


async def test_a_caption_that_is_added_answers_the_question(house: House) -> None:
    picture = await house.ask(a_photo(), "")
    await _change(house, picture, "make it snow")
    assert _prompts(house) == ["make it snow"]


async def test_the_words_that_came_on_their_own_can_be_changed_too(house: House) -> None:
    house.kie.refuse(433, "the cap is reached")
    await house.ask(a_photo(), "")
    words = house.ada.send_text("make it snow")
    await house.receive()
    await house.settle()
    house.ada.edit_text(words, "make it rain")
    await house.receive()
    await house.pass_time(400)
    assert _prompts(house) == ["make it rain"]


@pytest.mark.parametrize(("words", "told"), [("", "I go on with the earlier ones"), ("x" * 5001, "5,001 characters")])
async def test_a_change_to_nothing_of_use_keeps_the_earlier_words(house: House, words: str, told: str) -> None:
    picture = await _held(house)
    await _change(house, picture, words)
    assert told in house.words()[0]
    await house.pass_time(400)
    assert _prompts(house) == ["make it snow"]


async def test_after_the_order_it_is_told_how_to_ask_again_and_nothing_is_ordered(house: House) -> None:
    picture = await house.ask(a_photo())
    await _change(house, picture, "make it rain")
    assert "too late" in house.words()[0]
    await house.pass_time(60)
    assert _prompts(house) == ["make it snow"]


async def test_after_the_answer_it_is_told_and_a_reply_to_that_is_another_order(house: House) -> None:
    picture = await house.ask(a_photo())
    await house.pass_time(60)
    await _change(house, picture, "make it rain")
    assert _prompts(house) == ["make it snow"]
    [told] = [
        each for each in house.telegram.bot_messages(house.ada.id) if "reply to this message" in each.get("text", "")
    ]
    house.ada.send_text("make it rain", reply_to=told["message_id"])
    await house.receive()
    await house.settle()
    assert _prompts(house) == ["make it snow", "make it rain"]


async def test_a_change_of_something_else_is_no_change(house: House) -> None:
    picture = await _held(house)
    await _change(house, picture, "  make it snow ")
    assert house.words() == []
    assert house.telegram.reactions(house.ada.id, picture) == []


async def test_a_change_of_something_else_is_no_change_after_the_answer_either(house: House) -> None:
    picture = await house.ask(a_photo())
    await house.pass_time(60)
    await _change(house, picture, " make it snow")
    assert house.words() == []


async def test_a_change_that_telegram_delivers_twice_is_told_once(house: House) -> None:
    picture = await house.ask(a_photo())
    house.ada.edit_caption(picture, "make it rain")
    [update] = [each for each in house.telegram.cloud.updates.pending if "edited_message" in each]
    await house.receive()
    house.telegram.redeliver(update["update_id"])
    await house.receive()
    await house.settle()
    assert len(house.words()) == 1


async def test_a_change_of_what_is_no_request_is_ignored(house: House) -> None:
    text = house.ada.send_text("hello")
    await house.receive()
    await house.settle()
    house.ada.edit_text(text, "make it snow")
    await house.receive()
    await house.settle()
    assert len(house.words()) == 1
