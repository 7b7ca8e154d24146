"""Credits: the operator's balance at Kie, the spending per day, and the price of an edit."""

import sqlite3
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import State
from bot.store.base_table import Table
from bot.store.domain_events import CreditsSpent, DomainEvent
from bot.store.jobs import OPEN_STATES, count_jobs_in_states

#: States of unfinished jobs that count against every limit.
COMMITTED_STATES = tuple(state for state in OPEN_STATES if state is not State.GATHERING)


@dataclass(frozen=True)
class LastKnownBalance:
    """The balance that Kie reported last."""

    credits: float
    asked_at: Instant


class Credits(Table):
    """The balance, the spending by UTC day, and the price of an edit."""

    def __init__(self, db: sqlite3.Connection, events: list[DomainEvent]) -> None:
        super().__init__(db)
        self._events = events

    def get_balance(self) -> LastKnownBalance | None:
        """Return the last known balance, None before the first check."""
        row = self._row("SELECT balance, asked_at FROM credit_balance WHERE asked_at IS NOT NULL")
        return None if row is None else LastKnownBalance(*row)

    def request_balance(self, now: Instant) -> None:
        """Request a check of the balance, if none is pending."""
        self._change("UPDATE credit_balance SET due_at = ? WHERE due_at IS NULL", (now,))

    def get_balance_due_at(self) -> Instant | None:
        """Return when a check of the balance is due, None if none is pending."""
        return self._int("SELECT due_at FROM credit_balance")

    def postpone_balance(self, due_at: Instant) -> None:
        """Repeat the check of the balance at `due_at`, because it failed."""
        self._change("UPDATE credit_balance SET due_at = ?", (due_at,))

    def set_balance(self, balance: float, now: Instant) -> None:
        """Store the balance that Kie reported; no check is pending any more."""
        self._change("UPDATE credit_balance SET balance = ?, asked_at = ?, due_at = NULL", (balance, now))

    def get_low_since(self) -> Instant | None:
        """Return since when the balance is known to be low, None if it is not."""
        return self._int("SELECT low_since FROM credit_balance")

    def set_low_since(self, since: Instant | None) -> None:
        """Store since when the balance is known to be low, None if it is not."""
        self._change("UPDATE credit_balance SET low_since = ?", (since,))

    def add_spending(self, credits_: float, day: int) -> None:
        """Add the cost of a task to the spending of a UTC day."""
        self._change(
            "INSERT INTO daily_spending (day, credits) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET credits = credits + excluded.credits",
            (day, credits_),
        )
        self._events.append(CreditsSpent(credits_))

    def get_spending(self, day: int) -> float:
        """Return the credits that were spent on a UTC day."""
        row = self._row("SELECT credits FROM daily_spending WHERE day = ?", (day,))
        return 0.0 if row is None else float(row["credits"])

    def get_highest_price(self, sample_size: int) -> float | None:
        """Return the highest price in credits of the latest `sample_size` edits, None if no price is known."""
        row = self._row(
            "SELECT max(credits) AS price FROM (SELECT credits FROM jobs WHERE kie_duration_ms IS NOT NULL"
            " ORDER BY finished_at DESC LIMIT ?)",
            (sample_size,),
        )
        return None if row is None or row["price"] is None else float(row["price"])

    def count_open_edits(self) -> int:
        """Count the unfinished edits that are accepted, without those that only wait for a prompt."""
        # a partial index that SQLite would not choose: most incomplete requests wait for a prompt
        complete = self._count(
            "SELECT count(*) FROM jobs INDEXED BY jobs_collecting_counted WHERE state = 'gathering' AND counted_for_all"
        )
        return complete + count_jobs_in_states(self._db, COMMITTED_STATES)
