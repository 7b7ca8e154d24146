"""Counts: how many edits were accepted on a UTC day, by person, by chat and in all."""

import sqlite3
from collections.abc import Collection
from enum import StrEnum

from bot.store.batch import BATCH_SIZE

#: The id under which the edits of everybody are counted.
ALL = 0


class Whose(StrEnum):
    """What is counted apart."""

    PERSON = "person"
    CHAT = "chat"
    ALL = "all"


#: What is a person's alone, and what they share with others.
OWN, SHARED = (Whose.PERSON,), (Whose.CHAT, Whose.ALL)

#: Failures of a person and day that are given back; from then on each counts, because each is work.
FREE_FAILURES = 3


class Counts:
    """The counts of each day; `quota` says what counts and when. Persons are those to whom edits are charged."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def of(self, whose: Whose, principal: int, day: int) -> int:
        """Return how many edits were accepted."""
        row = self._db.execute(
            "SELECT edits FROM counts WHERE day = ? AND whose = ? AND id = ?", (day, whose, principal)
        ).fetchone()
        return 0 if row is None else int(row["edits"])

    def take(self, charged_to: int, chat_id: int, day: int, whose: Collection[Whose] = tuple(Whose)) -> None:
        """Count an edit."""
        self._db.executemany(
            "INSERT INTO counts (day, whose, id, edits) VALUES (?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET edits = edits + 1",
            [(day, *counted) for counted in _counted(charged_to, chat_id, whose)],
        )

    def give_back(self, charged_to: int, chat_id: int, day: int, whose: Collection[Whose] = tuple(Whose)) -> None:
        """Count it no longer; a day that was forgotten has nothing to give back."""
        self._db.executemany(
            "UPDATE counts SET edits = edits - 1 WHERE day = ? AND whose = ? AND id = ? AND edits > 0",
            [(day, *counted) for counted in _counted(charged_to, chat_id, whose)],
        )

    def forgive(self, charged_to: int, day: int) -> bool:
        """Note that a failure is given back; False where so many were on that day that this one is not."""
        cursor = self._db.execute(
            "UPDATE counts SET forgiven = forgiven + 1 WHERE day = ? AND whose = ? AND id = ? AND forgiven < ?",
            (day, Whose.PERSON, charged_to, FREE_FAILURES),
        )
        return cursor.rowcount == 1

    def move_chat(self, old_id: int, new_id: int) -> None:
        """Count for a supergroup what was counted for the group that it was, in whoever's name it was asked for."""
        self._db.execute(
            "INSERT INTO counts (day, whose, id, edits, forgiven) SELECT day, whose, ?2, edits, forgiven FROM counts"
            " WHERE whose <> ?3 AND id = ?1"
            " ON CONFLICT DO UPDATE SET edits = edits + excluded.edits, forgiven = forgiven + excluded.forgiven",
            (old_id, new_id, Whose.ALL),
        )
        self._db.execute("DELETE FROM counts WHERE whose <> ? AND id = ?", (Whose.ALL, old_id))

    def forget(self, before: int) -> bool:
        """Forget some of the days before one; return whether there may be more."""
        forgotten = self._db.execute(
            "DELETE FROM counts WHERE (day, whose, id) IN (SELECT day, whose, id FROM counts WHERE day < ? LIMIT ?)",
            (before, BATCH_SIZE),
        )
        return forgotten.rowcount == BATCH_SIZE


def _counted(charged_to: int, chat_id: int, whose: Collection[Whose]) -> list[tuple[Whose, int]]:
    ids = {Whose.PERSON: charged_to, Whose.CHAT: chat_id, Whose.ALL: ALL}
    return [(each, ids[each]) for each in whose]
