"""Circuit breakers: the stored reasons why nothing is ordered at present."""

import sqlite3
from dataclasses import dataclass

from bot.clock import Instant
from bot.store.base_table import Table

#: Breakers beside those named after Kie's `BlockCause`. The names are also values of a metric's label.
OUTAGE, RATE = "outage", "rate"

#: For orders without a clear answer. Each further one may become a question to a user, so the next try comes late.
UNCERTAIN = "doubt"

#: For Kie's upload service, which is not the machine that takes orders.
UPLOADS = "uploads"


@dataclass(frozen=True)
class CircuitBreaker:
    """An open breaker: nothing is ordered before `until`, and then one order at a time until Kie accepts one."""

    name: str
    since: Instant
    until: Instant
    #: how often it opened in a row
    trips: int
    #: whether a free question to Kie found the reason gone
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
        """Open a breaker, or change how it is open."""
        self._change(
            "INSERT OR REPLACE INTO circuit_breakers (name, opened_at, open_until, trips, is_probed)"
            " VALUES (?, ?, ?, ?, ?)",
            (breaker.name, breaker.since, breaker.until, breaker.trips, breaker.is_probed),
        )

    def mark_probed(self, name: str) -> None:
        """Note that the reason seems to be gone, so that one order may try."""
        self._change("UPDATE circuit_breakers SET is_probed = 1 WHERE name = ?", (name,))

    def close(self, name: str) -> None:
        """Close a breaker."""
        self._change("DELETE FROM circuit_breakers WHERE name = ?", (name,))


def _read_breaker(row: sqlite3.Row) -> CircuitBreaker:
    return CircuitBreaker(row["name"], row["opened_at"], row["open_until"], row["trips"], bool(row["is_probed"]))
