"""What an update says, and which updates ask for nothing."""

from typing import Any

import pytest

from bot.handlers.update_parser import parse_update
from bot.handlers.update_types import (
    AlbumItemSent,
    BotMembershipChanged,
    BotRemoved,
    ButtonPressed,
    CommandGiven,
    GroupMigrated,
    ImageSent,
    MessageEdited,
    ParsedUpdate,
    ReplyTarget,
    TextSent,
    UnsupportedContentSent,
    UpdateContent,
    UpdateOrigin,
)
from bot.job import SourceImage
from bot.telegram.buttons import Button, ButtonAction, ButtonPress
from bot.telegram.client import BotAccount
from tests.bot_api_validator import validate_update
from tests.handlers.sample_updates import ADA_USER, DOCUMENT, GROUP_CHAT, PHOTO_SIZES, PRIVATE_CHAT, make_update

PHOTO_SOURCE = SourceImage(7, "large", "l", is_photo=True, size=90_000)
DOCUMENT_SOURCE = SourceImage(7, "file", "f", is_photo=False, size=500)
ME = BotAccount(424242, "darkroom_bot")
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


def _parse_content(update: dict[str, Any]) -> UpdateContent | None:
    parsed = parse_update(update, ME)
    return None if parsed is None else parsed.content


def _parse_origin(update: dict[str, Any], me: BotAccount = ME) -> UpdateOrigin:
    parsed = parse_update(update, me)
    assert parsed is not None
    return parsed.origin


