"""What an update means, and which ones mean nothing to us."""

from typing import Any

import pytest

from bot.chat.buttons import Action, Button, Pressed
from bot.job import Source
from bot.talk.address import concerns_us
from bot.talk.reading import (
    AlbumItemSent,
    BotBlocked,
    ButtonPressed,
    CommandGiven,
    Meaning,
    Origin,
    OtherSent,
    PictureSent,
    RepliedTo,
    WordsChanged,
    WordsSent,
    read_update,
)
from tests.oracle import check_update
from tests.talk.updates import ADA, FILE, GROUP, PHOTO, PRIVATE, message

LARGE = Source(7, "large", "l", is_photo=True, size=90_000)
ORIGINAL = Source(7, "file", "f", is_photo=False, size=500)
ANIMATION = {"file_id": "a", "file_unique_id": "a", "width": 1, "height": 1, "duration": 1}
VIDEO = {"file_id": "v", "file_unique_id": "v", "width": 1, "height": 1, "duration": 1}
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
        ({"photo": PHOTO, "caption": "/edit x", "media_group_id": "g"}, AlbumItemSent("g", LARGE, "x")),
        ({"photo": PHOTO, "caption": "\u200b", "media_group_id": "g"}, AlbumItemSent("g", LARGE, "")),
        ({"video": VIDEO, "caption": "x", "media_group_id": "g"}, AlbumItemSent("g", None, "x")),
        ({"video": VIDEO, "caption": "x"}, OtherSent()),
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


def _earlier(**content: Any) -> dict[str, Any]:
    return {"reply_to_message": {"message_id": 3, "date": 1, "chat": PRIVATE, "from": ADA} | content}


def _elsewhere(**content: Any) -> dict[str, Any]:
    return {"external_reply": {"origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Bob"}} | content}


#: A picture's place is the message that shows it, which for one of another chat is the reply itself.
EARLIER = Source(3, "large", "l", is_photo=True, size=90_000)
EARLIER_FILE = Source(3, "file", "f", is_photo=False, size=500)


@pytest.mark.parametrize(
    ("reply", "to"),
    [
        (_earlier(photo=PHOTO, caption="x"), RepliedTo(3, EARLIER)),
        (_earlier(photo=PHOTO, media_group_id="g"), RepliedTo(3, EARLIER)),
        (_earlier(document=FILE), RepliedTo(3, EARLIER_FILE)),
        (_earlier(text="x"), RepliedTo(3, None)),
        (_earlier(video=VIDEO), RepliedTo(3, None)),
        (_earlier(document=FILE, animation=ANIMATION), RepliedTo(3, None)),
        (_elsewhere(photo=PHOTO), RepliedTo(None, LARGE)),
        (_elsewhere(document=FILE), RepliedTo(None, ORIGINAL)),
        (_elsewhere(video=VIDEO), RepliedTo(None, None)),
        (_elsewhere(), RepliedTo(None, None)),
        ({}, None),
    ],
)
@pytest.mark.parametrize("text", ["make it snow", "/edit make it snow"])
def test_words_say_what_they_reply_to(text: str, reply: dict[str, Any], to: RepliedTo | None) -> None:
    update = message(text=text, **reply)
    check_update(update)
    assert _meaning(update) == WordsSent("make it snow", to)


def test_a_picture_that_replies_to_a_picture_means_itself() -> None:
    update = message(photo=PHOTO, caption="make it snow", **_earlier(document=FILE))
    assert _meaning(update) == PictureSent(LARGE, "make it snow")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"photo": PHOTO, "caption": " make it rain "}, "make it rain"),
        ({"photo": PHOTO, "caption": "/edit make it rain"}, "make it rain"),
        ({"photo": PHOTO, "caption": "make it rain", "media_group_id": "g"}, "make it rain"),
        ({"video": VIDEO, "caption": "make it rain", "media_group_id": "g"}, "make it rain"),
        ({"photo": PHOTO}, ""),
        ({"photo": PHOTO, "caption": "\u200b"}, ""),
        ({"text": "make it rain"}, "make it rain"),
        ({"text": "/edit"}, ""),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, ""),
    ],
)
def test_an_edited_message_says_only_which_words_it_has_now(content: dict[str, Any], words: str) -> None:
    update = message(kind="edited_message", edit_date=1_700_000_001, **content)
    check_update(update)
    assert read_update(update) == (Origin(5, 5, 7, None), WordsChanged(words))


