"""Sample requests for tests with a database."""

from bot.job import EditRequest, SourceImage

NOON = 1_800_000_000_000


def make_request(message_id: int = 1, *, chat_id: int = 5, user_id: int = 5) -> EditRequest:
    """Return a complete request."""
    return EditRequest(
        chat_id=chat_id,
        user_id=user_id,
        charged_to=user_id,
        message_id=message_id,
        thread_id=None,
        prompt="make it snow",
        sources=(SourceImage(0, f"file-{message_id}", f"unique-{message_id}", size=1000),),
        received_at=NOON,
    )