@pytest.mark.parametrize(
    ("content", "meaning"),
    [
        ({"photo": PHOTO_SIZES, "caption": " make it snow "}, ImageSent(PHOTO_SOURCE, "make it snow")),
        ({"photo": PHOTO_SIZES}, ImageSent(PHOTO_SOURCE, "")),
        ({"photo": PHOTO_SIZES, "caption": "\u200b \u200d\u2066"}, ImageSent(PHOTO_SOURCE, "")),
        ({"photo": PHOTO_SIZES, "caption": "🌨"}, ImageSent(PHOTO_SOURCE, "🌨")),
        ({"document": DOCUMENT, "caption": "make it snow"}, ImageSent(DOCUMENT_SOURCE, "make it snow")),
        ({"photo": PHOTO_SIZES, "caption": "/edit make it snow"}, ImageSent(PHOTO_SOURCE, "make it snow")),
        (
            {"photo": PHOTO_SIZES, "caption": "/edit@darkroom_bot\nmake it snow"},
            ImageSent(PHOTO_SOURCE, "make it snow"),
        ),
        ({"photo": PHOTO_SIZES, "caption": "/edit"}, ImageSent(PHOTO_SOURCE, "")),
        ({"photo": PHOTO_SIZES, "caption": "50/50 light"}, ImageSent(PHOTO_SOURCE, "50/50 light")),
        ({"photo": PHOTO_SIZES, "caption": "/help"}, CommandGiven("help")),
        ({"photo": PHOTO_SIZES, "caption": "x", "media_group_id": "g"}, AlbumItemSent("g", PHOTO_SOURCE, "x")),
        ({"document": DOCUMENT, "media_group_id": "g"}, AlbumItemSent("g", DOCUMENT_SOURCE, "")),
        ({"photo": PHOTO_SIZES, "caption": "/edit x", "media_group_id": "g"}, AlbumItemSent("g", PHOTO_SOURCE, "x")),
        ({"photo": PHOTO_SIZES, "caption": "\u200b", "media_group_id": "g"}, AlbumItemSent("g", PHOTO_SOURCE, "")),
        ({"video": VIDEO, "caption": "x", "media_group_id": "g"}, AlbumItemSent("g", None, "x")),
        ({"video": VIDEO, "caption": "x"}, UnsupportedContentSent()),
        ({"text": "/Start abc"}, CommandGiven("start")),
        ({"text": "/privacy@darkroom_bot"}, CommandGiven("privacy")),
        ({"text": "hello"}, TextSent("hello")),
        ({"text": "/"}, TextSent("/")),
        ({"text": "/edit make it snow"}, TextSent("make it snow")),
        ({"text": " \u200b"}, TextSent("")),
        ({"document": DOCUMENT, "animation": ANIMATION, "caption": "x"}, UnsupportedContentSent()),
        ({"sticker": STICKER}, UnsupportedContentSent()),
        ({"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}}, UnsupportedContentSent()),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, UnsupportedContentSent()),
        ({"pinned_message": {"message_id": 1, "date": 0, "chat": PRIVATE_CHAT}}, None),
        ({"message_auto_delete_timer_changed": {"message_auto_delete_time": 60}}, None),
    ],
)
def test_a_private_message_is_understood(content: dict[str, Any], meaning: UpdateContent | None) -> None:
    assert _parse_content(make_update(**content)) == meaning


def _earlier_message(**content: Any) -> dict[str, Any]:
    return {"reply_to_message": {"message_id": 3, "date": 1, "chat": PRIVATE_CHAT, "from": ADA_USER} | content}


def _message_elsewhere(**content: Any) -> dict[str, Any]:
    return {"external_reply": {"origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Bob"}} | content}


#: The position of an image is the id of its message; for a message of another chat, that of the reply.
EARLIER = SourceImage(3, "large", "l", is_photo=True, size=90_000)
EARLIER_FILE = SourceImage(3, "file", "f", is_photo=False, size=500)


@pytest.mark.parametrize(
    ("reply", "to"),
    [
        (_earlier_message(photo=PHOTO_SIZES, caption="x"), ReplyTarget(3, EARLIER)),
        (_earlier_message(photo=PHOTO_SIZES, media_group_id="g"), ReplyTarget(3, EARLIER)),
        (_earlier_message(document=DOCUMENT), ReplyTarget(3, EARLIER_FILE)),
        (_earlier_message(text="x"), ReplyTarget(3, None)),
        (_earlier_message(video=VIDEO), ReplyTarget(3, None)),
        (_earlier_message(document=DOCUMENT, animation=ANIMATION), ReplyTarget(3, None)),
        (_message_elsewhere(photo=PHOTO_SIZES), ReplyTarget(None, PHOTO_SOURCE)),
        (_message_elsewhere(document=DOCUMENT), ReplyTarget(None, DOCUMENT_SOURCE)),
        (_message_elsewhere(video=VIDEO), ReplyTarget(None, None)),
        (_message_elsewhere(), ReplyTarget(None, None)),
        ({}, None),
    ],
)
@pytest.mark.parametrize("text", ["make it snow", "/edit make it snow"])
def test_words_say_what_they_reply_to(text: str, reply: dict[str, Any], to: ReplyTarget | None) -> None:
    update = make_update(text=text, **reply)
    validate_update(update)
    assert _parse_content(update) == TextSent("make it snow", to)


def test_a_picture_that_replies_to_a_picture_means_itself() -> None:
    update = make_update(photo=PHOTO_SIZES, caption="make it snow", **_earlier_message(document=DOCUMENT))
    assert _parse_content(update) == ImageSent(PHOTO_SOURCE, "make it snow")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"photo": PHOTO_SIZES, "caption": " make it rain "}, "make it rain"),
        ({"photo": PHOTO_SIZES, "caption": "/edit make it rain"}, "make it rain"),
        ({"photo": PHOTO_SIZES, "caption": "make it rain", "media_group_id": "g"}, "make it rain"),
        ({"video": VIDEO, "caption": "make it rain", "media_group_id": "g"}, "make it rain"),
        ({"photo": PHOTO_SIZES}, ""),
        ({"photo": PHOTO_SIZES, "caption": "\u200b"}, ""),
        ({"text": "make it rain"}, "make it rain"),
        ({"text": "/edit"}, ""),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, ""),
    ],
)
def test_an_edited_message_says_only_which_words_it_has_now(content: dict[str, Any], words: str) -> None:
    update = make_update(kind="edited_message", edit_date=1_700_000_001, **content)
    validate_update(update)
    assert parse_update(update, ME) == ParsedUpdate(UpdateOrigin(5, 5, 7, None), MessageEdited(words))


def _press_update(data: str | None, shown: dict[str, Any] | None) -> dict[str, Any]:
    body = {"id": "42", "from": ADA_USER, "chat_instance": "1", "data": data, "message": shown}
    return {"update_id": 1, "callback_query": {name: value for name, value in body.items() if value is not None}}


VISIBLE_MESSAGE = {"message_id": 9, "date": 1, "chat": PRIVATE_CHAT, "from": BOT, "text": "What should I change?"}
INACCESSIBLE_MESSAGE = {"message_id": 9, "date": 0, "chat": PRIVATE_CHAT}


@pytest.mark.parametrize("shown", [VISIBLE_MESSAGE, INACCESSIBLE_MESSAGE], ids=["shown", "inaccessible"])
@pytest.mark.parametrize("action", ButtonAction)
def test_a_press_is_understood_whether_or_not_its_message_can_still_be_seen(
    action: ButtonAction, shown: dict[str, Any]
) -> None:
    update = _press_update(Button("label", action, 12, 34).callback_data, shown)
    validate_update(update)
    pressed = ButtonPressed("42", ButtonPress(action, 12, 34))
    assert parse_update(update, ME) == ParsedUpdate(UpdateOrigin(5, 5, 9, None), pressed)


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
    update = _press_update(data, VISIBLE_MESSAGE)
    validate_update(update)
    assert _parse_content(update) == ButtonPressed("42", None)


