"""Circuit breakers, as stored: why no orders, or no uploads, are made at present."""

import sqlite3
from dataclasses import dataclass

from bot.clock import Instant
from bot.store.base_table import Table

#: Breakers besides those named after Kie's `BlockCause`. The names are also label values of a metric.
OUTAGE, RATE = "outage", "rate"

#: For uncertain orders. Each further one may become a question to a user, so the pauses grow long.
UNCERTAIN = "doubt"

#: For Kie's upload service, which can fail independently of its orders.
UPLOADS = "uploads"


@dataclass(frozen=True)
class CircuitBreaker:
    """An open breaker: no calls before `until`; then half-open, one at a time, until Kie accepts one."""

    name: str
    since: Instant
    until: Instant
    #: how often it has opened in a row
    trips: int
    #: whether a recovery probe has succeeded
    is_probed: bool = False


class CircuitBreakers(Table):
    """The open breakers by name."""

    def list_open(self) -> list[CircuitBreaker]:
        """Return every open breaker."""
        return [_read_breaker(row) for row in self._rows("SELECT * FROM circuit_breakers")]

    def get(self, name: str) -> CircuitBreaker | None:
        """Return a breaker, None if it is closed."""
        row = self._row("SELECT * FROM circuit_breakers WHERE name = ?", (name,))
        return None if row is None else _read_breaker(row)

    def open(self, breaker: CircuitBreaker) -> None:
        """Open a breaker, or update an open one."""
        self._change(
            "INSERT OR REPLACE INTO circuit_breakers (name, opened_at, open_until, trips, is_probed)"
            " VALUES (?, ?, ?, ?, ?)",
            (breaker.name, breaker.since, breaker.until, breaker.trips, breaker.is_probed),
        )

    def mark_probed(self, name: str) -> None:
        """Record that a recovery probe succeeded, so that one order may go out."""
        self._change("UPDATE circuit_breakers SET is_probed = 1 WHERE name = ?", (name,))

    def close(self, name: str) -> None:
        """Close a breaker."""
        self._change("DELETE FROM circuit_breakers WHERE name = ?", (name,))


def _read_breaker(row: sqlite3.Row) -> CircuitBreaker:
    return CircuitBreaker(row["name"], row["opened_at"], row["open_until"], row["trips"], bool(row["is_probed"]))
