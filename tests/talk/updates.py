"""Updates as Telegram sends them, to be read."""

from typing import Any

ADA = {"id": 5, "is_bot": False, "first_name": "Ada"}
PRIVATE = {"id": 5, "type": "private", "first_name": "Ada"}
GROUP = {"id": -100, "type": "supergroup", "title": "Friends"}

PHOTO = [
    {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 60, "file_size": 1000},
    {"file_id": "large", "file_unique_id": "l", "width": 1280, "height": 853, "file_size": 90_000},
    {"file_id": "medium", "file_unique_id": "m", "width": 320, "height": 213},
]
FILE = {"file_id": "file", "file_unique_id": "f", "file_name": "a.jpg", "file_size": 500}


def message(update_id: int = 1, kind: str = "message", **content: Any) -> dict[str, Any]:
    """Return an update with a message of Ada's in her private chat, unless `content` says otherwise."""
    body = {"message_id": 7, "date": 1_700_000_000, "chat": PRIVATE, "from": ADA} | content
    return {"update_id": update_id, kind: body}
