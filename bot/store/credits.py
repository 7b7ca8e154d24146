"""Account: what Kie's figures say about the operator's credits."""

import sqlite3
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import State
from bot.store.events import CreditsSpent, DomainEvent
from bot.store.jobs import OPEN_STATES, count_jobs_in_states

#: Accepted by all limits, and not finished.
COMMITTED_STATES = tuple(state for state in OPEN_STATES if state is not State.GATHERING)


@dataclass(frozen=True)
class LastKnownBalance:
    """What Kie said last."""

    credits: float
    asked_at: Instant


class Credits:
    """The balance, what was spent on each day, and what an edit costs."""

    def __init__(self, db: sqlite3.Connection, facts: list[DomainEvent]) -> None:
        self._db = db
        self._events = facts

    def get_balance(self) -> LastKnownBalance | None:
        """Return what Kie said last, None if it was never asked."""
        row = self._row()
        return None if row["asked_at"] is None else LastKnownBalance(row["balance"], row["asked_at"])

    def request_balance(self, now: Instant) -> None:
        """Have the balance asked for, unless that is so already."""
        self._db.execute("UPDATE account SET due_at = ? WHERE only = 1 AND due_at IS NULL", (now,))

    def get_balance_due_at(self) -> Instant | None:
        """Return since when somebody wants the balance to be asked for, None while nobody does."""
        due_at: Instant | None = self._row()["due_at"]
        return due_at

    def postpone_balance(self, due_at: Instant) -> None:
        """Ask later, because there was no answer."""
        self._db.execute("UPDATE account SET due_at = ? WHERE only = 1", (due_at,))

    def set_balance(self, balance: float, now: Instant) -> None:
        """Write down what Kie said."""
        self._db.execute("UPDATE account SET balance = ?, asked_at = ?, due_at = NULL WHERE only = 1", (balance, now))

    def get_low_since(self) -> Instant | None:
        """Return since when the balance is known to be low."""
        since: Instant | None = self._row()["low_since"]
        return since

    def set_low_since(self, since: Instant | None) -> None:
        """Note since when the balance is low, None for one that is not."""
        self._db.execute("UPDATE account SET low_since = ? WHERE only = 1", (since,))

    def add_spending(self, credits_: float, day: int) -> None:
        """Add what a task cost to what was spent on a UTC day."""
        self._db.execute(
            "INSERT INTO spending (day, credits) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET credits = credits + excluded.credits",
            (day, credits_),
        )
        self._events.append(CreditsSpent(credits_))

    def get_spending(self, day: int) -> float:
        """Return the credits that were spent on a UTC day."""
        row = self._db.execute("SELECT credits FROM spending WHERE day = ?", (day,)).fetchone()
        return 0.0 if row is None else float(row["credits"])

    def get_highest_price(self, sample_size: int) -> float | None:
        """Return the credits that the dearest of the latest finished edits cost, None if no price is known."""
        row = self._db.execute(
            "SELECT max(credits) AS price FROM (SELECT credits FROM jobs WHERE took IS NOT NULL"
            " ORDER BY finished_at DESC LIMIT ?)",
            (sample_size,),
        ).fetchone()
        return None if row["price"] is None else float(row["price"])

    def count_open_edits(self) -> int:
        """Count the edits that are accepted and not finished, without those that only wait for words."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM jobs WHERE state = 'gathering' AND counted_for_all"  # by an index of its own
        ).fetchone()
        return int(row["n"]) + count_jobs_in_states(self._db, COMMITTED_STATES)

    def _row(self) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute("SELECT * FROM account WHERE only = 1").fetchone()
        return row
