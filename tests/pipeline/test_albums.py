"""Albums: several images become one request, in the order of their messages."""

from collections.abc import Sequence

import pytest

from bot.job import State
from bot.sandbox.fault_injection import HTML_502
from bot.sandbox.telegram.errors import bad_request
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo

COLOURS = ("red", "green", "blue")


async def _receive_and_wait(house: BotHarness, seconds: float = 3.0) -> None:
    """Receive the updates, and advance the time."""
    await house.receive_updates()
    await _advance(house, seconds)


async def _advance(house: BotHarness, seconds: float = 3.0) -> None:
    await house.advance_time(seconds)
    await house.kie.wait_for(lambda: all(task.prepared_at is not None for task in house.kie.tasks.values()))


def _sent(house: BotHarness, ids: Sequence[int]) -> list[bytes]:
    messages = {message["message_id"]: message for message in house.telegram.messages(house.ada.id)}
    return [house.telegram.message_photo_bytes(messages[each]) for each in ids]


@pytest.mark.parametrize("as_documents", [False, True])
@pytest.mark.parametrize("count", [2, 10])
async def test_an_album_reaches_kie_as_one_order_with_its_pictures_in_order(
    house: BotHarness, count: int, as_documents: bool
) -> None:
    images = [make_photo(size=(100 + number, 80)) for number in range(count)]
    ids = house.ada.send_album(images, {0: "a duel"}, as_documents=as_documents)
    await _receive_and_wait(house)
    [task] = house.kie.tasks.values()
    assert task.inputs == _sent(house, ids)
    assert task.prompt == "a duel"


async def test_an_album_gets_one_answer_which_replies_to_its_first_picture(house: BotHarness) -> None:
    first, *_ = house.ada.send_album([make_photo(colour) for colour in COLOURS], {2: "a duel"})
    await _receive_and_wait(house)
    await _advance(house, 30)
    [answer] = house.pictures()
    assert answer["reply_to_message"]["message_id"] == first
    assert house.sent_texts() == []


@pytest.mark.parametrize("captions", [{0: "this"}, {1: "this"}, {2: "this"}, {1: "this", 2: "not this"}])
async def test_the_first_caption_by_the_order_of_the_messages_is_the_prompt(
    house: BotHarness, captions: dict[int, str]
) -> None:
    house.ada.send_album([make_photo(colour) for colour in COLOURS], captions)
    await _receive_and_wait(house)
    assert [task.prompt for task in house.kie.tasks.values()] == ["this"]


async def test_an_album_is_closed_by_quiet_and_at_the_latest_eight_seconds_after_its_first_picture(
    house: BotHarness,
) -> None:
    for seconds in range(9):
        house.ada.send_photo(make_photo(size=(100 + seconds, 80)), "slowly" if not seconds else None, album="slow")
        await house.receive_updates()
        assert house.kie.tasks == {} or seconds == 8
        await house.advance_time(1)
    await _advance(house)
    [task] = house.kie.tasks.values()
    assert len(task.inputs) == 8
    assert "too late to join" in house.sent_texts()[0]


async def test_ten_pictures_close_an_album_at_once(house: BotHarness) -> None:
    house.ada.send_album([make_photo(size=(100 + number, 80)) for number in range(10)], {0: "a crowd"})
    await _receive_and_wait(house, 0.5)
    assert len(house.kie.tasks) == 1


async def test_two_albums_at_once_do_not_mix(house: BotHarness) -> None:
    sent: dict[str, list[int]] = {"one": [], "two": []}
    for number in range(3):
        for album, ids in sent.items():
            photo = make_photo(size=(100 + number, 80 + len(album)))
            ids.append(house.ada.send_photo(photo, album if number == 1 else None, album=album))
    await _receive_and_wait(house)
    orders = {task.prompt: task.inputs for task in house.kie.tasks.values()}
    assert orders == {album: _sent(house, ids) for album, ids in sent.items()}


async def test_a_late_picture_is_told_once_and_can_be_edited_by_a_reply(house: BotHarness) -> None:
    house.ada.send_album([make_photo(), make_photo("red")], {0: "a duel"}, album="a")
    await _receive_and_wait(house)
    late = house.ada.send_photo(make_photo("green"), album="a")
    house.ada.send_photo(make_photo("blue"), album="a")
    await _receive_and_wait(house)
    assert ["too late to join" in text for text in house.sent_texts()] == [True]
    assert len(house.kie.tasks) == 1
    house.ada.send_text("make it snow", reply_to=late)
    await _receive_and_wait(house)
    assert [task.inputs for task in house.kie.tasks.values()][1] == _sent(house, [late])


async def test_a_picture_that_telegram_delivers_again_changes_nothing(house: BotHarness) -> None:
    house.ada.send_album([make_photo(), make_photo("red")], {0: "a duel"})
    updates = [update["update_id"] for update in house.telegram.state.updates.pending]
    await house.receive_updates()
    for update_id in updates:
        house.telegram.redeliver(update_id)
    await _receive_and_wait(house)
    [task] = house.kie.tasks.values()
    assert len(task.inputs) == 2
    assert house.sent_texts() == []


