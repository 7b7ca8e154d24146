"""Statuses: the one message per job that tells how it stands, and changes.

In groups, where others read along, a sign on the request has to do: there is a
message only where the person has to decide something, or has asked.

A status is a row of the outbox that is due whenever its message may have to be
sent, changed or deleted. What it says is composed at that moment from what is
stored, so it is never older than the moment at which it is sent.
"""

import sqlite3
from enum import StrEnum

from bot.job import Instant, Job, State, later
from bot.store.facts import Fact
from bot.store.outbox import Kind, Outbox, Parcel, Say, parcel_of

#: Seconds between two changes of a message, so that it can be read and Telegram is not bothered.
GAP = 3.0


class Sign(StrEnum):
    """A reaction on a request in a group."""

    ACCEPTED = "👀"
    DONE = "👌"
    #: what there is to say about it is said in the answer
    NOT_DONE = "🤷"
    TAKEN_BACK = "🫡"


class Statuses:
    """The status of each job that has one."""

    def __init__(self, db: sqlite3.Connection, facts: list[Fact]) -> None:
        self._db = db
        self._outbox = Outbox(db, facts)

    def open(self, job: Job, now: Instant) -> None:
        """Give a job a status, or look after the one that it has."""
        if self._is_open(job.id):
            self.touch(job.id, now)
        elif not job.request.is_in_group or job.state is State.GATHERING:
            self._begin(job, now)

    def anew(self, job: Job, now: Instant, *, is_asked_for: bool = False) -> None:
        """Tell how it stands by a fresh message, which the person is notified of, in a group as well.

        One that somebody asked for and that is still to be sent is fresh enough for whoever asks again.
        """
        if is_asked_for and self._is_still_to_be_sent(job.id):
            return
        self.over(job.id, now)
        self._begin(job, now, is_asked_for=is_asked_for)

    def _is_still_to_be_sent(self, job_id: int) -> bool:
        cursor = self._db.execute(
            "UPDATE outbox SET is_asked_for = 1, touched = touched + 1"
            " WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0 AND message_id IS NULL",
            (job_id, Kind.STATUS),
        )
        return cursor.rowcount > 0

    def accepted(self, job: Job, now: Instant) -> None:
        """Tell that a request is complete: by its message, or in a group by a sign instead of one."""
        if job.request.is_in_group:
            self.over(job.id, now)
            self.sign(job, Sign.ACCEPTED, now)
        else:
            self.open(job, now)

    def sign(self, job: Job, sign: Sign, now: Instant) -> None:
        """Put a sign on a request in a group; one that has not been put there yet is no longer needed."""
        if not job.request.is_in_group or job.request.message_id is None:
            return
        self._outbox.withdraw(job.id, Kind.REACTION, now)
        say = Say(
            key=f"job:{job.id}:sign:{sign.name.lower()}",
            kind=Kind.REACTION,
            chat_id=job.request.chat_id,
            reply_to=job.request.message_id,
            body=sign,
            job_id=job.id,
        )
        self._outbox.add(say, now)

    def touch(self, job_id: int, now: Instant) -> None:
        """Say that what the message shows may no longer be so."""
        self._db.execute(
            "UPDATE outbox SET touched = touched + 1, due_at = max(?, coalesce(shown_at, 0) + ?)"
            " WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0",
            (now, later(0, GAP), job_id, Kind.STATUS),
        )

    def over(self, job_id: int, now: Instant) -> None:
        """Let the message be deleted: what it said has come, or is said elsewhere."""
        self._db.execute(
            "UPDATE outbox SET is_over = 1, touched = touched + 1, due_at = ?"
            " WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0",
            (now, job_id, Kind.STATUS),
        )

    def of(self, job_id: int) -> Parcel | None:
        """Return the status of a job, if its message stands in the chat."""
        row = self._db.execute(
            "SELECT * FROM outbox WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND message_id IS NOT NULL"
            " AND is_over = 0",
            (job_id, Kind.STATUS),
        ).fetchone()
        return None if row is None else parcel_of(row)

    def wait(self, parcel_id: int, due_at: Instant | None) -> None:
        """Leave a message as it is until a moment, or until it is touched."""
        self._db.execute("UPDATE outbox SET due_at = ?, tries = 0 WHERE id = ?", (due_at, parcel_id))

    def leave_as_it_is(self, status: Parcel, now: Instant, look_at: Instant | None) -> None:
        """Give a change up that may have arrived each time; it is forgotten how often that was tried.

        It is looked after again as in `shown`.
        """
        self._db.execute(
            "UPDATE outbox SET in_doubt = 0, tries = 0, due_at = CASE WHEN touched > ? THEN max(due_at, ?) ELSE ? END"
            " WHERE id = ? AND ended_at IS NULL",
            (status.touched, later(now, GAP), look_at, status.id),
        )

    def shown(self, status: Parcel, shown: str, message_id: int, now: Instant, look_at: Instant | None) -> None:
        """Write down what the message shows; it is looked after again at `look_at`, or when it is touched.

        Where it was touched while the message was on its way, it stays due; where its chat moved, it is sent again.
        Of one that is to be deleted nothing more is kept than which message it is.
        """
        self._db.execute(
            "UPDATE outbox SET shown = CASE WHEN is_over THEN shown ELSE ? END,"
            " message_id = ?, shown_at = ?, tries = 0, in_doubt = 0, due_at ="
            " CASE WHEN is_over THEN due_at WHEN touched > ? THEN max(due_at, ?) ELSE ? END"
            " WHERE id = ? AND chat_id = ? AND ended_at IS NULL",
            (shown, message_id, now, status.touched, later(now, GAP), look_at, status.id, status.say.chat_id),
        )

    def is_unchanged(self, status: Parcel) -> bool:
        """Say whether nothing has happened since a status was read that may change what it shows."""
        row = self._db.execute("SELECT touched FROM outbox WHERE id = ?", (status.id,)).fetchone()
        return row is not None and row["touched"] == status.touched and self._outbox.is_waiting(status)

    def is_over(self, parcel_id: int) -> bool:
        """Say whether a message is to be deleted."""
        row = self._db.execute("SELECT 1 FROM outbox WHERE id = ? AND is_over AND ended_at IS NULL", (parcel_id,))
        return row.fetchone() is not None

    def _is_open(self, job_id: int) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM outbox WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0",
            (job_id, Kind.STATUS),
        ).fetchone()
        return row is not None

    def _begin(self, job: Job, now: Instant, *, is_asked_for: bool = False) -> None:
        request = job.request
        self._db.execute(
            "INSERT INTO outbox"
            " (key, kind, chat_id, thread_id, reply_to, body, job_id, is_asked_for, written_at, due_at)"
            " SELECT printf('job:%d:status:%d', ?1, count(*)), ?2, ?3, ?4, ?5, '', ?1, ?6, ?7, ?7 FROM outbox"
            " WHERE job_id = ?1 AND kind = ?2",
            (job.id, Kind.STATUS, request.chat_id, request.thread_id, request.message_id, is_asked_for, now),
        )
