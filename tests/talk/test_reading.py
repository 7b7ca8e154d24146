"""What an update means, and which ones mean nothing to us."""

from typing import Any

import pytest

from bot.chat.buttons import Action, Button, Pressed
from bot.chat.client import Me
from bot.job import Source
from bot.talk.meanings import (
    AlbumItemSent,
    BotPlaced,
    BotRemoved,
    ButtonPressed,
    CommandGiven,
    GroupMoved,
    Meaning,
    Origin,
    OtherSent,
    PictureSent,
    RepliedTo,
    WordsChanged,
    WordsSent,
)
from bot.talk.reading import read_update
from tests.oracle import check_update
from tests.talk.updates import ADA, FILE, GROUP, PHOTO, PRIVATE, message

LARGE = Source(7, "large", "l", is_photo=True, size=90_000)
ORIGINAL = Source(7, "file", "f", is_photo=False, size=500)
ME = Me(424242, "darkroom_bot")
BOT = {"id": 424242, "is_bot": True, "first_name": "Darkroom"}
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
    reading = read_update(update, ME)
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
    assert read_update(update, ME) == (Origin(5, 5, 7, None), WordsChanged(words))


def _press(data: str | None, shown: dict[str, Any] | None) -> dict[str, Any]:
    """Return an update with a press of a button of ours under the message that is shown."""
    body = {"id": "42", "from": ADA, "chat_instance": "1", "data": data, "message": shown}
    return {"update_id": 1, "callback_query": {name: value for name, value in body.items() if value is not None}}


SHOWN = {"message_id": 9, "date": 1, "chat": PRIVATE, "from": BOT, "text": "What should I change?"}
INACCESSIBLE = {"message_id": 9, "date": 0, "chat": PRIVATE}


@pytest.mark.parametrize("shown", [SHOWN, INACCESSIBLE], ids=["shown", "inaccessible"])
@pytest.mark.parametrize("action", Action)
def test_a_press_is_understood_whether_or_not_its_message_can_still_be_seen(
    action: Action, shown: dict[str, Any]
) -> None:
    update = _press(Button("label", action, 12, 34).data, shown)
    check_update(update)
    assert read_update(update, ME) == (Origin(5, 5, 9, None), ButtonPressed("42", Pressed(action, 12, 34)))


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


def test_whether_a_message_has_what_was_pressed_is_what_telegram_shows_of_it() -> None:
    keyboard = {"inline_keyboard": [[{"text": "Cancel", "callback_data": "1:cancel:12:0"}]]}
    for data, shown, is_offered in (
        ("1:cancel:12:0", SHOWN | {"reply_markup": keyboard}, True),
        ("1:cancel:13:0", SHOWN | {"reply_markup": keyboard}, False),
        ("1:cancel:12:0", SHOWN, False),
        ("1:cancel:12:0", INACCESSIBLE, False),
    ):
        update = _press(data, shown)
        check_update(update)
        press = _meaning(update)
        assert isinstance(press, ButtonPressed)
        assert press.is_offered is is_offered


def test_a_press_under_a_message_of_no_chat_asks_for_nothing() -> None:
    assert read_update(_press("1:cancel:1:0", None), ME) is None


def test_the_thread_of_a_topic_is_kept_and_that_of_a_reply_chain_is_not() -> None:
    inside = message(text="x", message_thread_id=3, is_topic_message=True)
    outside = message(text="x", message_thread_id=3)
    assert read_update(inside, ME) == (Origin(5, 5, 7, 3), WordsSent("x"))
    assert read_update(outside, ME) == (Origin(5, 5, 7, None), WordsSent("x"))


def _moved(chat: dict[str, Any], before: str, after: str, **more: Any) -> dict[str, Any]:
    """Return an update that somebody made something else of the bot in a chat."""
    until = {"until_date": 0}
    change = {
        "chat": chat,
        "from": ADA,
        "date": 1,
        "old_chat_member": {"status": before, "user": BOT} | (until if before == "kicked" else {}),
        "new_chat_member": {"status": after, "user": BOT} | (until if after == "kicked" else {}) | more,
    }
    return {"update_id": 1, "my_chat_member": change}


@pytest.mark.parametrize(("status", "meaning"), [("kicked", BotRemoved()), ("member", None)])
def test_a_person_who_stops_the_bot_is_noticed(status: str, meaning: Meaning | None) -> None:
    update = _moved(PRIVATE, "member", status)
    check_update(update)
    assert _meaning(update) == meaning


ADMIN = dict.fromkeys(
    (
        "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
        "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
        "can_edit_stories", "can_delete_stories",
    ),
    False,
)  # fmt: skip
MUTED = dict.fromkeys(
    (
        "can_send_messages", "can_send_audios", "can_send_documents", "can_send_photos", "can_send_videos",
        "can_send_video_notes", "can_send_voice_notes", "can_send_polls", "can_send_other_messages",
        "can_add_web_page_previews", "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics",
        "can_edit_tag", "can_react_to_messages",
    ),
    False,
) | {"until_date": 0}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "more", "meaning"),
    [
        ("left", "member", {}, BotPlaced(is_new=True, is_admin=False)),
        ("kicked", "member", {}, BotPlaced(is_new=True, is_admin=False)),
        ("left", "administrator", ADMIN, BotPlaced(is_new=True, is_admin=True)),
        ("member", "administrator", ADMIN, BotPlaced(is_new=False, is_admin=True)),
        ("member", "restricted", MUTED | {"is_member": True}, BotPlaced(is_new=False, is_admin=False)),
        ("member", "restricted", MUTED | {"is_member": False}, BotRemoved()),
        ("member", "left", {}, BotRemoved()),
        ("member", "kicked", {}, BotRemoved()),
    ],
)
def test_what_happens_to_the_bot_in_a_group_is_noticed(
    before: str, after: str, more: dict[str, Any], meaning: Meaning
) -> None:
    assert _meaning(_moved(GROUP, before, after, **more)) == meaning


