"""Words that come later, and replies: which picture do they mean?"""

import io

import pytest
from PIL import Image

from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import fail
from tests.house import House
from tests.world import a_photo

GONE = Fault(Kind.ANSWER, status=404, body=b"gone")
HOUR = 3600.0


async def _say(house: House, words: str, reply_to: int | None = None) -> int:
    message_id = house.ada.send_text(words, reply_to=reply_to)
    await house.receive()
    await house.settle()
    return message_id


async def _orders(house: House) -> dict[str, list[bytes]]:
    """Return what Kie was asked for: the pictures by the words."""
    await house.kie.wait_for(lambda: all(task.prepared_at is not None for task in house.kie.tasks.values()))
    return {task.prompt: task.inputs for task in house.kie.tasks.values()}


def _photo_of(house: House, message_id: int) -> bytes:
    [message] = [each for each in house.telegram.messages(house.ada.id) if each["message_id"] == message_id]
    return house.telegram.message_photo_bytes(message)


def _pixels(content: bytes) -> tuple[tuple[int, int], bytes]:
    picture = Image.open(io.BytesIO(content))
    return picture.size, picture.tobytes()


async def _answered(house: House, caption: str = "make it snow") -> int:
    """Let Ada get an edited picture; return the message with it."""
    await house.ask(a_photo(), caption)
    await house.pass_time(40)
    return int(house.pictures()[-1]["message_id"])


async def test_a_picture_without_words_is_asked_about_and_nothing_is_ordered(house: House) -> None:
    picture = await house.ask(a_photo(), "")
    question = house.status()
    assert question["text"].startswith("What should I change in this picture?")
    assert question["reply_to_message"]["message_id"] == picture
    assert house.kie.calls == []


@pytest.mark.parametrize("how", ["plainly", "to the picture", "to the question"])
async def test_the_next_words_are_taken_however_they_are_said(house: House, how: str) -> None:
    picture = await house.ask(a_photo(), "")
    reply_to = {"plainly": None, "to the picture": picture, "to the question": house.status()["message_id"]}[how]
    await _say(house, "make it snow", reply_to)
    assert await _orders(house) == {"make it snow": [_photo_of(house, picture)]}
    assert house.words() == []


async def test_the_picture_is_remembered_for_an_hour_over_restarts(house: House) -> None:
    await house.ask(a_photo(), "")
    await house.pass_time(HOUR - 5)
    await house.bot.worker.recover()
    await _say(house, "make it snow")
    assert list(await _orders(house)) == ["make it snow"]


async def test_after_an_hour_the_question_says_so_and_a_reply_to_it_takes_the_picture_up_again(house: House) -> None:
    picture = await house.ask(a_photo(), "")
    await house.pass_time(HOUR + 5)
    over = house.status()
    assert "I waited for an hour" in over["text"]
    assert "reply_markup" not in over
    await _say(house, "make it snow", over["message_id"])
    assert await _orders(house) == {"make it snow": [_photo_of(house, picture)]}


async def test_several_questions_do_not_mix(house: House) -> None:
    first = await house.ask(a_photo("red"), "")
    second = await house.ask(a_photo("green", (200, 100)), "")
    third = await house.ask(a_photo("blue", (300, 100)), "")
    await _say(house, "for the third")
    await _say(house, "for the first", first)
    await _say(house, "for the second")
    assert await _orders(house) == {
        "for the third": [_photo_of(house, third)],
        "for the first": [_photo_of(house, first)],
        "for the second": [_photo_of(house, second)],
    }


@pytest.mark.parametrize("waited", [0.0, 10.0])
async def test_an_album_without_words_takes_the_next_ones_for_all_its_pictures(house: House, waited: float) -> None:
    ids = house.ada.send_album([a_photo("red"), a_photo("green")])
    await house.receive()
    await house.pass_time(waited)
    await _say(house, "a duel")
    await house.pass_time(3)
    assert await _orders(house) == {"a duel": [_photo_of(house, each) for each in ids]}


async def test_a_reply_to_one_picture_of_a_waiting_album_means_that_one(house: House) -> None:
    _, second = house.ada.send_album([a_photo("red"), a_photo("green")])
    await house.receive()
    await house.pass_time(5)
    await _say(house, "only this", second)
    assert await _orders(house) == {"only this": [_photo_of(house, second)]}
    assert (await house.job()).state is State.GATHERING


async def test_a_caption_that_is_too_long_is_asked_about_and_the_picture_kept(house: House) -> None:
    await house.ask(a_photo(), "x" * 5001)
    assert "5,001 characters" in house.status()["text"]
    await _say(house, "make it snow")
    assert list(await _orders(house)) == ["make it snow"]


