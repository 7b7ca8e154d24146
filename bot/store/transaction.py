"""What a unit of work may touch: every table, behind its own small set of questions and changes."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from bot.clock import Instant, utc_day
from bot.edit_options import split_trailing_ratio
from bot.job import EditRequest, FailureReason, Job, State
from bot.store import job_log
from bot.store.access_rules import AccessRules
from bot.store.attempts import Attempts
from bot.store.bot_identity import BotIdentity
from bot.store.chats import Chats, greeting_key
from bot.store.circuit_breakers import CircuitBreakers
from bot.store.credits import Credits
from bot.store.daily_usage import DailyUsage, Quota
from bot.store.due_times import ClockShift, DueTimes, read_due_times
from bot.store.erasure import Erasure
from bot.store.events import DomainEvent, LogAfterCommit
from bot.store.fair_queue import ConversionQueue, FairQueue
from bot.store.inbox import Inbox
from bot.store.job_statistics import JobStatistics
from bot.store.jobs import UNORDERED_STATES, Jobs, edit_option_columns
from bot.store.menus import Menus
from bot.store.outbox import DeliveryOutcome, MessageKind, Outbox, OutboxMessage
from bot.store.progress_messages import ProgressMessages, RequestReaction
from bot.store.request_messages import RequestMessages
from bot.store.snapshot import Snapshots
from bot.store.users import Users


class Transaction:
    """One transaction after the other on a connection; valid only inside the unit of work that it was given to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        #: what the present unit of work has brought about so far, for those who keep figures
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

    def log(self, write: Callable[..., None], words: str, *values: object, **how: Any) -> None:
        """Log something by a method of a logger, once this is committed, and only then."""
        self.events.append(LogAfterCommit(partial(write, words, *values, **how)))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is written within where that raises; what was written before stays."""
        told = len(self.events)
        self._db.execute("SAVEPOINT row")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # else SQLite has undone everything, as it does when the disk is full
                self._db.execute("ROLLBACK TO row")
                self._db.execute("RELEASE row")
            del self.events[told:]
            raise
        self._db.execute("RELEASE row")

    @property
    def total_changes(self) -> int:
        """How many changes of rows there were on this connection, undone ones too."""
        return self._db.total_changes

    def read_due_times(self) -> DueTimes:
        """Return when there is something to do."""
        return read_due_times(self._db)

    def with_prompt(self, request: EditRequest, words: str) -> EditRequest:
        """Return a request with its words, and in the form that they ask for, or else its chat's preferences."""
        prompt, shape = split_trailing_ratio(words)
        form = self.chats.get_edit_options(request.chat_id)
        return replace(request, prompt=prompt, options=replace(form, aspect_ratio=shape or form.aspect_ratio))

    def complete_request(self, job: Job, words: str, now: Instant) -> bool:
        """Queue a request that has its pictures and its words; False if somebody was faster."""
        wished = self.with_prompt(job.request, words)
        queued = self.jobs.transition(
            job,
            State.QUEUED,
            prompt=wished.prompt,
            **edit_option_columns(wished.options),
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
        """Let a queued job wait for its preparation and its turn, and the person know."""
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
        """Queue a job in doubt once more, as the person decided who was asked; False if it may be found by a hint."""
        queued = not self.attempts.has_candidate_task(job.id) and self.jobs.transition(
            job, State.QUEUED, queued_at=now, submitted_at=None, asked_at=None, due_at=None, tries=0
        )
        if queued:
            self._charge_uncertain_order(now)
            self.fair_queue.enqueue_first(job.id, job.request.chat_id, is_ready=False)
            self.progress_messages.mark_stale(job.id, now)
        return queued

    def mark_sent(self, parcel: OutboxMessage, message_id: int | None, now: Instant) -> None:
        """Write down that something was sent, and as which message; with its answer a job is answered."""
        self.outbox.mark_sent(parcel, message_id, now)
        job = None if parcel.draft.job_id is None else self.jobs.get(parcel.draft.job_id)
        if job is not None:
            self._delete_replaced_texts(parcel, job, now)
        if job is not None and parcel.draft.is_answer and self.jobs.update(job, answered_at=now):
            self._end_progress_message(job, message_id, now)
            self.progress_messages.set_reaction(
                job, RequestReaction.DONE if parcel.draft.kind is MessageKind.IMAGE else RequestReaction.NOT_DONE, now
            )
            self.events.append(job_log.format_job_answered(job, now))

    def _delete_replaced_texts(self, parcel: OutboxMessage, job: Job, now: Instant) -> None:
        """Let go what was said in place of a picture or a file: it has come, or something else is said about it."""
        place = parcel.replaces or parcel.draft.kind
        if place not in (MessageKind.IMAGE, MessageKind.FILE):
            return
        self.outbox.delete_replacement_texts(job.id, parcel.draft.chat_id, place, now, but=parcel.id)
        if parcel.draft.kind is MessageKind.IMAGE and not parcel.draft.is_answer:
            self.progress_messages.set_reaction(job, RequestReaction.DONE, now)

    def _end_progress_message(self, job: Job, answer_id: int | None, now: Instant) -> None:
        """Let the status message go, unless it has become the answer."""
        status = self.progress_messages.get(job.id)
        if status is not None and status.message_id == answer_id:
            self.outbox.mark_ended(status.id, DeliveryOutcome.SENT, now)
        else:
            self.progress_messages.queue_deletion(job.id, now)

    def delete_answer(self, job: Job, message_id: int, now: Instant) -> None:
        """Have an answer deleted for good, with the files that belong to it; `message_id` is where it was pressed.

        Nothing of it that is still to come is sent, and where Kie has it is forgotten.
        """
        answer = self.outbox.get_pending_answer(job.id)
        if answer is not None:  # it has arrived, as the press shows, though nobody has told us so yet
            self.mark_sent(answer, message_id, now)
        for kind in (MessageKind.IMAGE, MessageKind.FILE):
            self.outbox.cancel_pending(job.id, kind, now)
            self.outbox.delete_replacement_texts(job.id, job.request.chat_id, kind, now, but=None)
        standing = {each.message_id or 0 for each in self.outbox.list_sent_images(job.id)}
        for each in sorted(standing | {message_id}):
            self.outbox.queue_deletion(job.id, job.request.chat_id, each, now)
        if job.answer_deleted_at is None:
            self.jobs.update(job, answer_deleted_at=now, result_url=None)

    def abandon_uncertain_order(self, job: Job, now: Instant) -> bool:
        """End a job in doubt; what there was to say was said when the person was asked."""
        left = self.jobs.transition(
            job, State.FAILED, reason=FailureReason.ORDER_UNCERTAIN, finished_at=now, answered_at=now, due_at=None
        )
        if left:
            self._charge_uncertain_order(now)
            self.progress_messages.mark_stale(job.id, now)
            self.progress_messages.set_reaction(job, RequestReaction.NOT_DONE, now)
        return left

    def _charge_uncertain_order(self, now: Instant) -> None:
        """Take an order in doubt that nobody looks for any more for one that was taken, and paid as usual."""
        self.credits.add_spending(self.credits.estimate_price(), utc_day(now))

    def erase_user(self, user_id: int, now: Instant) -> None:
        """End everything of a person, in all chats, and forget it; what is ordered is paid for and never sent.

        Steps under way find their job in another state than the one that they read, and walk away.
        """
        for job in self.jobs.list_open_of_user(user_id):
            if not self.cancel_job(job, now):
                self.jobs.transition(job, State.FAILED, reason=FailureReason.DELETED, finished_at=now, due_at=None)
                self.credits.add_spending(
                    self.credits.estimate_price(), utc_day(now)
                )  # nobody looks any more what it costs
                self.progress_messages.set_reaction(job, RequestReaction.CANCELLED, now)
        self.erasure.erase_user(user_id, now)

    def drop_chat(self, chat_id: int, now: Instant) -> None:
        """Drop what waits for a chat that cannot be written to: an order would be paid for nobody."""
        for job in self.jobs.list_open_in_chat(chat_id):
            self.cancel_job(job, now)
        self.outbox.drop_chat(chat_id, now)

    def migrate_chat(self, old_id: int, new_id: int, now: Instant) -> None:
        """Go on in the supergroup that a group became; doing it twice is the same as once.

        The messages of the group are not those of the supergroup, so nothing replies to them any more.
        """
        if self.chats.is_greeted(old_id):
            self.outbox.cancel_by_key(greeting_key(new_id), now)  # it only looked like a new one
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
    """Return the message that the answer to a request replies to: its first picture, where it has one here."""
    if job.request.message_id is None:
        return None
    return min(source.position for source in job.request.sources) or job.request.message_id
