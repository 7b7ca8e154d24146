"""Breakers: the stored reasons why nothing is ordered at present."""

import sqlite3
from dataclasses import dataclass

from bot.clock import Instant


@dataclass(frozen=True)
class CircuitBreaker:
    """One reason; nothing is ordered before `until`, and then one at a time until one was taken."""

    name: str
    since: Instant
    until: Instant
    #: how often it opened in a row
    trips: int
    #: whether a free question to Kie found the reason gone
    is_probed: bool = False


class CircuitBreakers:
    """The open breakers by name."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def list_open(self) -> list[CircuitBreaker]:
        """Return every breaker that is open."""
        rows = self._db.execute("SELECT name, opened_at, open_until, trips, is_probed FROM circuit_breakers").fetchall()
        return [_read_breaker(row) for row in rows]

    def get(self, name: str) -> CircuitBreaker | None:
        """Return a breaker, None if it is closed."""
        row = self._db.execute(
            "SELECT name, opened_at, open_until, trips, is_probed FROM circuit_breakers WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else _read_breaker(row)

    def open(self, breaker: CircuitBreaker) -> None:
        """Open it, or change how it is open."""
        self._db.execute(
            "INSERT OR REPLACE INTO circuit_breakers (name, opened_at, open_until, trips, is_probed) VALUES (?, ?, ?,"
            " ?, ?)",
            (breaker.name, breaker.since, breaker.until, breaker.trips, breaker.is_probed),
        )

    def mark_probed(self, name: str) -> None:
        """Note that its reason seems to be gone, so that one order may try."""
        self._db.execute("UPDATE circuit_breakers SET is_probed = 1 WHERE name = ?", (name,))

    def close(self, name: str) -> None:
        """Forget it: all is well again."""
        self._db.execute("DELETE FROM circuit_breakers WHERE name = ?", (name,))


def _read_breaker(row: sqlite3.Row) -> CircuitBreaker:
    return CircuitBreaker(row["name"], row["opened_at"], row["open_until"], row["trips"], bool(row["is_probed"]))
