"""A message as the page shows it: less than the Bot API's, and with what an app would look up."""

from typing import Any

from bot.sandbox.telegram.refusals import Json
from bot.sandbox.telegram.server import LocalTelegram

#: the longest piece of a message that a reply repeats
QUOTE_CHARACTERS = 120


def shown(telegram: LocalTelegram, chat_id: int, message: Json) -> dict[str, Any]:
    """Return what the page needs to draw a message."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {
        "chat": chat_id,
        "id": message["message_id"],
        "thread": message.get("message_thread_id", 0),
        "from": _sender(message),
        "mine": telegram.cloud.is_mine(message),
        "at": message["date"],
        "edited": "edit_date" in message,
        "text": message.get("text", message.get("caption", "")),
        "entities": message.get("entities", message.get("caption_entities", [])),
        "album": message.get("media_group_id", ""),
        "picture": _photo(message),
        "file": _document(message),
        "reply": _quote(message),
        "buttons": [[button["text"] for button in row] for row in rows],
        "signs": telegram.reactions(chat_id, message["message_id"]),
        "service": _service(message),
    }


def _sender(message: Json) -> dict[str, Any]:
    return {"id": message["from"]["id"], "name": message["from"]["first_name"]}


def _photo(message: Json) -> dict[str, Any] | None:
    if "photo" not in message:
        return None
    largest = max(message["photo"], key=lambda size: int(size["width"] * size["height"]))
    return {"id": largest["file_id"], "width": largest["width"], "height": largest["height"]}


def _document(message: Json) -> dict[str, Any] | None:
    document = message.get("document")
    if document is None:
        return None
    return {"id": document["file_id"], "name": document.get("file_name", "file"), "bytes": document["file_size"]}


def _quote(message: Json) -> dict[str, Any] | None:
    target = message.get("reply_to_message")
    if target is None or "forum_topic_created" in target:
        return None
    words = target.get("text") or target.get("caption") or ("Picture" if "photo" in target else "File")
    return {"id": target["message_id"], "name": _sender(target)["name"], "text": words[:QUOTE_CHARACTERS]}


def _service(message: Json) -> str:
    created = message.get("forum_topic_created")
    return f"{message['from']['first_name']} opened the topic {created['name']}" if created else ""
