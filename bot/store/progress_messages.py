"""Progress messages: one message per job that shows its progress and is edited as that changes.

In groups, where others read along, a reaction to the request replaces it: there is a message only if the user must
decide something, or has asked.

A progress message is a row of the outbox that is due whenever its message may have to be sent, edited or deleted. Its
text is composed at that moment from the stored state, so that it is up to date.
"""

import sqlite3

from bot.clock import Instant, add_seconds
from bot.job import Job, State
from bot.store.base_table import Table
from bot.store.domain_events import DomainEvent
from bot.store.outbox import MessageKind, Outbox, OutboxMessage, read_outbox_message

#: Seconds between two edits of a message (throttle), so that it can be read and edits are few.
MIN_EDIT_INTERVAL = 3.0


_OPEN = f"job_id = ? AND kind = '{MessageKind.PROGRESS_MESSAGE}' AND ended_at IS NULL AND is_to_be_deleted = 0"


class ProgressMessages(Table):
    """The progress message of each job that has one."""

    def __init__(self, db: sqlite3.Connection, events: list[DomainEvent]) -> None:
        super().__init__(db)
        self._outbox = Outbox(db, events)

    def open_or_refresh(self, job: Job, now: Instant) -> None:
        """Open a progress message for a job, in a group only while the request is incomplete; refresh an open one."""
        if self._exists(f"SELECT 1 FROM outbox WHERE {_OPEN}", (job.id,)):
            self.mark_stale(job.id, now)
        elif not job.request.is_in_group or job.state is State.GATHERING:
            self._insert(job, now)

    def send_anew(self, job: Job, now: Instant, *, is_requested: bool = False) -> None:
        """Send a new progress message instead of an edit, which would not notify the user; in groups too.

        If the user requests one while one is yet to be sent, that serves both.
        """
        if is_requested and self._request_pending(job.id):
            return
        self.queue_deletion(job.id, now)
        self._insert(job, now, is_requested=is_requested)

    def _request_pending(self, job_id: int) -> bool:
        sql = f"UPDATE outbox SET is_requested = 1, revision = revision + 1 WHERE {_OPEN} AND message_id IS NULL"
        return self._change(sql, (job_id,)) > 0

    def mark_stale(self, job_id: int, now: Instant) -> None:
        """Make the message due again, as it may be out of date, but at least MIN_EDIT_INTERVAL after the last edit."""
        self._change(
            f"UPDATE outbox SET revision = revision + 1, due_at = max(?, coalesce(shown_at, 0) + ?) WHERE {_OPEN}",
            (now, add_seconds(0, MIN_EDIT_INTERVAL), job_id),
        )

    def queue_deletion(self, job_id: int, now: Instant) -> None:
        """Delete the message from its chat, if there is one."""
        sql = f"UPDATE outbox SET is_to_be_deleted = 1, revision = revision + 1, due_at = ? WHERE {_OPEN}"
        self._change(sql, (now, job_id))

    def get(self, job_id: int) -> OutboxMessage | None:
        """Return the open progress message of a job, None unless it was sent."""
        row = self._row(f"SELECT * FROM outbox WHERE {_OPEN} AND message_id IS NOT NULL", (job_id,))
        return None if row is None else read_outbox_message(row)

    def postpone(self, outbox_id: int, due_at: Instant | None) -> None:
        """Leave a message as it is until `due_at`, or until it is stale."""
        self._change("UPDATE outbox SET due_at = ?, tries = 0 WHERE id = ?", (due_at, outbox_id))

    def give_up_edit(self, message: OutboxMessage, now: Instant, refresh_at: Instant | None) -> None:
        """Give up an edit that Telegram never confirmed, and reset the tries; refresh as in `mark_shown`."""
        self._change(
            "UPDATE outbox SET uncertain_sends = 0, tries = 0,"
            " due_at = CASE WHEN revision > ? THEN max(due_at, ?) ELSE ? END WHERE id = ? AND ended_at IS NULL",
            (message.revision, add_seconds(now, MIN_EDIT_INTERVAL), refresh_at, message.id),
        )

    def mark_shown(
        self, message: OutboxMessage, shown: str, message_id: int, now: Instant, refresh_at: Instant | None
    ) -> None:
        """Store what a message shows; it is due again at `refresh_at`, or when it is stale.

        A message that became stale while it was sent stays due; one whose chat was migrated is sent again. If it is to
        be deleted, only its id is stored.
        """
        self._change(
            "UPDATE outbox SET shown = CASE WHEN is_to_be_deleted THEN shown ELSE ? END,"
            " message_id = ?, shown_at = ?, tries = 0, uncertain_sends = 0, due_at ="
            " CASE WHEN is_to_be_deleted THEN due_at WHEN revision > ? THEN max(due_at, ?) ELSE ? END"
            " WHERE id = ? AND chat_id = ? AND ended_at IS NULL",
            (
                shown,
                message_id,
                now,
                message.revision,
                add_seconds(now, MIN_EDIT_INTERVAL),
                refresh_at,
                message.id,
                message.draft.chat_id,
            ),
        )

    def is_current(self, message: OutboxMessage) -> bool:
        """Say whether a message has not become stale since it was read."""
        revision = self._int("SELECT revision FROM outbox WHERE id = ?", (message.id,))
        return revision == message.revision and self._outbox.is_pending(message)

    def is_to_be_deleted(self, outbox_id: int) -> bool:
        """Say whether a message is to be deleted."""
        return self._exists("SELECT 1 FROM outbox WHERE id = ? AND is_to_be_deleted AND ended_at IS NULL", (outbox_id,))

    def _insert(self, job: Job, now: Instant, *, is_requested: bool = False) -> None:
        self._change(
            "INSERT INTO outbox"
            " (key, kind, chat_id, thread_id, reply_to, body, job_id, is_requested, written_at, due_at)"
            " SELECT printf('job:%d:progress:%d', ?1, count(*)), ?2, ?3, ?4, ?5, '', ?1, ?6, ?7, ?7 FROM outbox"
            " WHERE job_id = ?1 AND kind = ?2",
            (
                job.id,
                MessageKind.PROGRESS_MESSAGE,
                job.request.chat_id,
                job.request.thread_id,
                job.request.message_id,
                is_requested,
                now,
            ),
        )
