"""Requests to put into a database."""

from bot.job import Request, Source

NOON = 1_800_000_000_000


def a_request(message_id: int = 1, *, chat_id: int = 5, user_id: int = 5) -> Request:
    """Return a complete request."""
    return Request(
        chat_id=chat_id,
        user_id=user_id,
        charged_to=user_id,
        message_id=message_id,
        thread_id=None,
        prompt="make it snow",
        sources=(Source(0, f"file-{message_id}", f"unique-{message_id}", size=1000),),
        received_at=NOON,
    )