async def test_after_a_restart_an_open_album_waits_for_the_rest(house: BotHarness) -> None:
    house.ada.send_photo(make_photo(), "a duel", album="a")
    await house.receive_updates()
    house.clock.now += 3600
    await house.bot.worker.recover()
    await house.run_due_work()
    house.ada.send_photo(make_photo("red"), album="a")
    await _receive_and_wait(house)
    [task] = house.kie.tasks.values()
    assert len(task.inputs) == 2


async def test_an_album_stays_open_while_something_that_came_in_time_is_not_handled(house: BotHarness) -> None:
    house.ada.send_photo(make_photo(), "a duel", album="a")
    await house.receive_updates()
    house.ada.send_photo(make_photo("red"), album="a")
    await house.bot.long_poller.poll_once()
    await house.advance_time(5)
    assert house.kie.tasks == {}
    await house.bot.dispatcher.handle_all()
    await _advance(house)
    [task] = house.kie.tasks.values()
    assert len(task.inputs) == 2


async def test_a_film_in_an_album_is_left_out_and_its_caption_counts(house: BotHarness) -> None:
    house.ada.send_attachment("video", caption="a duel", album="a")
    house.ada.send_photo(make_photo(), album="a")
    await _receive_and_wait(house)
    [task] = house.kie.tasks.values()
    assert (task.prompt, len(task.inputs)) == ("a duel", 1)
    assert "leave out what is not a still picture" in house.sent_texts()[0]


async def test_an_album_of_films_is_answered_once_and_nothing_is_ordered(house: BotHarness) -> None:
    for _ in range(2):
        house.ada.send_attachment("video", album="a")
    await _receive_and_wait(house)
    assert ["only edit still pictures" in text for text in house.sent_texts()] == [True]
    assert (await house.read_job()).state is State.CANCELLED


async def test_a_picture_that_cannot_be_used_is_named_and_costs_nothing(house: BotHarness) -> None:
    house.ada.send_album([make_photo(), make_photo("red"), b"no picture"], {0: "a duel"}, as_documents=True)
    await _receive_and_wait(house)
    assert house.sent_texts() == [
        "Picture 3 of 3: This file is not a picture that I can read. Please send a JPEG, PNG or WebP file, or a photo. "
        "Nothing of this album was ordered."
    ]
    assert house.kie.calls_named("createTask") == []


async def test_a_file_that_is_too_large_is_named_as_well(house: BotHarness) -> None:
    house.ada.send_album([make_photo(), make_photo("red")], {0: "a duel"}, as_documents=True)
    house.telegram.faults.add("getFile", bad_request("file is too big"))
    await _receive_and_wait(house)
    assert house.sent_texts()[0].startswith("Picture 1 of 2: This file is too large")


async def test_cancelling_while_an_album_arrives_takes_all_of_it_back(house: BotHarness) -> None:
    house.ada.send_photo(make_photo(), "a duel", album="a")
    house.ada.send_text("/cancel")
    await house.receive_updates()
    house.ada.send_photo(make_photo("red"), album="a")
    await _receive_and_wait(house, 10)
    assert house.kie.calls == []
    assert house.sent_texts() == ["Cancelled: it will not be ordered."]


async def test_what_was_uploaded_before_a_trouble_is_not_uploaded_again(house: BotHarness) -> None:
    house.ada.send_album([make_photo(colour) for colour in COLOURS], {0: "a duel"})
    house.kie.faults.add("upload", HTML_502)
    await _receive_and_wait(house, 10)
    [task] = house.kie.tasks.values()
    assert len(task.inputs) == 3
    assert len(house.kie.calls_named("upload")) == 4


async def test_a_forwarded_album_is_an_album(house: BotHarness) -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Bob", "date": 1_700_000_000}
    photo = house.ada.send_photo(make_photo())
    [message] = [each for each in house.telegram.messages(house.ada.id) if each["message_id"] == photo]
    await _receive_and_wait(house)
    for caption in ({"caption": "a duel"}, {}):
        house.ada.send({"photo": message["photo"], "forward_origin": origin} | caption, album="forwarded")
    await _receive_and_wait(house)
    assert [(task.prompt, len(task.inputs)) for task in house.kie.tasks.values()] == [("a duel", 2)]


async def test_an_album_is_asked_about_at_its_first_picture_whichever_arrived_first(house: BotHarness) -> None:
    first, _ = house.ada.send_album([make_photo(), make_photo("red")])
    earlier, later_one = house.telegram.state.updates.pending
    house.telegram.state.updates.clear()
    for number, update in enumerate((later_one, earlier)):
        house.telegram.push(update | {"update_id": 900_000_000 + number})
    await _receive_and_wait(house)
    assert house.progress_message()["reply_to_message"]["message_id"] == first


async def test_cancelling_an_album_that_begins_with_a_film_keeps_quiet_about_what_follows(house: BotHarness) -> None:
    house.ada.send_attachment("video", album="a")
    house.ada.send_text("/cancel")
    house.ada.send_photo(make_photo(), album="a")
    await _receive_and_wait(house)
    assert house.sent_texts() == ["Cancelled: it will not be ordered."]
