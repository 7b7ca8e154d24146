"""Due times: when each kind of work is due next, and how they are shifted when the clock is set back."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from bot.clock import Instant, add_seconds
from bot.store.base_table import Table
from bot.store.outbox import OutboxLane


@dataclass(frozen=True)
class DueTimes:
    """The first due time of each kind of work, None for never; work in progress may be overdue."""

    jobs_at: Instant | None
    #: when each lane that is not empty has a message due
    lanes_at: Mapping[OutboxLane, Instant]
    #: when to look up the administrators of a group
    admins_at: Instant | None
    #: whether any job is in the fair queue, prepared or not
    has_queued_jobs: bool

    @property
    def messages_at(self) -> Instant | None:
        """When a message of any lane is due."""
        return min(self.lanes_at.values(), default=None)


def read_due_times(db: sqlite3.Connection) -> DueTimes:
    """Return when each kind of work is due next."""
    lanes = ", ".join(f"(SELECT min(queue_turn) FROM outbox_lanes WHERE lane = '{lane}')" for lane in OutboxLane)
    jobs_at, admins_at, first_queued, *lanes_at = db.execute(
        "SELECT (SELECT min(due_at) FROM jobs WHERE due_at IS NOT NULL),"
        " (SELECT min(admins_due_at) FROM chats WHERE admins_due_at IS NOT NULL),"
        f" (SELECT min(job_id) FROM fair_queue), {lanes}"
    ).fetchone()
    due = {lane: at for lane, at in zip(OutboxLane, lanes_at, strict=True) if at is not None}
    return DueTimes(jobs_at, due, admins_at, first_queued is not None)


def is_due(moment: Instant | None, now: Instant) -> bool:
    """Say whether a due time has come; None never does."""
    return moment is not None and moment <= now


#: Seconds; a smaller shift changes nothing.
MIN_SHIFT_SECONDS = 5.0

#: Columns with a due time, or a time from which one is computed; and a condition if the column alone has no index.
SHIFTED_COLUMNS = (
    ("jobs", "due_at", ""),
    ("jobs", "closes_by", " AND state = 'gathering'"),
    ("outbox", "due_at", ""),
    ("outbox_lanes", "served_at", ""),
    ("circuit_breakers", "open_until", ""),
    ("attempts", "ended_at", ""),
    ("credit_balance", "asked_at", ""),
    ("credit_balance", "due_at", ""),
    ("chats", "admins_due_at", ""),
    ("chats", "admins_known_at", ""),
)


class ClockShift(Table):
    """Corrects stored times after the clock was set back."""

    def shift_due_times(self, now: Instant) -> float:
        """Shift the future SHIFTED_COLUMNS by the amount the clock was set back; return that in seconds, else 0.

        The latest recorded event is assumed to have happened just now.
        """
        ahead = self._read_latest() - now
        if ahead <= add_seconds(0, MIN_SHIFT_SECONDS):
            return 0.0
        for table, column, where in SHIFTED_COLUMNS:
            sql = f"UPDATE {table} SET {column} = {column} - ?1 WHERE {column} > ?2{where}"
            self._change(sql, (ahead, now))
        return ahead / 1000

    def _read_latest(self) -> Instant:
        return self._count(
            "SELECT max(coalesce((SELECT max(handled_at) FROM inbox WHERE handled_at IS NOT NULL), 0),"
            " coalesce((SELECT max(ended_at) FROM attempts WHERE ended_at IS NOT NULL), 0),"
            " coalesce((SELECT max(ended_at) FROM outbox WHERE ended_at IS NOT NULL), 0))"
        )
