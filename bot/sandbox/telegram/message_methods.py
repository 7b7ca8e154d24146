"""The methods that send, edit, delete and react to messages."""

import itertools
from typing import Any

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.chats import ChatState, ShownChatAction, editable_content
from bot.sandbox.telegram.errors import JsonObject, bad_request_error
from bot.sandbox.telegram.message_content import caption_content, keyboard_content, media_content, text_content
from bot.sandbox.telegram.server_state import TelegramState

CHAT_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice",
    "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip
#: how many items an album may have
ALBUM_SIZES = range(2, 11)

_album_numbers = itertools.count(1)


def send_message(state: TelegramState, arguments: Arguments) -> JsonObject:
    return _send_content(state, arguments, text_content(arguments))


def send_photo(state: TelegramState, arguments: Arguments) -> JsonObject:
    return _send_file(state, arguments, "photo")


def send_document(state: TelegramState, arguments: Arguments) -> JsonObject:
    return _send_file(state, arguments, "document")


def send_media_group(state: TelegramState, arguments: Arguments) -> list[JsonObject]:
    """Send all items of an album, or none."""
    chat = state.require_chat(arguments)
    frame = _placement_fields(chat, arguments)
    items = arguments.array("media")
    if len(items) not in ALBUM_SIZES:
        raise bad_request_error("wrong number of media in the album; there must be 2 to 10")
    contents = [_album_item(state, arguments, item) for item in items]
    if len({next(iter(content)) for content in contents}) > 1:
        raise bad_request_error("documents can't be mixed with other media types in an album")
    shared_fields = {"media_group_id": f"1{next(_album_numbers):016d}"}
    return [state.add_bot_message(chat, frame | shared_fields | content) for content in contents]


def send_chat_action(state: TelegramState, arguments: Arguments) -> bool:
    chat = state.require_chat(arguments)
    action = arguments.text("action")
    if action not in CHAT_ACTIONS:
        raise bad_request_error("wrong parameter action in request")
    chat.actions.append(ShownChatAction(state.clock(), action, arguments.number("message_thread_id")))
    state.changes.notify()
    return True


def input_media_content(state: TelegramState, arguments: Arguments, item: JsonObject) -> JsonObject:
    """Return the message content of an InputMedia object."""
    kind = str(item.get("type"))
    source = arguments.file_source("", str(item.get("media") or ""))
    return media_content(state, kind, source) | caption_content(item)


def _album_item(state: TelegramState, arguments: Arguments, item: Any) -> JsonObject:
    if not isinstance(item, dict):
        raise bad_request_error("can't parse InputMedia: expected an object")
    return input_media_content(state, arguments, item)


def _send_file(state: TelegramState, arguments: Arguments, kind: str) -> JsonObject:
    state.require_chat(arguments)
    media = media_content(state, kind, arguments.file_source(kind, arguments.text(kind)))
    return _send_content(state, arguments, media | caption_content(arguments.params))


def _send_content(state: TelegramState, arguments: Arguments, content: JsonObject) -> JsonObject:
    chat = state.require_chat(arguments)
    return state.add_bot_message(chat, _placement_fields(chat, arguments) | content | keyboard_content(arguments))


def _placement_fields(chat: ChatState, arguments: Arguments) -> JsonObject:
    """Return a message's topic and `reply_to_message`."""
    destination = chat.topic_fields(arguments.number("message_thread_id"))
    reply = arguments.json_object("reply_parameters")
    if not reply:
        return destination
    thread = destination.get("message_thread_id")
    quoted = chat.reply_fields(reply.get("message_id"))
    target = quoted.get("reply_to_message", {})
    if target and target.get("message_thread_id") == thread:
        return destination | quoted
    elsewhere = bool(target) or reply.get("chat_id") not in {None, chat.id}
    if elsewhere or not reply.get("allow_sending_without_reply"):
        raise bad_request_error("message to be replied not found")
    return destination


_REACTION_EMOJI = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 "
    "❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 "
    "😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ "
    "😡 "
)
#: the emoji of ReactionTypeEmoji (Bot API 10.0)
REACTIONS = frozenset(_REACTION_EMOJI.split())
#: how many messages deleteMessages takes
DELETE_BATCH_SIZES = range(1, 101)
#: the age up to which messages can be deleted, in seconds
DELETABLE_SECONDS = 48 * 3600
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)