def _press(data: str | None, shown: dict[str, Any] | None) -> dict[str, Any]:
    """Return an update with a press of a button of ours under the message that is shown."""
    body = {"id": "42", "from": ADA, "chat_instance": "1", "data": data, "message": shown}
    return {"update_id": 1, "callback_query": {name: value for name, value in body.items() if value is not None}}


BOT = {"id": 424242, "is_bot": True, "first_name": "Darkroom"}
SHOWN = {"message_id": 9, "date": 1, "chat": PRIVATE, "from": BOT, "text": "What should I change?"}
INACCESSIBLE = {"message_id": 9, "date": 0, "chat": PRIVATE}


@pytest.mark.parametrize("shown", [SHOWN, INACCESSIBLE], ids=["shown", "inaccessible"])
@pytest.mark.parametrize("action", Action)
def test_a_press_is_understood_whether_or_not_its_message_can_still_be_seen(
    action: Action, shown: dict[str, Any]
) -> None:
    update = _press(Button("label", action, 12, 34).data, shown)
    check_update(update)
    assert read_update(update) == (Origin(5, 5, 9, None), ButtonPressed("42", Pressed(action, 12, 34)))


@pytest.mark.parametrize(
    "data",
    [
        None,
        "old",
        "2:cancel:1:0",
        "1:explode:1:0",
        "1:CANCEL:1:0",
        "1:cancel:1",
        "1:cancel:1:0:0",
        "1:cancel:-1:0",
        "1:cancel:\u0661:0",
        "1:cancel:1:0\n",
        f"1:cancel:{10**18}:0",
    ],
)
def test_a_press_of_what_is_no_button_of_ours_is_still_a_press(data: str | None) -> None:
    update = _press(data, SHOWN)
    check_update(update)
    assert _meaning(update) == ButtonPressed("42", None)


def test_a_press_under_a_message_of_no_chat_asks_for_nothing() -> None:
    assert read_update(_press("1:cancel:1:0", None)) is None


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


@pytest.mark.parametrize("chat", [GROUP, {"id": -1, "type": "group"}, {"id": -2, "type": "channel"}])
@pytest.mark.parametrize("kind", ["edited_message", "callback_query"])
def test_what_is_edited_or_pressed_in_a_group_is_not_kept(kind: str, chat: dict[str, Any]) -> None:
    edited = message(kind="edited_message", chat=chat, photo=PHOTO, caption="make it rain", edit_date=1_700_000_001)
    assert not concerns_us(edited if kind == "edited_message" else _press("1:cancel:1:0", SHOWN | {"chat": chat}))


@pytest.mark.parametrize(
    "update",
    [
        message(kind="edited_message", photo=PHOTO, caption="make it rain", edit_date=1_700_000_001),
        _press("1:cancel:1:0", SHOWN),
        _press("1:cancel:1:0", INACCESSIBLE),
        _press("old", SHOWN),
    ],
    ids=["edited", "pressed", "inaccessible", "unknown"],
)
def test_what_is_edited_or_pressed_in_private_is_kept(update: dict[str, Any]) -> None:
    check_update(update)
    assert concerns_us(update)


MALFORMED: list[object] = [
    None,
    5,
    "text",
    [],
    {},
    {"chat": None},
    {"chat": {"type": 7}},
    {"chat": {"type": ["group"]}},
]


@pytest.mark.parametrize("event", MALFORMED)
@pytest.mark.parametrize("kind", ["message", "edited_message", "my_chat_member", "callback_query"])
def test_a_malformed_update_is_kept_for_somebody_to_look_at(kind: str, event: object) -> None:
    assert concerns_us({"update_id": 1, kind: event})


@pytest.mark.parametrize("shown", MALFORMED)
def test_a_press_under_a_malformed_message_is_kept_as_well(shown: object) -> None:
    assert concerns_us({"update_id": 1, "callback_query": {"id": "42", "from": ADA, "message": shown}})
