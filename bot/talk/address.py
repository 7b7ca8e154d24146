"""Is an update meant for us? Decided on the raw JSON, before anything is stored.

What somebody says in a group is not ours to keep. A malformed update passes:
it is for the inbox to set aside, and for an operator to look at.
"""

from typing import Any

#: Channel posts, business and guest messages: none of them starts anything.
KINDS = ("message", "edited_message", "my_chat_member")


def concerns_us(update: dict[str, Any]) -> bool:
    """Say whether an update has to be stored."""
    if "callback_query" in update:
        query = update["callback_query"]
        return _is_private(query.get("message") if isinstance(query, dict) else None)
    return any(_is_private(update[kind]) for kind in KINDS if kind in update)


def _is_private(event: object) -> bool:
    chat = event.get("chat") if isinstance(event, dict) else None
    kind = chat.get("type") if isinstance(chat, dict) else None
    return kind not in ("group", "supergroup", "channel")