def edit_message_text(state: TelegramState, arguments: Arguments) -> JsonObject:
    chat, message = _require_own_message(state, arguments)
    if "text" not in message:
        raise bad_request_error("there is no text in the message to edit")
    return _replace_content(state, chat, message, text_content(arguments) | keyboard_content(arguments))


def edit_message_caption(state: TelegramState, arguments: Arguments) -> JsonObject:
    chat, message = _require_own_message(state, arguments)
    if "text" in message:
        raise bad_request_error("there is no caption in the message to edit")
    media = {name: message[name] for name in ("photo", "document") if name in message}
    return _replace_content(
        state, chat, message, media | caption_content(arguments.params) | keyboard_content(arguments)
    )


def edit_message_media(state: TelegramState, arguments: Arguments) -> JsonObject:
    """Replace a message's media; a text message becomes a media message."""
    chat, message = _require_own_message(state, arguments)
    item = arguments.json_object("media")
    return _replace_content(
        state, chat, message, input_media_content(state, arguments, item) | keyboard_content(arguments)
    )


def edit_message_reply_markup(state: TelegramState, arguments: Arguments) -> JsonObject:
    chat, message = _require_own_message(state, arguments)
    content = editable_content(message)
    content.pop("reply_markup", None)
    return _replace_content(state, chat, message, content | keyboard_content(arguments))


def delete_message(state: TelegramState, arguments: Arguments) -> bool:
    chat = state.require_chat(arguments)
    message = chat.messages.get(arguments.number("message_id") or 0)
    if message is None:
        raise bad_request_error("message to delete not found")
    if not _may_delete(state, chat, message):
        raise bad_request_error("message can't be deleted")
    return _delete_all(state, chat, [message])


def delete_messages(state: TelegramState, arguments: Arguments) -> bool:
    """Delete messages; unknown ones are skipped."""
    chat = state.require_chat(arguments)
    ids = arguments.array("message_ids")
    if len(ids) not in DELETE_BATCH_SIZES:
        raise bad_request_error("message identifiers must be 1 to 100")
    found = [chat.messages[one] for one in ids if one in chat.messages]
    return _delete_all(state, chat, [message for message in found if _may_delete(state, chat, message)])


def set_message_reaction(state: TelegramState, arguments: Arguments) -> bool:
    """Set the bot's reaction; a bot has at most one per message."""
    chat = state.require_chat(arguments)
    message_id = arguments.number("message_id") or 0
    if message_id not in chat.messages:
        raise bad_request_error("message to react not found")
    reactions = arguments.array("reaction")
    if len(reactions) > 1:
        raise bad_request_error("REACTIONS_TOO_MANY")
    if any(one.get("emoji") not in REACTIONS for one in reactions):
        raise bad_request_error("REACTION_INVALID")
    chat.reactions[message_id] = reactions
    state.changes.notify()
    return True


def _require_own_message(state: TelegramState, arguments: Arguments) -> tuple[ChatState, JsonObject]:
    chat = state.require_chat(arguments)
    message = chat.messages.get(arguments.number("message_id") or 0)
    if message is None:
        raise bad_request_error("message to edit not found")
    if not state.is_from_bot(message):
        raise bad_request_error("message can't be edited")
    return chat, message


def _replace_content(state: TelegramState, chat: ChatState, message: JsonObject, content: JsonObject) -> JsonObject:
    if content == editable_content(message):
        raise bad_request_error(_NOT_MODIFIED)
    edited = chat.replace_content(message, content, state.date)
    state.changes.notify()
    return edited


def _may_delete(state: TelegramState, chat: ChatState, message: JsonObject) -> bool:
    if state.clock() - message["date"] > DELETABLE_SECONDS:
        return False
    return state.is_from_bot(message) or chat.is_private or chat.bot_status == "administrator"


def _delete_all(state: TelegramState, chat: ChatState, messages: list[JsonObject]) -> bool:
    for message in messages:
        del chat.messages[message["message_id"]]
    state.changes.notify()
    return True