def test_whether_a_message_has_what_was_pressed_is_what_telegram_shows_of_it() -> None:
    keyboard = {"inline_keyboard": [[{"text": "Cancel", "callback_data": "1:cancel:12:0"}]]}
    for data, shown, is_offered in (
        ("1:cancel:12:0", VISIBLE_MESSAGE | {"reply_markup": keyboard}, True),
        ("1:cancel:13:0", VISIBLE_MESSAGE | {"reply_markup": keyboard}, False),
        ("1:cancel:12:0", VISIBLE_MESSAGE, False),
        ("1:cancel:12:0", INACCESSIBLE_MESSAGE, False),
    ):
        update = _press_update(data, shown)
        validate_update(update)
        press = _parse_content(update)
        assert isinstance(press, ButtonPressed)
        assert press.is_offered is is_offered


def test_a_press_under_a_message_of_no_chat_asks_for_nothing() -> None:
    assert _parse_content(_press_update("1:cancel:1:0", None)) is None


def test_the_thread_of_a_topic_is_kept_and_that_of_a_reply_chain_is_not() -> None:
    inside = make_update(text="x", message_thread_id=3, is_topic_message=True)
    outside = make_update(text="x", message_thread_id=3)
    assert parse_update(inside, ME) == ParsedUpdate(UpdateOrigin(5, 5, 7, 3), TextSent("x"))
    assert parse_update(outside, ME) == ParsedUpdate(UpdateOrigin(5, 5, 7, None), TextSent("x"))


def _membership_update(chat: dict[str, Any], before: str, after: str, **more: Any) -> dict[str, Any]:
    until = {"until_date": 0}
    change = {
        "chat": chat,
        "from": ADA_USER,
        "date": 1,
        "old_chat_member": {"status": before, "user": BOT} | (until if before == "kicked" else {}),
        "new_chat_member": {"status": after, "user": BOT} | (until if after == "kicked" else {}) | more,
    }
    return {"update_id": 1, "my_chat_member": change}


@pytest.mark.parametrize(("status", "meaning"), [("kicked", BotRemoved()), ("member", None)])
def test_a_person_who_stops_the_bot_is_noticed(status: str, meaning: UpdateContent | None) -> None:
    update = _membership_update(PRIVATE_CHAT, "member", status)
    validate_update(update)
    assert _parse_content(update) == meaning


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
        ("left", "member", {}, BotMembershipChanged(is_new=True, is_admin=False)),
        ("kicked", "member", {}, BotMembershipChanged(is_new=True, is_admin=False)),
        ("left", "administrator", ADMIN, BotMembershipChanged(is_new=True, is_admin=True)),
        ("member", "administrator", ADMIN, BotMembershipChanged(is_new=False, is_admin=True)),
        ("member", "restricted", MUTED | {"is_member": True}, BotMembershipChanged(is_new=False, is_admin=False)),
        ("member", "restricted", MUTED | {"is_member": False}, BotRemoved()),
        ("member", "left", {}, BotRemoved()),
        ("member", "kicked", {}, BotRemoved()),
    ],
)
def test_what_happens_to_the_bot_in_a_group_is_noticed(
    before: str, after: str, more: dict[str, Any], meaning: UpdateContent
) -> None:
    assert _parse_content(_membership_update(GROUP_CHAT, before, after, **more)) == meaning


def test_what_is_made_of_the_bot_in_a_channel_asks_for_nothing() -> None:
    assert (
        _parse_content(
            _membership_update({"id": -2, "type": "channel", "title": "News"}, "left", "administrator", **ADMIN)
        )
        is None
    )


def test_a_group_that_became_a_supergroup_is_noticed_from_both_sides() -> None:
    old = {"id": -5, "type": "group", "title": "Friends"}
    assert _parse_content(make_update(chat=old, migrate_to_chat_id=-100)) == GroupMigrated(-5, -100)
    assert _parse_content(make_update(chat=GROUP_CHAT, migrate_from_chat_id=-5)) == GroupMigrated(-5, -100)


ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL = {"id": -200, "type": "channel", "title": "News"}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}


