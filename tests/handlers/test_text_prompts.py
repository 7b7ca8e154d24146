"""Texts without an image, and replies: which image they are about."""

import io

import pytest
from PIL import Image

from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import failure
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo

NOT_FOUND = Fault(FaultKind.RESPOND, status=404, body=b"gone")
HOUR = 3600.0


async def _send_text(house: BotHarness, words: str, reply_to: int | None = None) -> int:
    message_id = house.ada.send_text(words, reply_to=reply_to)
    await house.receive_updates()
    await house.settle()
    return message_id


async def _ordered_pictures(house: BotHarness) -> dict[str, list[bytes]]:
    """Return the source images of Kie's tasks by prompt."""
    await house.kie.wait_for(lambda: all(task.prepared_at is not None for task in house.kie.tasks.values()))
    return {task.prompt: task.inputs for task in house.kie.tasks.values()}


def _photo_bytes(house: BotHarness, message_id: int) -> bytes:
    [message] = [each for each in house.telegram.messages(house.ada.id) if each["message_id"] == message_id]
    return house.telegram.message_photo_bytes(message)


def _pixels(content: bytes) -> tuple[tuple[int, int], bytes]:
    picture = Image.open(io.BytesIO(content))
    return picture.size, picture.tobytes()


async def _finish_edit(house: BotHarness, caption: str = "make it snow") -> int:
    await house.request_edit(make_photo(), caption)
    await house.advance_time(40)
    return int(house.pictures()[-1]["message_id"])


async def test_a_picture_without_words_is_asked_about_and_nothing_is_ordered(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo(), "")
    question = house.progress_message()
    assert question["text"].startswith("What should I change in this picture?")
    assert question["reply_to_message"]["message_id"] == picture
    assert house.kie.calls == []


@pytest.mark.parametrize("how", ["plainly", "to the picture", "to the question"])
async def test_the_next_words_are_taken_however_they_are_said(house: BotHarness, how: str) -> None:
    picture = await house.request_edit(make_photo(), "")
    reply_to = {"plainly": None, "to the picture": picture, "to the question": house.progress_message()["message_id"]}[
        how
    ]
    await _send_text(house, "make it snow", reply_to)
    assert await _ordered_pictures(house) == {"make it snow": [_photo_bytes(house, picture)]}
    assert house.sent_texts() == []


async def test_the_picture_is_remembered_for_an_hour_over_restarts(house: BotHarness) -> None:
    await house.request_edit(make_photo(), "")
    await house.advance_time(HOUR - 5)
    await house.bot.worker.recover()
    await _send_text(house, "make it snow")
    assert list(await _ordered_pictures(house)) == ["make it snow"]


async def test_after_an_hour_the_question_says_so_and_a_reply_to_it_takes_the_picture_up_again(
    house: BotHarness,
) -> None:
    picture = await house.request_edit(make_photo(), "")
    await house.advance_time(HOUR + 5)
    over = house.progress_message()
    assert "I waited for an hour" in over["text"]
    assert "reply_markup" not in over
    await _send_text(house, "make it snow", over["message_id"])
    assert await _ordered_pictures(house) == {"make it snow": [_photo_bytes(house, picture)]}


async def test_several_questions_do_not_mix(house: BotHarness) -> None:
    first = await house.request_edit(make_photo("red"), "")
    second = await house.request_edit(make_photo("green", (200, 100)), "")
    third = await house.request_edit(make_photo("blue", (300, 100)), "")
    await _send_text(house, "for the third")
    await _send_text(house, "for the first", first)
    await _send_text(house, "for the second")
    assert await _ordered_pictures(house) == {
        "for the third": [_photo_bytes(house, third)],
        "for the first": [_photo_bytes(house, first)],
        "for the second": [_photo_bytes(house, second)],
    }


@pytest.mark.parametrize("waited", [0.0, 10.0])
async def test_an_album_without_words_takes_the_next_ones_for_all_its_pictures(
    house: BotHarness, waited: float
) -> None:
    ids = house.ada.send_album([make_photo("red"), make_photo("green")])
    await house.receive_updates()
    await house.advance_time(waited)
    await _send_text(house, "a duel")
    await house.advance_time(3)
    assert await _ordered_pictures(house) == {"a duel": [_photo_bytes(house, each) for each in ids]}


async def test_a_reply_to_one_picture_of_a_waiting_album_means_that_one(house: BotHarness) -> None:
    _, second = house.ada.send_album([make_photo("red"), make_photo("green")])
    await house.receive_updates()
    await house.advance_time(5)
    await _send_text(house, "only this", second)
    assert await _ordered_pictures(house) == {"only this": [_photo_bytes(house, second)]}
    assert (await house.read_job()).state is State.GATHERING


async def test_a_caption_that_is_too_long_is_asked_about_and_the_picture_kept(house: BotHarness) -> None:
    await house.request_edit(make_photo(), "x" * 5001)
    assert "5,001 characters" in house.progress_message()["text"]
    await _send_text(house, "make it snow")
    assert list(await _ordered_pictures(house)) == ["make it snow"]


