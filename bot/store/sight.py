"""Sight: how much there is to do at this moment, and for how long it has waited. Every question is for an index."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from bot.job import Instant, State, seconds_between
from bot.store.account import Balance
from bot.store.jobs import OPEN


@dataclass(frozen=True)
class Seen:
    """What is stored about this moment; ages are seconds, 0 where nothing waits."""

    #: how many jobs there are in each state in which something is left to do
    jobs: Mapping[State, int]
    #: since the request of the oldest queued job was complete
    oldest_queued: float
    #: since the oldest order at Kie was made
    oldest_at_kie: float
    #: messages to people that wait to be sent, without those that only tell how things stand
    outbox: int
    #: by how much the most overdue of them is late
    outbox_late: float
    #: updates that wait to be handled
    inbox: int
    #: names of the breakers that are open
    breakers: frozenset[str]
    #: what Kie said last is left, None if it was never asked
    balance: Balance | None


class Sight:
    """Looks at everything at once, and tries whether the file can be written to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def at(self, now: Instant) -> Seen:
        """Return what there is to see."""
        jobs, queued_at, submitted_at = self._jobs()
        messages, due_at = self._one(
            "SELECT count(*), min(due_at) FROM outbox WHERE due_at IS NOT NULL AND lane IN ('toast', 'heavy', 'said')"
        )
        waiting = self._one("SELECT count(*) FROM inbox WHERE handled_at IS NULL AND awaits IS NULL")[0]
        return Seen(
            jobs=jobs,
            oldest_queued=_age(queued_at, now),
            oldest_at_kie=_age(submitted_at, now),
            outbox=messages,
            outbox_late=_age(due_at, now),
            inbox=waiting,
            breakers=frozenset(row["name"] for row in self._db.execute("SELECT name FROM breakers")),
            balance=self._balance(),
        )

    def write(self) -> None:
        """Have something written into the file that changes nothing, to see whether it can be.

        A row that stays as it is would not be written at all; the number of the schema is, and counts as no change
        whose traces would have to be erased.
        """
        [version] = self._one("PRAGMA user_version")
        self._db.execute(f"PRAGMA user_version = {version:d}")

    def _jobs(self) -> tuple[dict[State, int], Instant | None, Instant | None]:
        rows = self._db.execute(
            "SELECT state, count(*) AS n, min(queued_at) AS queued_at, min(submitted_at) AS submitted_at FROM jobs"
            " WHERE state IN (?, ?, ?, ?) GROUP BY state",
            OPEN,
        ).fetchall()
        found = {State(row["state"]): row for row in rows}
        queued = found.get(State.QUEUED)
        at_kie = [found[state]["submitted_at"] for state in (State.SUBMITTING, State.RUNNING) if state in found]
        return (
            {state: found[state]["n"] if state in found else 0 for state in OPEN},
            None if queued is None else queued["queued_at"],
            min((each for each in at_kie if each is not None), default=None),
        )

    def _balance(self) -> Balance | None:
        credits_, asked_at = self._one("SELECT balance, asked_at FROM account WHERE only = 1")
        return None if asked_at is None else Balance(credits_, asked_at)

    def _one(self, question: str) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute(question).fetchone()
        return row


def _age(since: Instant | None, now: Instant) -> float:
    return 0.0 if since is None else max(0.0, seconds_between(since, now))
