"""The agenda: the first moments at which the rows hold something to do, in one question."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from bot.clock import Instant, add_seconds
from bot.store.outbox import OutboxLane


@dataclass(frozen=True)
class DueTimes:
    """When there is something to do, None for never; what was not dealt with yet may be long due."""

    #: a job is due
    jobs_at: Instant | None
    #: something is to be said, or told, out of each lane that is not empty
    lanes_at: Mapping[OutboxLane, Instant]
    #: the administrators of a group are to be asked for
    admins_at: Instant | None
    #: whether any job waits in the line, prepared or not
    has_queued_jobs: bool

    @property
    def messages_at(self) -> Instant | None:
        """Return when a message of any kind is due."""
        return min(self.lanes_at.values(), default=None)


def read_due_times(db: sqlite3.Connection) -> DueTimes:
    """Return what there is to do."""
    lanes = ", ".join(f"(SELECT min(queue_turn) FROM outbox_lanes WHERE lane = '{lane}')" for lane in OutboxLane)  # noqa: S608 - ours
    jobs_at, admins_at, first_queued, *lanes_at = db.execute(
        "SELECT (SELECT min(due_at) FROM jobs WHERE due_at IS NOT NULL),"  # noqa: S608 - names of ours
        " (SELECT min(admins_due_at) FROM chats WHERE admins_due_at IS NOT NULL),"
        f" (SELECT min(job_id) FROM fair_queue), {lanes}"
    ).fetchone()
    due = {lane: at for lane, at in zip(OutboxLane, lanes_at, strict=True) if at is not None}
    return DueTimes(jobs_at, due, admins_at, first_queued is not None)


def is_due(moment: Instant | None, now: Instant) -> bool:
    """Say whether a moment of the agenda has come."""
    return moment is not None and moment <= now


#: Seconds; less than that is no reason to touch anything.
MIN_SHIFT_SECONDS = 5.0

#: Columns that hold a moment to wait for, or from which one is counted; and in which rows, where no index knows.
SHIFTED_COLUMNS = (
    ("jobs", "due_at", ""),
    ("jobs", "closes_by", " AND state = 'gathering'"),
    ("outbox", "due_at", ""),
    ("outbox_lanes", "served_at", ""),
    ("circuit_breakers", "open_until", ""),
    ("attempts", "ended_at", ""),
    ("credit_balance", "asked_at", ""),
    ("credit_balance", "due_at", ""),
)


class ClockShift:
    """The moments of every table."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def shift_due_times(self, now: Instant) -> float:
        """Let everything wait as long as it would have if the clock had not been set back; return by how many seconds.

        The latest thing that was written down is taken to have happened just now.
        """
        ahead = self._read_latest() - now
        if ahead <= add_seconds(0, MIN_SHIFT_SECONDS):
            return 0.0
        for table, column, where in SHIFTED_COLUMNS:
            self._db.execute(
                f"UPDATE {table} SET {column} = {column} - ?1 WHERE {column} > ?2{where}",  # noqa: S608 - from above
                (ahead, now),
            )
        return ahead / 1000

    def _read_latest(self) -> Instant:
        row = self._db.execute(
            "SELECT max(coalesce((SELECT max(handled_at) FROM inbox WHERE handled_at IS NOT NULL), 0),"
            " coalesce((SELECT max(ended_at) FROM attempts WHERE ended_at IS NOT NULL), 0),"
            " coalesce((SELECT max(ended_at) FROM outbox WHERE ended_at IS NOT NULL), 0)) AS latest"
        ).fetchone()
        return int(row["latest"])
