"""The inbox: every update that concerns us, from its arrival until it was handled.

It grows on the disk only: a poll brings a hundred at most and the next one waits until they are
stored, and whoever handles them has one in memory at a time.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from bot.job import Instant


@dataclass(frozen=True)
class Letter:
    """An update that waits to be handled; `body` is Telegram's JSON."""

    update_id: int
    body: str
    received_at: Instant


class Inbox:
    """Updates by their id; the same one twice is kept once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, letters: Iterable[Letter]) -> int:
        """Keep each update, unless one of its id was kept before; return how many are new."""
        cursor = self._db.executemany(
            "INSERT INTO inbox (update_id, body, received_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [(letter.update_id, letter.body, letter.received_at) for letter in letters],
        )
        return max(0, cursor.rowcount)

    def next_waiting(self) -> Letter | None:
        """Return the oldest update that was not handled."""
        row = self._db.execute(
            "SELECT update_id, body, received_at FROM inbox WHERE handled_at IS NULL AND awaits IS NULL"
            " ORDER BY update_id LIMIT 1"
        ).fetchone()
        return None if row is None else Letter(*row)

    def hold(self, update_id: int, chat_id: int) -> None:
        """Leave an update until the administrators of a group are known; those behind it do not wait."""
        self._db.execute("UPDATE inbox SET awaits = ? WHERE update_id = ?", (chat_id, update_id))

    def awaits(self, chat_id: int) -> bool:
        """Say whether an update waits for the administrators of a group."""
        row = self._db.execute("SELECT 1 FROM inbox WHERE handled_at IS NULL AND awaits = ? LIMIT 1", (chat_id,))
        return row.fetchone() is not None

    def release(self, chat_id: int) -> None:
        """Let the updates be handled that waited for a group's administrators."""
        self._db.execute("UPDATE inbox SET awaits = NULL WHERE handled_at IS NULL AND awaits = ?", (chat_id,))

    def holds(self, chat_id: int, *, message_id: int | None = None, album: str | None = None) -> bool:
        """Say whether a message, or an item of an album, waits to be handled."""
        row = self._db.execute(
            "SELECT 1 FROM inbox WHERE handled_at IS NULL AND awaits IS NULL"
            " AND json_extract(body, '$.message.chat.id') = ?"
            " AND (json_extract(body, '$.message.message_id') = ?"
            " OR json_extract(body, '$.message.media_group_id') = ?)",
            (chat_id, message_id, album),
        ).fetchone()
        return row is not None

    def handled(self, update_id: int, now: Instant) -> None:
        """Mark it handled and erase its body; the id stays, so that a redelivery is recognised."""
        self._db.execute("UPDATE inbox SET handled_at = ?, body = NULL WHERE update_id = ?", (now, update_id))

    def set_aside(self, update_id: int, fault: str, now: Instant) -> None:
        """Put an update that cannot be handled out of the way, with its body, for somebody to look at."""
        self._db.execute("UPDATE inbox SET handled_at = ?, fault = ? WHERE update_id = ?", (now, fault, update_id))

    def forget(self, handled_before: Instant, set_aside_before: Instant) -> None:
        """Delete what was handled, or set aside, before these moments.

        Telegram keeps an update for a day at most and picks a random id after a
        quiet week, so ids must not be remembered for long.
        """
        self._db.execute("DELETE FROM inbox WHERE handled_at < ? AND fault IS NULL", (handled_before,))
        self._db.execute("DELETE FROM inbox WHERE handled_at < ? AND fault IS NOT NULL", (set_aside_before,))
