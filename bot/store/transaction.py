"""A transaction: what a unit of work may touch, which is every table by its class, and changes of several tables."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from bot.clock import Instant, utc_day
from bot.edit_options import split_trailing_ratio
from bot.job import EditRequest, FailureReason, Job, State
from bot.store.access_rules import AccessRules
from bot.store.attempts import Attempts
from bot.store.chats import Chats, greeting_key
from bot.store.circuit_breakers import CircuitBreakers
from bot.store.credits import Credits
from bot.store.daily_usage import DailyUsage, Quota
from bot.store.due_times import ClockShift, DueTimes, read_due_times
from bot.store.erasure import Erasure
from bot.store.events import DomainEvent, LogAfterCommit, log_job_answered
from bot.store.fair_queue import ConversionQueue, FairQueue
from bot.store.inbox import Inbox
from bot.store.job_statistics import JobStatistics
from bot.store.jobs import UNORDERED_STATES, Jobs, edit_option_columns
from bot.store.menus import Menus
from bot.store.outbox import DeliveryOutcome, MessageKind, Outbox, OutboxMessage
from bot.store.progress_messages import ProgressMessages, RequestReaction
from bot.store.request_messages import RequestMessages
from bot.store.snapshot import Snapshots
from bot.store.users import BotIdentity, Users


class Transaction:
    """One transaction after the other on a connection; valid only inside the unit of work that it is given to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        #: the events of the present unit of work
        self.events: list[DomainEvent] = []
        self.inbox = Inbox(db)
        self.jobs = Jobs(db, self.events)
        self.request_messages = RequestMessages(db)
        self.fair_queue = FairQueue(db)
        self.conversion_queue = ConversionQueue(db)
        self.attempts = Attempts(db)
        self.outbox = Outbox(db, self.events)
        self.progress_messages = ProgressMessages(db, self.events)
        self.circuit_breakers = CircuitBreakers(db)
        self.bot_identity = BotIdentity(db)
        self.users = Users(db)
        self.chats = Chats(db)
        self.menus = Menus(db, self.events)
        self.clock_shift = ClockShift(db)
        self.access_rules = AccessRules(db)
        self.daily_usage = DailyUsage(db)
        self.quota = Quota(db)
        self.credits = Credits(db, self.events)
        self.erasure = Erasure(db)
        self.job_statistics = JobStatistics(db)
        self.snapshots = Snapshots(db)

    def log(self, write: Callable[..., None], text: str, *values: object, **options: Any) -> None:
        """Log something by a method of a logger once this is committed, and only then."""
        self.events.append(LogAfterCommit(partial(write, text, *values, **options)))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back what is written within where that raises; what was written before stays."""
        before = len(self.events)
        self._db.execute("SAVEPOINT row")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled back everything if the disk is full
                self._db.execute("ROLLBACK TO row")
                self._db.execute("RELEASE row")
            del self.events[before:]
            raise
        self._db.execute("RELEASE row")

    @property
    def total_changes(self) -> int:
        """The changes of rows on this connection so far, including those rolled back."""
        return self._db.total_changes

    def read_due_times(self) -> DueTimes:
        """Return when each kind of work is due."""
        return read_due_times(self._db)

    def with_prompt(self, request: EditRequest, text: str) -> EditRequest:
        """Return a request with a prompt, and the edit options of the prompt or else of the chat."""
        prompt, aspect_ratio = split_trailing_ratio(text)
        options = self.chats.get_edit_options(request.chat_id)
        return replace(
            request,
            prompt=prompt,
            options=replace(options, aspect_ratio=aspect_ratio or options.aspect_ratio),
        )

    def complete_request(self, job: Job, text: str, now: Instant) -> bool:
        """Queue a request that has its images and a prompt; False if its state has changed since it was read."""
        request = self.with_prompt(job.request, text)
        queued = self.jobs.transition(
            job,
            State.QUEUED,
            prompt=request.prompt,
            **edit_option_columns(request.options),
            message_id=_first_message_id(job),
            queued_at=now,
            due_at=None,
            closes_by=None,
        )
        complete = self.jobs.get(job.id)
        if queued and complete is not None:
            self.quota.charge_to_all(job.id, utc_day(now))
            self.enqueue(complete, now)
        return queued

    def enqueue(self, job: Job, now: Instant) -> None:
        """Put a queued job into the fair queue, and acknowledge the request."""
        self.fair_queue.enqueue(job.id, job.request.chat_id, job.request.charged_to)
        self.progress_messages.acknowledge(job, now)

    def cancel_job(self, job: Job, now: Instant) -> bool:
        """Cancel a job if nothing was ordered for it yet; False if it is too late."""
        if job.state not in UNORDERED_STATES:
            return False
        self.fair_queue.remove(job.id)
        self.progress_messages.mark_stale(job.id, now)
        if job.state is State.QUEUED:
            self.progress_messages.set_reaction(job, RequestReaction.CANCELLED, now)
        return self.jobs.transition(job, State.CANCELLED, finished_at=now, due_at=None)

    def retry_uncertain_order(self, job: Job, now: Instant) -> bool:
        """Queue a job with an uncertain order once more, as the user decided; False if a task may be found for it."""
        queued = not self.attempts.has_candidate_task(job.id) and self.jobs.transition(
            job, State.QUEUED, queued_at=now, submitted_at=None, asked_at=None, due_at=None, tries=0
        )
        if queued:
            self._charge_unknown_price(now)
            self.fair_queue.enqueue_first(job.id, job.request.chat_id, is_ready=False)
            self.progress_messages.mark_stale(job.id, now)
        return queued

    def abandon_uncertain_order(self, job: Job, now: Instant) -> bool:
        """End a job with an uncertain order; what there is to say was said when the user was asked."""
        abandoned = self.jobs.transition(
            job, State.FAILED, reason=FailureReason.ORDER_UNCERTAIN, finished_at=now, answered_at=now, due_at=None
        )
        if abandoned:
            self._charge_unknown_price(now)
            self.progress_messages.mark_stale(job.id, now)
            self.progress_messages.set_reaction(job, RequestReaction.NOT_DONE, now)
        return abandoned

    def _charge_unknown_price(self, now: Instant) -> None:
        """Count an order whose cost nobody will find out as one that was accepted at the usual price."""
        self.credits.add_spending(self.credits.estimate_price(), utc_day(now))

    def mark_sent(self, message: OutboxMessage, message_id: int | None, now: Instant) -> None:
        """Store that a message was sent, and Telegram's id for it; with its answer a job is answered."""
        self.outbox.mark_sent(message, message_id, now)
        draft = message.draft
        job = None if draft.job_id is None else self.jobs.get(draft.job_id)
        if job is None:
            return
        self._delete_replaced_texts(message, job, now)
        if draft.is_answer and self.jobs.update(job, answered_at=now):
            self._end_progress_message(job, message_id, now)
            is_done = draft.kind is MessageKind.IMAGE
            reaction = RequestReaction.DONE if is_done else RequestReaction.NOT_DONE
            self.progress_messages.set_reaction(job, reaction, now)
            self.events.append(log_job_answered(job, now))

    def _delete_replaced_texts(self, message: OutboxMessage, job: Job, now: Instant) -> None:
        """Delete earlier texts in place of an image or a file: it has arrived, or a newer text replaces it."""
        kind = message.replaces or message.draft.kind
        if kind not in (MessageKind.IMAGE, MessageKind.FILE):
            return
        self.outbox.delete_replacement_texts(job.id, message.draft.chat_id, kind, now, except_id=message.id)
        if message.draft.kind is MessageKind.IMAGE and not message.draft.is_answer:
            self.progress_messages.set_reaction(job, RequestReaction.DONE, now)

    def _end_progress_message(self, job: Job, answer_id: int | None, now: Instant) -> None:
        """Delete the progress message, unless it has become the answer."""
        message = self.progress_messages.get(job.id)
        if message is not None and message.message_id == answer_id:
            self.outbox.mark_ended(message.id, DeliveryOutcome.SENT, now)
        else:
            self.progress_messages.queue_deletion(job.id, now)

    def delete_answer(self, job: Job, message_id: int, now: Instant) -> None:
        """Delete an answer for good, with its files; `message_id` is the message whose button was pressed.

        Pending messages with its image are cancelled, and Kie's URL of it is erased.
        """
        answer = self.outbox.get_pending_answer(job.id)
        if answer is not None:  # it has arrived, as the press shows, though Telegram has not confirmed the send yet
            self.mark_sent(answer, message_id, now)
        for kind in (MessageKind.IMAGE, MessageKind.FILE):
            self.outbox.cancel_pending(job.id, kind, now)
            self.outbox.delete_replacement_texts(job.id, job.request.chat_id, kind, now, except_id=None)
        sent = {each.message_id or 0 for each in self.outbox.list_sent_images(job.id)}
        for each in sorted(sent | {message_id}):
            self.outbox.queue_deletion(job.id, job.request.chat_id, each, now)
        if job.answer_deleted_at is None:
            self.jobs.update(job, answer_deleted_at=now, result_url=None)

    def erase_user(self, user_id: int, now: Instant) -> None:
        """End and erase everything of a user, in all chats; what is ordered is paid for and never sent.

        Steps under way find their job in another state than the one that they read, and stop.
        """
        for job in self.jobs.list_open_of_user(user_id):
            if not self.cancel_job(job, now):
                self.jobs.transition(job, State.FAILED, reason=FailureReason.DELETED, finished_at=now, due_at=None)
                self._charge_unknown_price(now)
                self.progress_messages.set_reaction(job, RequestReaction.CANCELLED, now)
        self.erasure.erase_user(user_id, now)

    def drop_chat(self, chat_id: int, now: Instant) -> None:
        """Cancel what waits for a chat that cannot be written to: an order would be paid for nobody."""
        for job in self.jobs.list_open_in_chat(chat_id):
            self.cancel_job(job, now)
        self.outbox.drop_chat(chat_id, now)

    def migrate_chat(self, old_id: int, new_id: int, now: Instant) -> None:
        """Go on in the supergroup that a group became; repeating it changes nothing.

        The messages of the group are not those of the supergroup, so nothing replies to them any more.
        """
        if self.chats.is_greeted(old_id):
            self.outbox.cancel_by_key(greeting_key(new_id), now)  # the supergroup only looked new
        if self.chats.get_former_id(new_id) != old_id:
            self.chats.migrate_chat(old_id, new_id)
        moved = self.jobs.migrate_chat(old_id, new_id)
        self.fair_queue.migrate_chat(old_id, new_id)
        self.daily_usage.migrate_chat(old_id, new_id)
        self.access_rules.migrate_chat(old_id, new_id)
        self.outbox.migrate_chat(old_id, new_id, now)
        self.inbox.release_held(old_id)
        for job in self.jobs.list_open_in_chat(new_id):
            is_asked = job.closes_by is None if job.state is State.GATHERING else job.asked_at is not None
            if job.id in moved and is_asked:
                self.progress_messages.send_anew(job, now)


def _first_message_id(job: Job) -> int | None:
    """Return the message that the answer to a request replies to: its first image, where it has one here."""
    if job.request.message_id is None:
        return None
    return min(source.position for source in job.request.sources) or job.request.message_id
