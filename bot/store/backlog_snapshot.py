"""A snapshot of the backlog: how much work there is, how long it has waited, and how much disk space is left.

No query scans a large table.
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
    """The backlog at one moment; ages are in seconds, 0 if nothing waits."""

    #: the number of jobs in each state that is not final
    jobs: Mapping[State, int]
    #: age of the oldest queued job, since its request was complete
    oldest_queued_seconds: float
    #: age of the oldest order at Kie
    oldest_at_kie_seconds: float
    #: messages to be sent, without progress messages, menus and reactions
    outbox_size: int
    #: by how many seconds the most overdue of them is late
    outbox_delay_seconds: float
    #: updates to be handled, without those held until a group's administrators are known
    inbox_size: int
    #: names of the open circuit breakers
    open_breakers: frozenset[str]
    #: the last known balance, None before Kie was asked
    balance: LastKnownBalance | None


class Snapshots(Table):
    """Takes snapshots of the backlog, and checks that the database is writable."""

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

        SQLite does not write a row that keeps its values. It does write the schema version, which does not count as a
        change after which the file must be scrubbed.
        """
        self._change(f"PRAGMA user_version = {self._count('PRAGMA user_version'):d}")


def _age_seconds(since: Instant | None, now: Instant) -> float:
    return 0.0 if since is None else max(0.0, seconds_between(since, now))


@dataclass(frozen=True)
class DiskSpace:
    """Bytes that the database files take, and bytes that are free on their disk."""

    used: int
    free: int


def read_disk_space(path: str) -> DiskSpace:
    """Return the disk space of a database; may block. Raises OSError."""
    used = 0
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            used += Path(f"{path}{suffix}").stat().st_size
    return DiskSpace(used, shutil.disk_usage(Path(path).parent).free)
