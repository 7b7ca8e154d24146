"""Breakers: the stored reasons why nothing is ordered at present."""

import sqlite3
from dataclasses import dataclass

from bot.job import Instant


@dataclass(frozen=True)
class Breaker:
    """One reason; nothing is ordered before `until`, and then carefully."""

    name: str
    since: Instant
    until: Instant
    #: how often it opened in a row
    trips: int
    detail: str


class Breakers:
    """The open breakers by name."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> list[Breaker]:
        """Return every breaker that is open."""
        rows = self._db.execute("SELECT name, since, until, trips, detail FROM breakers").fetchall()
        return [Breaker(*row) for row in rows]

    def get(self, name: str) -> Breaker | None:
        """Return a breaker, None if it is closed."""
        row = self._db.execute(
            "SELECT name, since, until, trips, detail FROM breakers WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else Breaker(*row)

    def open(self, breaker: Breaker) -> None:
        """Open it, or keep it open for longer."""
        self._db.execute(
            "INSERT INTO breakers (name, since, until, trips, detail) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET until = excluded.until, trips = excluded.trips, detail = excluded.detail",
            (breaker.name, breaker.since, breaker.until, breaker.trips, breaker.detail),
        )

    def close(self, name: str) -> None:
        """Forget it: all is well again."""
        self._db.execute("DELETE FROM breakers WHERE name = ?", (name,))