@pytest.mark.parametrize(("user", "chat"), [(ANONYMOUS, GROUP_CHAT), (CHANNEL_BOT, CHANNEL)])
def test_who_speaks_in_the_name_of_a_chat_is_that_chat(user: dict[str, Any], chat: dict[str, Any]) -> None:
    update = make_update(chat=GROUP_CHAT, sender_chat=chat, text="/edit make it snow")
    update["message"]["from"] = user
    validate_update(update)
    origin = _parse_origin(update)
    assert (origin.chat_id, origin.user_id) == (GROUP_CHAT["id"], chat["id"])


def _mention(words: str, name: str) -> dict[str, Any]:
    """Return the entity of a mention, in UTF-16 units."""
    before = words[: words.index(name)].encode("utf-16-le")
    return {"type": "mention", "offset": len(before) // 2, "length": len(name)}


@pytest.mark.parametrize(
    ("words", "prompt"),
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
def test_our_name_is_no_part_of_a_wish(where: str, words: str, prompt: str) -> None:
    name = "@Darkroom_Bot" if "@Darkroom_Bot" in words else "@darkroom_bot"
    marks = "caption_entities" if where == "caption" else "entities"
    content: dict[str, Any] = {where: words, marks: [_mention(words, name)]} | (
        {"photo": PHOTO_SIZES} if where == "caption" else {}
    )
    update = make_update(chat=GROUP_CHAT, **content)
    validate_update(update)
    assert _parse_content(update) == (ImageSent(PHOTO_SOURCE, prompt) if where == "caption" else TextSent(prompt))


def test_a_name_that_only_begins_like_ours_keeps_its_beginning() -> None:
    words = "@darkroom_bot2 and @darkroom_bot make it snow"
    marks = [{"type": "mention", "offset": 0, "length": 14}, {"type": "mention", "offset": 19, "length": 13}]
    update = make_update(chat=GROUP_CHAT, photo=PHOTO_SIZES, caption=words, caption_entities=marks)
    validate_update(update)
    assert _parse_content(update) == ImageSent(PHOTO_SOURCE, "@darkroom_bot2 and make it snow")


def test_the_name_of_somebody_else_is_a_part_of_it() -> None:
    words = "put @charles next to me"
    update = make_update(
        chat=GROUP_CHAT, photo=PHOTO_SIZES, caption=words, caption_entities=[_mention(words, "@charles")]
    )
    assert _parse_content(update) == ImageSent(PHOTO_SOURCE, words)


def test_our_name_is_no_part_of_a_wish_where_it_is_the_one_that_people_see() -> None:
    us = {"id": ME.id, "is_bot": True, "first_name": "Darkroom"}
    mark = {"type": "text_mention", "offset": 0, "length": 8, "user": us}
    update = make_update(chat=GROUP_CHAT, photo=PHOTO_SIZES, caption="Darkroom, at night", caption_entities=[mark])
    validate_update(update)
    assert _parse_content(update) == ImageSent(PHOTO_SOURCE, "at night")


def test_what_opened_a_topic_is_not_replied_to_by_all_that_is_said_there() -> None:
    opened = {
        "message_id": 3,
        "date": 1,
        "chat": GROUP_CHAT,
        "from": ADA_USER,
        "message_thread_id": 3,
        "is_topic_message": True,
    }
    opened["forum_topic_created"] = {"name": "Holidays", "icon_color": 7322096}
    inside = make_update(
        chat=GROUP_CHAT | {"is_forum": True}, text="/edit x", message_thread_id=3, is_topic_message=True,
        reply_to_message=opened,
    )  # fmt: skip
    assert _parse_content(inside) == TextSent("x", None)


def test_an_edited_message_in_a_group_says_also_what_it_asks_for() -> None:
    update = make_update(
        kind="edited_message", chat=GROUP_CHAT, photo=PHOTO_SIZES, caption="/edit x", edit_date=1_700_000_001
    )
    assert _parse_content(update) == MessageEdited("x", ImageSent(PHOTO_SOURCE, "x"))


@pytest.mark.parametrize("privacy_is_off", [True, False])
def test_in_a_group_it_depends_on_the_privacy_mode_what_is_heard(privacy_is_off: bool) -> None:
    me = BotAccount(424242, "darkroom_bot", can_read_all_group_messages=privacy_is_off)
    assert _parse_origin(make_update(chat=GROUP_CHAT, text="/edit"), me).receives_all is privacy_is_off


@pytest.mark.parametrize("kind", ["channel_post", "edited_channel_post", "business_message", "guest_message"])
def test_only_a_new_message_can_start_anything(kind: str) -> None:
    assert parse_update(make_update(kind=kind, photo=PHOTO_SIZES, caption="make it snow"), ME) is None
