"""Sight: how much there is to do at this moment, and for how long it has waited. Every question is for an index."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from bot.clock import Instant, seconds_between
from bot.job import State
from bot.store.credits import LastKnownBalance
from bot.store.jobs import OPEN_STATES


@dataclass(frozen=True)
class Snapshot:
    """What is stored about this moment; ages are seconds, 0 where nothing waits."""

    #: how many jobs there are in each state in which something is left to do
    jobs: Mapping[State, int]
    #: since the request of the oldest queued job was complete
    oldest_queued_seconds: float
    #: since the oldest order at Kie was made
    oldest_at_kie_seconds: float
    #: messages to people that wait to be sent, without those that only tell how things stand
    outbox_size: int
    #: by how much the most overdue of them is late
    outbox_delay_seconds: float
    #: updates that wait to be handled
    inbox_size: int
    #: names of the breakers that are open
    open_breakers: frozenset[str]
    #: what Kie said last is left, None if it was never asked
    balance: LastKnownBalance | None


class Snapshots:
    """Looks at everything at once, and tries whether the file can be written to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def take(self, now: Instant) -> Snapshot:
        """Return what there is to see."""
        jobs, queued_at, submitted_at = self._read_jobs()
        messages, due_at = self._fetch_one(
            "SELECT count(*), min(due_at) FROM outbox WHERE due_at IS NOT NULL AND lane IN ('callback_answer',"
            " 'heavy', 'message')"
        )
        waiting = self._fetch_one(
            "SELECT count(*) FROM inbox WHERE handled_at IS NULL AND waits_for_admins_of IS NULL"
        )[0]
        return Snapshot(
            jobs=jobs,
            oldest_queued_seconds=_age_seconds(queued_at, now),
            oldest_at_kie_seconds=_age_seconds(submitted_at, now),
            outbox_size=messages,
            outbox_delay_seconds=_age_seconds(due_at, now),
            inbox_size=waiting,
            open_breakers=frozenset(row["name"] for row in self._db.execute("SELECT name FROM circuit_breakers")),
            balance=self._read_balance(),
        )

    def check_writable(self) -> None:
        """Have something written into the file that changes nothing, to see whether it can be.

        A row that stays as it is would not be written at all; the number of the schema is, and counts as no change
        whose traces would have to be erased.
        """
        [version] = self._fetch_one("PRAGMA user_version")
        self._db.execute(f"PRAGMA user_version = {version:d}")

    def _read_jobs(self) -> tuple[dict[State, int], Instant | None, Instant | None]:
        rows = self._db.execute(
            "SELECT state, count(*) AS n, min(queued_at) AS queued_at, min(submitted_at) AS submitted_at FROM jobs"
            " WHERE state IN (?, ?, ?, ?) GROUP BY state",
            OPEN_STATES,
        ).fetchall()
        found = {State(row["state"]): row for row in rows}
        queued = found.get(State.QUEUED)
        at_kie = [found[state]["submitted_at"] for state in (State.SUBMITTING, State.RUNNING) if state in found]
        return (
            {state: found[state]["n"] if state in found else 0 for state in OPEN_STATES},
            None if queued is None else queued["queued_at"],
            min((each for each in at_kie if each is not None), default=None),
        )

    def _read_balance(self) -> LastKnownBalance | None:
        credits_, asked_at = self._fetch_one("SELECT balance, asked_at FROM credit_balance WHERE id = 1")
        return None if asked_at is None else LastKnownBalance(credits_, asked_at)

    def _fetch_one(self, question: str) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute(question).fetchone()
        return row


def _age_seconds(since: Instant | None, now: Instant) -> float:
    return 0.0 if since is None else max(0.0, seconds_between(since, now))
