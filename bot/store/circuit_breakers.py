"""Breakers: the stored reasons why nothing is ordered at present."""

import sqlite3
from dataclasses import dataclass

from bot.clock import Instant

#: Breakers beside those named after Kie's `BlockCause`. The names are also values of a metric's label.
OUTAGE, RATE = "outage", "rate"

#: For orders without a clear answer. Each further one may become a question to a user, so the next try comes late.
UNCERTAIN = "doubt"

#: For Kie's upload service, which is not the machine that takes orders.
UPLOADS = "uploads"


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
        rows = self._db.execute("SELECT name, since, until, trips, probed FROM breakers").fetchall()
        return [_read_breaker(row) for row in rows]

    def get(self, name: str) -> CircuitBreaker | None:
        """Return a breaker, None if it is closed."""
        row = self._db.execute(
            "SELECT name, since, until, trips, probed FROM breakers WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else _read_breaker(row)

    def open(self, breaker: CircuitBreaker) -> None:
        """Open it, or change how it is open."""
        self._db.execute(
            "INSERT OR REPLACE INTO breakers (name, since, until, trips, probed) VALUES (?, ?, ?, ?, ?)",
            (breaker.name, breaker.since, breaker.until, breaker.trips, breaker.is_probed),
        )

    def mark_probed(self, name: str) -> None:
        """Note that its reason seems to be gone, so that one order may try."""
        self._db.execute("UPDATE breakers SET probed = 1 WHERE name = ?", (name,))

    def close(self, name: str) -> None:
        """Forget it: all is well again."""
        self._db.execute("DELETE FROM breakers WHERE name = ?", (name,))


def _read_breaker(row: sqlite3.Row) -> CircuitBreaker:
    return CircuitBreaker(row["name"], row["since"], row["until"], row["trips"], bool(row["probed"]))