@pytest.mark.parametrize(("words", "told"), [("x" * 5001, "5,001 characters"), ("\u200b\u2060", "nothing to read")])
async def test_words_that_are_of_no_use_keep_the_question_open(house: House, words: str, told: str) -> None:
    await house.ask(a_photo(), "")
    await _say(house, words)
    assert told in house.words()[0]
    await _say(house, "make it snow")
    assert list(await _orders(house)) == ["make it snow"]


async def test_a_question_can_be_cancelled(house: House) -> None:
    await house.ask(a_photo(), "")
    house.ada.press(house.status()["message_id"], "Cancel")
    await house.receive()
    await house.pass_time(5)
    assert house.status()["text"] == "Cancelled. Nothing was ordered."
    await _say(house, "make it snow")
    assert house.kie.calls == []


async def test_a_reply_to_an_earlier_picture_of_ones_own_edits_that_picture(house: House) -> None:
    picture = await house.ask(a_photo(), "make it snow")
    await house.pass_time(40)
    words = await _say(house, "make it rain", picture)
    await house.pass_time(40)
    assert (await _orders(house))["make it rain"] == [_photo_of(house, picture)]
    assert house.pictures()[-1]["reply_to_message"]["message_id"] == words


async def test_a_reply_to_one_picture_of_an_album_means_that_one(house: House) -> None:
    _, second = house.ada.send_album([a_photo("red"), a_photo("green")], {0: "a duel"})
    await house.receive()
    await house.pass_time(60)
    await _say(house, "only this", second)
    assert (await _orders(house))["only this"] == [_photo_of(house, second)]


async def test_a_reply_to_an_answer_edits_what_kie_made_at_its_full_quality(house: House) -> None:
    answer = await _answered(house)
    await _say(house, "now at night", answer)
    [first, _] = house.kie.tasks.values()
    [received] = (await _orders(house))["now at night"]
    assert _pixels(received) == _pixels(first.result), "less the note that the stand-in leaves in its pictures"


async def test_when_kie_no_longer_has_it_telegrams_best_copy_is_edited(house: House) -> None:
    answer = await _answered(house)
    house.kie.faults.always("result", GONE)
    await _say(house, "now at night", answer)
    assert (await _orders(house))["now at night"] == [_photo_of(house, answer)]


async def test_a_host_that_is_away_for_long_is_not_waited_for(house: House) -> None:
    answer = await _answered(house)
    house.kie.faults.always("result", Fault(Kind.CUT_BEFORE))
    await _say(house, "now at night", answer)
    await house.pass_time(30)
    assert (await _orders(house))["now at night"] == [_photo_of(house, answer)]


async def test_a_reply_to_a_refusal_is_another_wish_for_the_same_pictures(house: House) -> None:
    house.kie.script(fail("The input or output was flagged as sensitive."))
    picture = await house.ask(a_photo(), "something rude")
    await house.pass_time(40)
    [refusal] = [each for each in house.telegram.bot_messages(house.ada.id) if "flagged" in each.get("text", "")]
    await _say(house, "something kind", refusal["message_id"])
    assert (await _orders(house))["something kind"] == [_photo_of(house, picture)]


async def test_a_reply_to_what_tells_of_an_edit_under_way_is_told(house: House) -> None:
    await house.ask(a_photo())
    await _say(house, "and faster, please", house.status()["message_id"])
    assert "already under way" in house.words()[0]
    assert len(house.kie.tasks) == 1


async def test_the_command_may_stand_before_the_words(house: House) -> None:
    picture = await house.ask(a_photo(), "make it snow")
    await house.pass_time(40)
    await _say(house, "/edit make it rain", picture)
    assert "make it rain" in await _orders(house)


async def test_words_with_nothing_to_edit_get_a_hint(house: House) -> None:
    await _say(house, "make it snow")
    assert house.words()[0].startswith("I edit pictures.")


async def test_words_that_were_sent_while_the_bot_was_away_are_not_too_late(house: House) -> None:
    await house.ask(a_photo(), "")
    house.clock.now += 5 * HOUR
    house.ada.send_text("make it snow")
    await house.bot.worker.recover()
    await house.turn()
    await house.receive()
    await house.settle()
    assert list(await _orders(house)) == ["make it snow"]


async def test_a_reply_to_what_was_said_about_useless_words_is_taken(house: House) -> None:
    picture = await house.ask(a_photo(), "")
    await house.ask(a_photo("red"), "")
    await _say(house, "x" * 5001, picture)
    [told] = [each for each in house.telegram.bot_messages(house.ada.id) if "5,001" in each.get("text", "")]
    await _say(house, "make it snow", told["message_id"])
    assert await _orders(house) == {"make it snow": [_photo_of(house, picture)]}


async def test_a_reply_to_ones_own_words_is_another_wish_for_their_pictures(house: House) -> None:
    picture = await house.ask(a_photo(), "")
    words = await _say(house, "make it snow")
    await house.pass_time(40)
    await _say(house, "no, rain", words)
    assert (await _orders(house))["no, rain"] == [_photo_of(house, picture)]
