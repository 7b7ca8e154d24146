"""The agenda: the first moments at which the rows hold something to do, in one question."""

import sqlite3
from dataclasses import dataclass

from bot.job import Instant
from bot.store.outbox import SAID, TOLD


@dataclass(frozen=True)
class Agenda:
    """When there is something to do, None for never; what was not dealt with yet may be long due."""

    #: a job is due
    jobs_at: Instant | None
    #: something is to be said
    said_at: Instant | None
    #: it is to be told how something stands
    told_at: Instant | None
    #: the administrators of a group are to be asked for
    groups_at: Instant | None
    #: whether any job waits in the line, prepared or not
    somebody_waits: bool

    @property
    def messages_at(self) -> Instant | None:
        """Return when a message of either kind is due."""
        return min((at for at in (self.said_at, self.told_at) if at is not None), default=None)


def agenda(db: sqlite3.Connection) -> Agenda:
    """Return what there is to do."""
    row = db.execute(
        "SELECT (SELECT min(due_at) FROM jobs WHERE due_at IS NOT NULL),"  # noqa: S608 - no data in it
        f" (SELECT min(due_at) FROM outbox WHERE due_at IS NOT NULL AND {SAID}),"
        f" (SELECT min(due_at) FROM outbox WHERE due_at IS NOT NULL AND {TOLD}),"
        " (SELECT min(admins_due_at) FROM chats WHERE admins_due_at IS NOT NULL),"
        " (SELECT min(job_id) FROM line) IS NOT NULL"
    ).fetchone()
    return Agenda(row[0], row[1], row[2], row[3], bool(row[4]))


def has_come(moment: Instant | None, now: Instant) -> bool:
    """Say whether a moment of the agenda has come."""
    return moment is not None and moment <= now
