"""Statuses: the one message per job that tells how it stands, and changes.

In groups, where others read along, a reaction to the request replaces it: there is a
message only where the person has to decide something, or has asked.

A status is a row of the outbox that is due whenever its message may have to be
sent, changed or deleted. What it says is composed at that moment from what is
stored, so it is never older than the moment at which it is sent.
"""

import sqlite3

from bot.clock import Instant, add_seconds
from bot.job import Job, State
from bot.store.events import DomainEvent
from bot.store.outbox import MessageKind, Outbox, OutboxMessage, read_outbox_message

#: Seconds between two changes of a message, so that it can be read and Telegram is not bothered.
MIN_EDIT_INTERVAL = 3.0


class ProgressMessages:
    """The status of each job that has one."""

    def __init__(self, db: sqlite3.Connection, facts: list[DomainEvent]) -> None:
        self._db = db
        self._outbox = Outbox(db, facts)

    def open_or_refresh(self, job: Job, now: Instant) -> None:
        """Give a job a status, or look after the one that it has."""
        if self._is_open(job.id):
            self.mark_stale(job.id, now)
        elif not job.request.is_in_group or job.state is State.GATHERING:
            self._insert(job, now)

    def send_anew(self, job: Job, now: Instant, *, is_asked_for: bool = False) -> None:
        """Tell how it stands by a fresh message, which the person is notified of, in a group as well.

        One that somebody asked for and that is still to be sent is fresh enough for whoever asks again.
        """
        if is_asked_for and self._request_pending(job.id):
            return
        self.queue_deletion(job.id, now)
        self._insert(job, now, is_asked_for=is_asked_for)

    def _request_pending(self, job_id: int) -> bool:
        cursor = self._db.execute(
            "UPDATE outbox SET is_asked_for = 1, touched = touched + 1"
            " WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0 AND message_id IS NULL",
            (job_id, MessageKind.PROGRESS_MESSAGE),
        )
        return cursor.rowcount > 0

    def mark_stale(self, job_id: int, now: Instant) -> None:
        """Say that what the message shows may no longer be so."""
        self._db.execute(
            "UPDATE outbox SET touched = touched + 1, due_at = max(?, coalesce(shown_at, 0) + ?)"
            " WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0",
            (now, add_seconds(0, MIN_EDIT_INTERVAL), job_id, MessageKind.PROGRESS_MESSAGE),
        )

    def queue_deletion(self, job_id: int, now: Instant) -> None:
        """Let the message be deleted: what it said has come, or is said elsewhere."""
        self._db.execute(
            "UPDATE outbox SET is_over = 1, touched = touched + 1, due_at = ?"
            " WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0",
            (now, job_id, MessageKind.PROGRESS_MESSAGE),
        )

    def get(self, job_id: int) -> OutboxMessage | None:
        """Return the status of a job, if its message stands in the chat."""
        row = self._db.execute(
            "SELECT * FROM outbox WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND message_id IS NOT NULL"
            " AND is_over = 0",
            (job_id, MessageKind.PROGRESS_MESSAGE),
        ).fetchone()
        return None if row is None else read_outbox_message(row)

    def postpone(self, parcel_id: int, due_at: Instant | None) -> None:
        """Leave a message as it is until a moment, or until it is touched."""
        self._db.execute("UPDATE outbox SET due_at = ?, tries = 0 WHERE id = ?", (due_at, parcel_id))

    def give_up_edit(self, status: OutboxMessage, now: Instant, look_at: Instant | None) -> None:
        """Give a change up that may have arrived each time; it is forgotten how often that was tried.

        It is looked after again as in `shown`.
        """
        self._db.execute(
            "UPDATE outbox SET in_doubt = 0, tries = 0, due_at = CASE WHEN touched > ? THEN max(due_at, ?) ELSE ? END"
            " WHERE id = ? AND ended_at IS NULL",
            (status.revision, add_seconds(now, MIN_EDIT_INTERVAL), look_at, status.id),
        )

    def mark_shown(
        self, status: OutboxMessage, shown: str, message_id: int, now: Instant, look_at: Instant | None
    ) -> None:
        """Write down what the message shows; it is looked after again at `look_at`, or when it is touched.

        Where it was touched while the message was on its way, it stays due; where its chat moved, it is sent again.
        Of one that is to be deleted nothing more is kept than which message it is.
        """
        self._db.execute(
            "UPDATE outbox SET shown = CASE WHEN is_over THEN shown ELSE ? END,"
            " message_id = ?, shown_at = ?, tries = 0, in_doubt = 0, due_at ="
            " CASE WHEN is_over THEN due_at WHEN touched > ? THEN max(due_at, ?) ELSE ? END"
            " WHERE id = ? AND chat_id = ? AND ended_at IS NULL",
            (
                shown,
                message_id,
                now,
                status.revision,
                add_seconds(now, MIN_EDIT_INTERVAL),
                look_at,
                status.id,
                status.draft.chat_id,
            ),
        )

    def is_current(self, status: OutboxMessage) -> bool:
        """Say whether nothing has happened since a status was read that may change what it shows."""
        row = self._db.execute("SELECT touched FROM outbox WHERE id = ?", (status.id,)).fetchone()
        return row is not None and row["touched"] == status.revision and self._outbox.is_pending(status)

    def is_to_be_deleted(self, parcel_id: int) -> bool:
        """Say whether a message is to be deleted."""
        row = self._db.execute("SELECT 1 FROM outbox WHERE id = ? AND is_over AND ended_at IS NULL", (parcel_id,))
        return row.fetchone() is not None

    def _is_open(self, job_id: int) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM outbox WHERE job_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0",
            (job_id, MessageKind.PROGRESS_MESSAGE),
        ).fetchone()
        return row is not None

    def _insert(self, job: Job, now: Instant, *, is_asked_for: bool = False) -> None:
        request = job.request
        self._db.execute(
            "INSERT INTO outbox"
            " (key, kind, chat_id, thread_id, reply_to, body, job_id, is_asked_for, written_at, due_at)"
            " SELECT printf('job:%d:status:%d', ?1, count(*)), ?2, ?3, ?4, ?5, '', ?1, ?6, ?7, ?7 FROM outbox"
            " WHERE job_id = ?1 AND kind = ?2",
            (
                job.id,
                MessageKind.PROGRESS_MESSAGE,
                request.chat_id,
                request.thread_id,
                request.message_id,
                is_asked_for,
                now,
            ),
        )
