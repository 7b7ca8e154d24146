"""Parts: the messages that a request consists of.

The words of a request are the first that there are, by the order of its
messages: a caption, on whichever picture it stands, or a text that came later.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum


class RequestMessageKind(StrEnum):
    """What a message brought to a request."""

    #: a picture, with its caption
    IMAGE = "image"
    #: a video, say, in an album; only its caption is of use
    OTHER = "other"
    #: words that came on their own
    TEXT = "text"


@dataclass(frozen=True)
class RequestMessage:
    """A message, what it belongs to, and its words."""

    job_id: int
    text: str


class RequestMessages:
    """The messages by chat and id; the same one twice is kept once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, job_id: int, chat_id: int, message_id: int, kind: RequestMessageKind, words: str) -> bool:
        """Add a message to a request; False if it belongs to one already."""
        cursor = self._db.execute(
            "INSERT INTO request_messages (chat_id, message_id, job_id, text, kind) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (chat_id, message_id, job_id, words, kind),
        )
        return cursor.rowcount == 1

    def get(self, chat_id: int, message_id: int) -> RequestMessage | None:
        """Return a message that belongs to a request, None for one that is in none."""
        row = self._db.execute(
            "SELECT job_id, text FROM request_messages WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
        ).fetchone()
        return None if row is None else RequestMessage(row["job_id"], row["text"])

    def set_text(self, chat_id: int, message_id: int, words: str) -> None:
        """Note that a person has changed the words of a message."""
        self._db.execute(
            "UPDATE request_messages SET text = ? WHERE chat_id = ? AND message_id = ?", (words, chat_id, message_id)
        )

    def clear_texts(self, job_id: int) -> None:
        """Drop the words of a request that are of no use, because better ones have come."""
        self._db.execute("UPDATE request_messages SET text = '' WHERE job_id = ?", (job_id,))

    def get_prompt(self, job_id: int) -> str:
        """Return the words of a request, empty while there are none."""
        row = self._db.execute(
            "SELECT text FROM request_messages WHERE job_id = ? AND text <> '' ORDER BY message_id LIMIT 1", (job_id,)
        ).fetchone()
        return "" if row is None else str(row["text"])

    def count(self, job_id: int, kind: RequestMessageKind) -> int:
        """Count the messages of a kind."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM request_messages WHERE job_id = ? AND kind = ?", (job_id, kind)
        ).fetchone()
        return int(row["n"])
