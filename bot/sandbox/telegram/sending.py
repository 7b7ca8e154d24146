"""What the bot can send: texts, photos, documents, albums, and signs of life."""

import itertools
from typing import Any

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.chats import Action, Chat
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.contents import caption_of, media_of, text_of
from bot.sandbox.telegram.markup import keyboard
from bot.sandbox.telegram.refusals import Json, bad

ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice",
    "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip
#: How many items an album of a bot may have.
ALBUM = range(2, 11)

_albums = itertools.count(1)


def send_message(cloud: Cloud, arguments: Arguments) -> Json:
    """sendMessage."""
    return _send(cloud, arguments, text_of(arguments))


def send_photo(cloud: Cloud, arguments: Arguments) -> Json:
    """sendPhoto."""
    return _send_file(cloud, arguments, "photo")


def send_document(cloud: Cloud, arguments: Arguments) -> Json:
    """sendDocument."""
    return _send_file(cloud, arguments, "document")


def send_media_group(cloud: Cloud, arguments: Arguments) -> list[Json]:
    """sendMediaGroup: all items or none."""
    chat = cloud.chat(arguments)
    frame = _frame(chat, arguments)
    items = arguments.listing("media")
    if len(items) not in ALBUM:
        raise bad("wrong number of media in the album; there must be 2 to 10")
    contents = [_item(cloud, arguments, item) for item in items]
    if len({next(iter(content)) for content in contents}) > 1:
        raise bad("documents can't be mixed with other media types in an album")
    together = {"media_group_id": f"1{next(_albums):016d}"}
    return [cloud.post(chat, frame | together | content) for content in contents]


def send_chat_action(cloud: Cloud, arguments: Arguments) -> bool:
    """sendChatAction."""
    chat = cloud.chat(arguments)
    action = arguments.text("action")
    if action not in ACTIONS:
        raise bad("wrong parameter action in request")
    chat.actions.append(Action(cloud.clock(), action, arguments.number("message_thread_id")))
    cloud.changes.notify()
    return True


def media_item(cloud: Cloud, arguments: Arguments, item: Json) -> Json:
    """Return the content that an InputMedia object stands for."""
    kind = str(item.get("type"))
    source = arguments.source("", str(item.get("media") or ""))
    return media_of(cloud, kind, source) | caption_of(item)


def _item(cloud: Cloud, arguments: Arguments, item: Any) -> Json:
    if not isinstance(item, dict):
        raise bad("can't parse InputMedia: expected an object")
    return media_item(cloud, arguments, item)


def _send_file(cloud: Cloud, arguments: Arguments, kind: str) -> Json:
    cloud.chat(arguments)
    media = media_of(cloud, kind, arguments.source(kind, arguments.text(kind)))
    return _send(cloud, arguments, media | caption_of(arguments.params))


def _send(cloud: Cloud, arguments: Arguments, content: Json) -> Json:
    chat = cloud.chat(arguments)
    return cloud.post(chat, _frame(chat, arguments) | content | keyboard(arguments))


def _frame(chat: Chat, arguments: Arguments) -> Json:
    """Say where in the chat the message goes: its topic, and what it replies to."""
    place = chat.place(arguments.number("message_thread_id"))
    reply = arguments.mapping("reply_parameters")
    if not reply:
        return place
    thread = place.get("message_thread_id")
    quoted = chat.quoted(reply.get("message_id"))
    target = quoted.get("reply_to_message", {})
    if target and target.get("message_thread_id") == thread:
        return place | quoted
    elsewhere = bool(target) or reply.get("chat_id") not in {None, chat.id}
    if elsewhere or not reply.get("allow_sending_without_reply"):
        raise bad("message to be replied not found")
    return place