def test_what_is_made_of_the_bot_in_a_channel_asks_for_nothing() -> None:
    assert _meaning(_moved({"id": -2, "type": "channel", "title": "News"}, "left", "administrator", **ADMIN)) is None


def test_a_group_that_became_a_supergroup_is_noticed_from_both_sides() -> None:
    old = {"id": -5, "type": "group", "title": "Friends"}
    assert _meaning(message(chat=old, migrate_to_chat_id=-100)) == GroupMoved(-5, -100)
    assert _meaning(message(chat=GROUP, migrate_from_chat_id=-5)) == GroupMoved(-5, -100)


ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL = {"id": -200, "type": "channel", "title": "News"}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}


@pytest.mark.parametrize(("user", "chat"), [(ANONYMOUS, GROUP), (CHANNEL_BOT, CHANNEL)])
def test_who_speaks_in_the_name_of_a_chat_is_that_chat(user: dict[str, Any], chat: dict[str, Any]) -> None:
    update = message(chat=GROUP, sender_chat=chat, text="/edit make it snow")
    update["message"]["from"] = user
    check_update(update)
    reading = read_update(update, ME)
    assert reading is not None
    assert (reading[0].chat_id, reading[0].user_id) == (GROUP["id"], chat["id"])


def _mention(words: str, name: str) -> dict[str, Any]:
    """Return a mention of a name in a text, as Telegram marks it: in units of UTF-16."""
    before = words[: words.index(name)].encode("utf-16-le")
    return {"type": "mention", "offset": len(before) // 2, "length": len(name)}


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ("@darkroom_bot make it snow", "make it snow"),
        ("make it snow @Darkroom_Bot", "make it snow"),
        ("@darkroom_bot, make it snow", "make it snow"),
        ("🌨 please @darkroom_bot make it snow", "🌨 please make it snow"),
        ("/edit @darkroom_bot make it snow", "make it snow"),
        ("@darkroom_bot /edit make it snow", "make it snow"),
        ("@darkroom_bot", ""),
    ],
)
@pytest.mark.parametrize("where", ["caption", "text"])
def test_our_name_is_no_part_of_a_wish(where: str, words: str, wish: str) -> None:
    name = "@Darkroom_Bot" if "@Darkroom_Bot" in words else "@darkroom_bot"
    marks = "caption_entities" if where == "caption" else "entities"
    content: dict[str, Any] = {where: words, marks: [_mention(words, name)]} | (
        {"photo": PHOTO} if where == "caption" else {}
    )
    update = message(chat=GROUP, **content)
    check_update(update)
    assert _meaning(update) == (PictureSent(LARGE, wish) if where == "caption" else WordsSent(wish))


def test_a_name_that_only_begins_like_ours_keeps_its_beginning() -> None:
    words = "@darkroom_bot2 and @darkroom_bot make it snow"
    marks = [{"type": "mention", "offset": 0, "length": 14}, {"type": "mention", "offset": 19, "length": 13}]
    update = message(chat=GROUP, photo=PHOTO, caption=words, caption_entities=marks)
    check_update(update)
    assert _meaning(update) == PictureSent(LARGE, "@darkroom_bot2 and make it snow")


def test_the_name_of_somebody_else_is_a_part_of_it() -> None:
    words = "put @charles next to me"
    update = message(chat=GROUP, photo=PHOTO, caption=words, caption_entities=[_mention(words, "@charles")])
    assert _meaning(update) == PictureSent(LARGE, words)


def test_our_name_is_no_part_of_a_wish_where_it_is_the_one_that_people_see() -> None:
    us = {"id": ME.id, "is_bot": True, "first_name": "Darkroom"}
    mark = {"type": "text_mention", "offset": 0, "length": 8, "user": us}
    update = message(chat=GROUP, photo=PHOTO, caption="Darkroom, at night", caption_entities=[mark])
    check_update(update)
    assert _meaning(update) == PictureSent(LARGE, "at night")


def test_what_opened_a_topic_is_not_replied_to_by_all_that_is_said_there() -> None:
    opened = {"message_id": 3, "date": 1, "chat": GROUP, "from": ADA, "message_thread_id": 3, "is_topic_message": True}
    opened["forum_topic_created"] = {"name": "Holidays", "icon_color": 7322096}
    inside = message(
        chat=GROUP | {"is_forum": True}, text="/edit x", message_thread_id=3, is_topic_message=True,
        reply_to_message=opened,
    )  # fmt: skip
    assert _meaning(inside) == WordsSent("x", None)


def test_an_edited_message_in_a_group_says_also_what_it_asks_for() -> None:
    update = message(kind="edited_message", chat=GROUP, photo=PHOTO, caption="/edit x", edit_date=1_700_000_001)
    assert _meaning(update) == WordsChanged("x", PictureSent(LARGE, "x"))


@pytest.mark.parametrize(("privacy_is_off", "hears_all"), [(True, True), (False, False)])
def test_in_a_group_it_depends_on_the_privacy_mode_what_is_heard(privacy_is_off: bool, hears_all: bool) -> None:
    reading = read_update(message(chat=GROUP, text="/edit"), Me(424242, "darkroom_bot", hears_all=privacy_is_off))
    assert reading is not None
    assert reading[0].hears_all is hears_all


@pytest.mark.parametrize("kind", ["channel_post", "edited_channel_post", "business_message", "guest_message"])
def test_only_a_new_message_can_start_anything(kind: str) -> None:
    assert read_update(message(kind=kind, photo=PHOTO, caption="make it snow"), ME) is None
