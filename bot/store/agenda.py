"""The agenda: the first moments at which the rows hold something to do, in one question."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from bot.job import Instant
from bot.store.outbox import Lane


@dataclass(frozen=True)
class Agenda:
    """When there is something to do, None for never; what was not dealt with yet may be long due."""

    #: a job is due
    jobs_at: Instant | None
    #: something is to be said, or told, out of each lane that is not empty
    lanes_at: Mapping[Lane, Instant]
    #: the administrators of a group are to be asked for
    groups_at: Instant | None
    #: whether any job waits in the line, prepared or not
    somebody_waits: bool

    @property
    def messages_at(self) -> Instant | None:
        """Return when a message of any kind is due."""
        return min(self.lanes_at.values(), default=None)


def agenda(db: sqlite3.Connection) -> Agenda:
    """Return what there is to do."""
    jobs_at, groups_at, somebody_waits, *lanes_at = db.execute(
        "SELECT (SELECT min(due_at) FROM jobs WHERE due_at IS NOT NULL),"
        " (SELECT min(admins_due_at) FROM chats WHERE admins_due_at IS NOT NULL),"
        " (SELECT min(job_id) FROM line) IS NOT NULL,"
        " (SELECT min(turn) FROM chat_queues WHERE lane = ?), (SELECT min(turn) FROM chat_queues WHERE lane = ?),"
        " (SELECT min(turn) FROM chat_queues WHERE lane = ?), (SELECT min(turn) FROM chat_queues WHERE lane = ?),"
        " (SELECT min(turn) FROM chat_queues WHERE lane = ?)",
        tuple(Lane),
    ).fetchone()
    lanes = {lane: at for lane, at in zip(Lane, lanes_at, strict=True) if at is not None}
    return Agenda(jobs_at, lanes, groups_at, bool(somebody_waits))


def has_come(moment: Instant | None, now: Instant) -> bool:
    """Say whether a moment of the agenda has come."""
    return moment is not None and moment <= now
