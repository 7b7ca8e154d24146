"""The messages that a request consists of, and its prompt.

The prompt is the first text in the order of the messages: a caption, on whichever image, or a text that came later.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.store.base_table import Table


class RequestMessageKind(StrEnum):
    """What a message contributes to a request."""

    #: an image, with its caption
    IMAGE = "image"
    #: something else in an album, such as a video; only its caption is used
    OTHER = "other"
    #: a text message
    TEXT = "text"


@dataclass(frozen=True)
class RequestMessage:
    """A message of a request, and its text."""

    job_id: int
    text: str


class RequestMessages(Table):
    """The messages by chat and id."""

    def add(self, job_id: int, chat_id: int, message_id: int, kind: RequestMessageKind, text: str) -> bool:
        """Add a message to a request; return False if it belongs to one already."""
        added = self._change(
            "INSERT INTO request_messages (chat_id, message_id, job_id, text, kind) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (chat_id, message_id, job_id, text, kind),
        )
        return added == 1

    def get(self, chat_id: int, message_id: int) -> RequestMessage | None:
        """Return a message of a request, None if it belongs to none."""
        row = self._row(
            "SELECT job_id, text FROM request_messages WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
        )
        return None if row is None else RequestMessage(*row)

    def set_text(self, chat_id: int, message_id: int, text: str) -> None:
        """Store the text of a message that the user has edited."""
        self._change(
            "UPDATE request_messages SET text = ? WHERE chat_id = ? AND message_id = ?", (text, chat_id, message_id)
        )

    def clear_texts(self, job_id: int) -> None:
        """Clear the texts of a request, because the user has sent a new prompt."""
        self._change("UPDATE request_messages SET text = '' WHERE job_id = ?", (job_id,))

    def get_prompt(self, job_id: int) -> str:
        """Return the prompt of a request, '' if there is none yet."""
        row = self._row(
            "SELECT text FROM request_messages WHERE job_id = ? AND text <> '' ORDER BY message_id LIMIT 1", (job_id,)
        )
        return "" if row is None else str(row["text"])

    def count(self, job_id: int, kind: RequestMessageKind) -> int:
        """Count the messages of a kind."""
        return self._count("SELECT count(*) FROM request_messages WHERE job_id = ? AND kind = ?", (job_id, kind))
