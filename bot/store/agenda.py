"""The agenda: the first moments at which the rows hold something to do, in one question."""

import sqlite3
from dataclasses import dataclass

from bot.job import Instant


@dataclass(frozen=True)
class Agenda:
    """When there is something to do, None for never; what was not dealt with yet may be long due."""

    #: a job is due
    jobs_at: Instant | None
    #: a message is due
    messages_at: Instant | None
    #: the administrators of a group are to be asked for
    groups_at: Instant | None
    #: whether any job waits in the line, prepared or not
    somebody_waits: bool


def agenda(db: sqlite3.Connection) -> Agenda:
    """Return what there is to do."""
    row = db.execute(
        "SELECT (SELECT min(due_at) FROM jobs WHERE due_at IS NOT NULL),"
        " (SELECT min(due_at) FROM outbox WHERE due_at IS NOT NULL),"
        " (SELECT min(admins_due_at) FROM chats WHERE admins_due_at IS NOT NULL),"
        " (SELECT min(job_id) FROM line) IS NOT NULL"
    ).fetchone()
    return Agenda(row[0], row[1], row[2], bool(row[3]))


def has_come(moment: Instant | None, now: Instant) -> bool:
    """Say whether a moment of the agenda has come."""
    return moment is not None and moment <= now
