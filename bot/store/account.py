"""Account: what Kie's figures say about the operator's credits."""

import math
import sqlite3
from dataclasses import dataclass

from bot.job import Instant, State
from bot.store.facts import Fact, Spent
from bot.store.jobs import OPEN, count_in_states

#: Credits for one picture of google/nano-banana-edit, by Kie's list of September 2026.
USUAL_PRICE = 4.0

#: Accepted by all limits, and not finished.
OPEN_AND_COMPLETE = tuple(state for state in OPEN if state is not State.GATHERING)

#: More than anybody orders in a day.
PLENTY = 1_000_000

#: Pictures whose price is remembered.
REMEMBERED = 20


@dataclass(frozen=True)
class Balance:
    """What Kie said last."""

    credits: float
    asked_at: Instant


class Account:
    """The balance, what was spent on each day, and what an edit costs."""

    def __init__(self, db: sqlite3.Connection, facts: list[Fact]) -> None:
        self._db = db
        self._facts = facts

    def balance(self) -> Balance | None:
        """Return what Kie said last, None if it was never asked."""
        row = self._row()
        return None if row["asked_at"] is None else Balance(row["balance"], row["asked_at"])

    def want_balance(self, now: Instant) -> None:
        """Have the balance asked for, unless that is so already."""
        self._db.execute("UPDATE account SET due_at = ? WHERE only = 1 AND due_at IS NULL", (now,))

    def due_at(self) -> Instant | None:
        """Return since when somebody wants the balance to be asked for, None while nobody does."""
        due_at: Instant | None = self._row()["due_at"]
        return due_at

    def ask_again(self, due_at: Instant) -> None:
        """Ask later, because there was no answer."""
        self._db.execute("UPDATE account SET due_at = ? WHERE only = 1", (due_at,))

    def answered(self, balance: float, now: Instant) -> None:
        """Write down what Kie said."""
        self._db.execute("UPDATE account SET balance = ?, asked_at = ?, due_at = NULL WHERE only = 1", (balance, now))

    def low_since(self) -> Instant | None:
        """Return since when the balance is known to be low."""
        since: Instant | None = self._row()["low_since"]
        return since

    def note_low(self, since: Instant | None) -> None:
        """Note since when the balance is low, None for one that is not."""
        self._db.execute("UPDATE account SET low_since = ? WHERE only = 1", (since,))

    def spend(self, credits_: float, day: int) -> None:
        """Add what a task cost to what was spent on a UTC day."""
        self._db.execute(
            "INSERT INTO spending (day, credits) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET credits = credits + excluded.credits",
            (day, credits_),
        )
        self._facts.append(Spent(credits_))

    def spent(self, day: int) -> float:
        """Return the credits that were spent on a UTC day."""
        row = self._db.execute("SELECT credits FROM spending WHERE day = ?", (day,)).fetchone()
        return 0.0 if row is None else float(row["credits"])

    def affords(self, ceiling: float, committed: int, day: int) -> int:
        """Return how many more edits a UTC day's `ceiling` in credits allows, beside those that are committed.

        One is allowed even where it seems to cost more than the whole ceiling: what edits cost is learned from edits.
        """
        price = min(self.price(), ceiling)
        left = ceiling - self.spent(day) - committed * price
        return math.floor(left / price) if price > 0 else PLENTY

    def price(self) -> float:
        """Return the credits that an edit costs at most, by the latest ones, or as usual where none is known."""
        row = self._db.execute(
            "SELECT max(credits) AS price FROM (SELECT credits FROM jobs WHERE took IS NOT NULL"
            " ORDER BY finished_at DESC LIMIT ?)",
            (REMEMBERED,),
        ).fetchone()
        return USUAL_PRICE if row["price"] is None else float(row["price"])

    def count_open(self) -> int:
        """Count the edits that are accepted and not finished, without those that only wait for words."""
        row = self._db.execute(
            "SELECT count(*) AS n FROM jobs WHERE state = 'gathering' AND counted_for_all"  # by an index of its own
        ).fetchone()
        return int(row["n"]) + count_in_states(self._db, OPEN_AND_COMPLETE)

    def _row(self) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute("SELECT * FROM account WHERE only = 1").fetchone()
        return row
