"""Counts: how many edits were accepted on a UTC day, by person, by chat and in all."""

import sqlite3
from enum import StrEnum

from bot.store.portion import PORTION

#: The id under which the edits of everybody are counted.
ALL = 0


class Whose(StrEnum):
    """What is counted apart."""

    PERSON = "person"
    CHAT = "chat"
    ALL = "all"


class Counts:
    """The counts of each day. A job is counted as it is added, and no longer once it came to nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def of(self, whose: Whose, principal: int, day: int) -> int:
        """Return how many edits were accepted."""
        row = self._db.execute(
            "SELECT edits FROM counts WHERE day = ? AND whose = ? AND id = ?", (day, whose, principal)
        ).fetchone()
        return 0 if row is None else int(row["edits"])

    def take(self, user_id: int, chat_id: int, day: int) -> None:
        """Count an edit that is accepted."""
        self._db.executemany(
            "INSERT INTO counts (day, whose, id, edits) VALUES (?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET edits = edits + 1",
            [(day, *counted) for counted in _counted(user_id, chat_id)],
        )

    def give_back(self, user_id: int, chat_id: int, day: int) -> None:
        """Count it no longer, because it came to nothing; a day that was forgotten has nothing to give back."""
        self._db.executemany(
            "UPDATE counts SET edits = edits - 1 WHERE day = ? AND whose = ? AND id = ? AND edits > 0",
            [(day, *counted) for counted in _counted(user_id, chat_id)],
        )

    def move_chat(self, old_id: int, new_id: int) -> None:
        """Count for a supergroup what was counted for the group that it was, in whoever's name it was asked for."""
        self._db.execute(
            "INSERT INTO counts (day, whose, id, edits) SELECT day, whose, ?2, edits FROM counts"
            " WHERE whose <> ?3 AND id = ?1 ON CONFLICT DO UPDATE SET edits = edits + excluded.edits",
            (old_id, new_id, Whose.ALL),
        )
        self._db.execute("DELETE FROM counts WHERE whose <> ? AND id = ?", (Whose.ALL, old_id))

    def forget(self, before: int) -> bool:
        """Forget some of the days before one; return whether there may be more."""
        forgotten = self._db.execute(
            "DELETE FROM counts WHERE (day, whose, id) IN (SELECT day, whose, id FROM counts WHERE day < ? LIMIT ?)",
            (before, PORTION),
        )
        return forgotten.rowcount == PORTION


def _counted(user_id: int, chat_id: int) -> tuple[tuple[Whose, int], ...]:
    return (Whose.PERSON, user_id), (Whose.CHAT, chat_id), (Whose.ALL, ALL)