@pytest.mark.parametrize(
    ("words", "reply_text"), [("x" * 5001, "5,001 characters"), ("\u200b\u2060", "nothing to read")]
)
async def test_words_that_are_of_no_use_keep_the_question_open(house: BotHarness, words: str, reply_text: str) -> None:
    await house.request_edit(make_photo(), "")
    await _send_text(house, words)
    assert reply_text in house.sent_texts()[0]
    await _send_text(house, "make it snow")
    assert list(await _ordered_pictures(house)) == ["make it snow"]


async def test_a_question_can_be_cancelled(house: BotHarness) -> None:
    await house.request_edit(make_photo(), "")
    house.ada.press_button(house.progress_message()["message_id"], "Cancel")
    await house.receive_updates()
    await house.advance_time(5)
    assert house.progress_message()["text"] == "Cancelled. Nothing was ordered."
    await _send_text(house, "make it snow")
    assert house.kie.calls == []


async def test_a_reply_to_an_earlier_picture_of_ones_own_edits_that_picture(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo(), "make it snow")
    await house.advance_time(40)
    words = await _send_text(house, "make it rain", picture)
    await house.advance_time(40)
    assert (await _ordered_pictures(house))["make it rain"] == [_photo_bytes(house, picture)]
    assert house.pictures()[-1]["reply_to_message"]["message_id"] == words


async def test_a_reply_to_one_picture_of_an_album_means_that_one(house: BotHarness) -> None:
    _, second = house.ada.send_album([make_photo("red"), make_photo("green")], {0: "a duel"})
    await house.receive_updates()
    await house.advance_time(60)
    await _send_text(house, "only this", second)
    assert (await _ordered_pictures(house))["only this"] == [_photo_bytes(house, second)]


async def test_a_reply_to_an_answer_edits_what_kie_made_at_its_full_quality(house: BotHarness) -> None:
    answer = await _finish_edit(house)
    await _send_text(house, "now at night", answer)
    [first, _] = house.kie.tasks.values()
    [received] = (await _ordered_pictures(house))["now at night"]
    assert _pixels(received) == _pixels(first.result), "less the note that the stand-in leaves in its pictures"


async def test_when_kie_no_longer_has_it_telegrams_best_copy_is_edited(house: BotHarness) -> None:
    answer = await _finish_edit(house)
    house.kie.faults.always("result", NOT_FOUND)
    await _send_text(house, "now at night", answer)
    assert (await _ordered_pictures(house))["now at night"] == [_photo_bytes(house, answer)]


async def test_a_host_that_is_away_for_long_is_not_waited_for(house: BotHarness) -> None:
    answer = await _finish_edit(house)
    house.kie.faults.always("result", Fault(FaultKind.DISCONNECT_BEFORE))
    await _send_text(house, "now at night", answer)
    await house.advance_time(30)
    assert (await _ordered_pictures(house))["now at night"] == [_photo_bytes(house, answer)]


async def test_a_reply_to_a_refusal_is_another_wish_for_the_same_pictures(house: BotHarness) -> None:
    house.kie.script_outcomes(failure("The input or output was flagged as sensitive."))
    picture = await house.request_edit(make_photo(), "something rude")
    await house.advance_time(40)
    [refusal] = [each for each in house.telegram.bot_messages(house.ada.id) if "flagged" in each.get("text", "")]
    await _send_text(house, "something kind", refusal["message_id"])
    assert (await _ordered_pictures(house))["something kind"] == [_photo_bytes(house, picture)]


async def test_a_reply_to_what_tells_of_an_edit_under_way_is_told(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await _send_text(house, "and faster, please", house.progress_message()["message_id"])
    assert "already under way" in house.sent_texts()[0]
    assert len(house.kie.tasks) == 1


async def test_the_command_may_stand_before_the_words(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo(), "make it snow")
    await house.advance_time(40)
    await _send_text(house, "/edit make it rain", picture)
    assert "make it rain" in await _ordered_pictures(house)


async def test_words_with_nothing_to_edit_get_a_hint(house: BotHarness) -> None:
    await _send_text(house, "make it snow")
    assert house.sent_texts()[0].startswith("I edit pictures.")


async def test_words_that_were_sent_while_the_bot_was_away_are_not_too_late(house: BotHarness) -> None:
    await house.request_edit(make_photo(), "")
    house.clock.now += 5 * HOUR
    house.ada.send_text("make it snow")
    await house.bot.worker.recover()
    await house.run_due_work()
    await house.receive_updates()
    await house.settle()
    assert list(await _ordered_pictures(house)) == ["make it snow"]


async def test_a_reply_to_what_was_said_about_useless_words_is_taken(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo(), "")
    await house.request_edit(make_photo("red"), "")
    await _send_text(house, "x" * 5001, picture)
    [reply_text] = [each for each in house.telegram.bot_messages(house.ada.id) if "5,001" in each.get("text", "")]
    await _send_text(house, "make it snow", reply_text["message_id"])
    assert await _ordered_pictures(house) == {"make it snow": [_photo_bytes(house, picture)]}


async def test_a_reply_to_ones_own_words_is_another_wish_for_their_pictures(house: BotHarness) -> None:
    picture = await house.request_edit(make_photo(), "")
    words = await _send_text(house, "make it snow")
    await house.advance_time(40)
    await _send_text(house, "no, rain", words)
    assert (await _ordered_pictures(house))["no, rain"] == [_photo_bytes(house, picture)]
