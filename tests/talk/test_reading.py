"""What an update means, and which ones mean nothing to us."""

from typing import Any

import pytest

from bot.job import Source
from bot.talk.address import concerns_us
from bot.talk.reading import (
    AlbumItemSent,
    BotBlocked,
    CommandGiven,
    Meaning,
    Origin,
    OtherSent,
    PictureSent,
    WordsSent,
    read_update,
)
from tests.talk.updates import ADA, FILE, GROUP, PHOTO, PRIVATE, message

LARGE = Source(7, "large", "l", is_photo=True, size=90_000)
ORIGINAL = Source(7, "file", "f", is_photo=False, size=500)
ANIMATION = {"file_id": "a", "file_unique_id": "a", "width": 1, "height": 1, "duration": 1}
STICKER = {
    "file_id": "st",
    "file_unique_id": "st",
    "type": "regular",
    "width": 512,
    "height": 512,
    "is_animated": False,
    "is_video": False,
}


def _meaning(update: dict[str, Any]) -> Meaning | None:
    reading = read_update(update)
    return None if reading is None else reading[1]


@pytest.mark.parametrize(
    ("content", "meaning"),
    [
        ({"photo": PHOTO, "caption": " make it snow "}, PictureSent(LARGE, "make it snow")),
        ({"photo": PHOTO}, PictureSent(LARGE, "")),
        ({"photo": PHOTO, "caption": "\u200b \u200d\u2066"}, PictureSent(LARGE, "")),
        ({"photo": PHOTO, "caption": "🌨"}, PictureSent(LARGE, "🌨")),
        ({"document": FILE, "caption": "make it snow"}, PictureSent(ORIGINAL, "make it snow")),
        ({"photo": PHOTO, "caption": "/edit make it snow"}, PictureSent(LARGE, "make it snow")),
        ({"photo": PHOTO, "caption": "/edit@darkroom_bot\nmake it snow"}, PictureSent(LARGE, "make it snow")),
        ({"photo": PHOTO, "caption": "/edit"}, PictureSent(LARGE, "")),
        ({"photo": PHOTO, "caption": "50/50 light"}, PictureSent(LARGE, "50/50 light")),
        ({"photo": PHOTO, "caption": "/help"}, CommandGiven("help")),
        ({"photo": PHOTO, "caption": "x", "media_group_id": "g"}, AlbumItemSent("g", LARGE, "x")),
        ({"document": FILE, "media_group_id": "g"}, AlbumItemSent("g", ORIGINAL, "")),
        ({"text": "/Start abc"}, CommandGiven("start")),
        ({"text": "/privacy@darkroom_bot"}, CommandGiven("privacy")),
        ({"text": "hello"}, WordsSent("hello")),
        ({"text": "/"}, WordsSent("/")),
        ({"text": "/edit make it snow"}, WordsSent("make it snow")),
        ({"text": " \u200b"}, WordsSent("")),
        ({"document": FILE, "animation": ANIMATION, "caption": "x"}, OtherSent()),
        ({"sticker": STICKER}, OtherSent()),
        ({"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}}, OtherSent()),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, OtherSent()),
        ({"pinned_message": {"message_id": 1, "date": 0, "chat": PRIVATE}}, None),
        ({"message_auto_delete_timer_changed": {"message_auto_delete_time": 60}}, None),
    ],
)
def test_a_private_message_is_understood(content: dict[str, Any], meaning: Meaning | None) -> None:
    assert _meaning(message(**content)) == meaning


def test_the_thread_of_a_topic_is_kept_and_that_of_a_reply_chain_is_not() -> None:
    inside = message(text="x", message_thread_id=3, is_topic_message=True)
    outside = message(text="x", message_thread_id=3)
    assert read_update(inside) == (Origin(5, 5, 7, 3), WordsSent("x"))
    assert read_update(outside) == (Origin(5, 5, 7, None), WordsSent("x"))


@pytest.mark.parametrize(("status", "meaning"), [("kicked", BotBlocked()), ("member", None)])
def test_a_person_who_stops_the_bot_is_noticed(status: str, meaning: Meaning | None) -> None:
    bot = {"id": 424242, "is_bot": True, "first_name": "Darkroom"}
    change = {
        "chat": PRIVATE,
        "from": ADA,
        "date": 1,
        "old_chat_member": {"status": "member", "user": bot},
        "new_chat_member": {"status": status, "user": bot, "until_date": 0},
    }
    assert _meaning({"update_id": 1, "my_chat_member": change}) == meaning


@pytest.mark.parametrize("kind", ["channel_post", "edited_channel_post", "business_message", "guest_message"])
def test_only_a_new_message_can_start_anything(kind: str) -> None:
    update = message(kind=kind, photo=PHOTO, caption="make it snow")
    assert not concerns_us(update)
    assert read_update(update) is None


@pytest.mark.parametrize("chat", [GROUP, {"id": -1, "type": "group"}, {"id": -2, "type": "channel"}])
def test_what_is_said_in_a_group_is_not_kept(chat: dict[str, Any]) -> None:
    assert not concerns_us(message(chat=chat, photo=PHOTO, caption="make it snow"))


@pytest.mark.parametrize("event", [None, 5, "text", [], {}, {"chat": None}, {"chat": {"type": 7}}])
def test_a_malformed_update_is_kept_for_somebody_to_look_at(event: object) -> None:
    assert concerns_us({"update_id": 1, "message": event})
