"""Updates as Telegram sends them, for the tests of the parser and the dispatcher."""

from typing import Any

ADA_USER = {"id": 5, "is_bot": False, "first_name": "Ada"}
PRIVATE_CHAT = {"id": 5, "type": "private", "first_name": "Ada"}
GROUP_CHAT = {"id": -100, "type": "supergroup", "title": "Friends"}

PHOTO_SIZES = [
    {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 60, "file_size": 1000},
    {"file_id": "large", "file_unique_id": "l", "width": 1280, "height": 853, "file_size": 90_000},
    {"file_id": "medium", "file_unique_id": "m", "width": 320, "height": 213},
]
DOCUMENT = {"file_id": "file", "file_unique_id": "f", "file_name": "a.jpg", "file_size": 500}


def make_update(update_id: int = 1, kind: str = "message", **content: Any) -> dict[str, Any]:
    """Return an update with a message of Ada's in her private chat, unless `content` says otherwise."""
    body = {"message_id": 7, "date": 1_700_000_000, "chat": PRIVATE_CHAT, "from": ADA_USER} | content
    return {"update_id": update_id, kind: body}
