"""Snapshot: how much work there is at this moment, for how long it has waited, and how much room the disk has.

Every query is answered by an index.
"""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.clock import Instant, seconds_between
from bot.job import State
from bot.store.base_table import Table
from bot.store.credits import Credits, LastKnownBalance
from bot.store.inbox import WAITING_SQL
from bot.store.jobs import OPEN_STATES


@dataclass(frozen=True)
class Snapshot:
    """The stored work; ages are seconds, 0 where nothing waits."""

    #: how many jobs there are in each state that is not final
    jobs: Mapping[State, int]
    #: since the request of the oldest queued job was complete
    oldest_queued_seconds: float
    #: since the oldest order at Kie was made
    oldest_at_kie_seconds: float
    #: messages that wait to be sent, without progress messages, menus and reactions
    outbox_size: int
    #: by how much the most overdue of them is late
    outbox_delay_seconds: float
    #: updates that wait to be handled
    inbox_size: int
    #: names of the open circuit breakers
    open_breakers: frozenset[str]
    #: the last known balance, None before Kie was asked
    balance: LastKnownBalance | None


class Snapshots(Table):
    """Takes snapshots, and checks that the database is writable."""

    def take(self, now: Instant) -> Snapshot:
        """Return a snapshot."""
        rows = self._rows(
            "SELECT state, count(*) AS n, min(queued_at) AS queued_at, min(submitted_at) AS submitted_at FROM jobs"
            " WHERE state IN (?, ?, ?, ?) GROUP BY state",
            OPEN_STATES,
        )
        jobs = {State(row["state"]): row for row in rows}
        submitted = [jobs[state]["submitted_at"] for state in (State.SUBMITTING, State.RUNNING) if state in jobs]
        [(messages, due_at)] = self._rows(
            "SELECT count(*), min(due_at) FROM outbox WHERE due_at IS NOT NULL"
            " AND lane IN ('callback_answer', 'heavy', 'message')"
        )
        return Snapshot(
            jobs={state: jobs[state]["n"] if state in jobs else 0 for state in OPEN_STATES},
            oldest_queued_seconds=_age_seconds(jobs[State.QUEUED]["queued_at"] if State.QUEUED in jobs else None, now),
            oldest_at_kie_seconds=_age_seconds(min((each for each in submitted if each), default=None), now),
            outbox_size=messages,
            outbox_delay_seconds=_age_seconds(due_at, now),
            inbox_size=self._count(f"SELECT count(*) FROM inbox WHERE {WAITING_SQL}"),
            open_breakers=frozenset(row["name"] for row in self._rows("SELECT name FROM circuit_breakers")),
            balance=Credits(self._db, []).get_balance(),
        )

    def check_writable(self) -> None:
        """Check that the database is writable, without changing any data.

        SQLite does not write a row that stays as it is. It does write the schema version, which counts as no change
        whose traces would have to be erased.
        """
        self._change(f"PRAGMA user_version = {self._count('PRAGMA user_version'):d}")


def _age_seconds(since: Instant | None, now: Instant) -> float:
    return 0.0 if since is None else max(0.0, seconds_between(since, now))


@dataclass(frozen=True)
class DiskSpace:
    """Bytes that the database takes, and that are free on its disk."""

    used: int
    free: int


def read_disk_space(path: str) -> DiskSpace:
    """Ask the disk, which may block. Raises OSError."""
    used = 0
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            used += Path(f"{path}{suffix}").stat().st_size
    return DiskSpace(used, shutil.disk_usage(Path(path).parent).free)
