"""End a job: store its outcome and queue the answer in the same transaction."""

from bot.clock import Instant, add_seconds
from bot.edit_options import AnswerAs
from bot.i18n import Sentence, sentence
from bot.job import FailureReason, Job, State
from bot.job_operations import record_cost
from bot.kie.models import TaskRecord
from bot.store.database import Database, Transaction
from bot.store.domain_events import TaskCompleted
from bot.store.outbox import MessageDraft, MessageKind, OutboxMessage
from bot.store.request_messages import RequestMessageKind

#: Milliseconds by which Kie's clock may differ from ours.
MAX_CLOCK_SKEW = 3_600_000

#: Milliseconds by which the duration that Kie reports may exceed the time since the order.
DURATION_TOLERANCE = 1000


class Withdrawn(Exception):
    """A message or an order is no longer wanted: it was cancelled, deleted or replaced while in flight."""


def fail_job(
    tx: Transaction,
    job: Job,
    reason: FailureReason,
    text: Sentence,
    now: Instant,
    *,
    credits_: float | None = None,
    unparsed: str | None = None,
) -> bool:
    """End a job without an image and tell the user why; return False if the job has changed meanwhile.

    `credits_` is the cost that Kie reports, None if unknown or nothing was ordered. `unparsed` is Kie's record of a
    success in which no image was found.
    """
    was_ordered = job.state is State.RUNNING
    if was_ordered:
        tx.attempts.set_cost(job.id, credits_)  # before the transition, which refunds the quota if the task was free
    failed = tx.jobs.transition(
        job, State.FAILED, reason=reason, finished_at=now, due_at=None, credits=credits_, unparsed_result=unparsed
    )
    if failed:
        if was_ordered:
            record_cost(tx, credits_, now)
        tx.fair_queue.remove(job.id)
        tx.outbox.add(draft_reply(job, "answer", text, is_answer=True), now)
    return failed


def fail_after_bug(tx: Transaction, job: Job, error: Exception, admins: frozenset[int], now: Instant) -> None:
    """Fail a job with a step that failed too often, and notify the admins."""
    if fail_job(tx, job, FailureReason.UNUSABLE_IMAGE, sentence("broken-step"), now):
        words = sentence("admin-broken", job=f"{job.id}", fault=type(error).__name__)
        tx.outbox.notify_admins(admins, f"broken:{job.id}", words.translate, now)


def succeed_job(tx: Transaction, job: Job, record: TaskRecord, now: Instant) -> bool:
    """End a job with an image and queue its delivery; return False if the job has changed meanwhile."""
    submitted_at, duration = job.submitted_at or now, reported_duration(job, record, now)
    succeeded = tx.jobs.transition(
        job,
        State.SUCCEEDED,
        result_url=record.result_url,
        credits=record.credits,
        finished_at=now,
        kie_duration_ms=max(0, now - submitted_at) if duration is None else duration,
    )
    if succeeded:
        completed_at = record.completed_at
        if completed_at is not None and submitted_at - MAX_CLOCK_SKEW <= completed_at <= now + MAX_CLOCK_SKEW:
            tx.events.append(TaskCompleted(job.id, completed_at))
        tx.attempts.set_cost(job.id, record.credits)
        record_cost(tx, record.credits, now)
        tx.credits.request_balance(now)
        tx.outbox.add(draft_reply(job, "answer", _answer_caption(tx, job), kind=MessageKind.IMAGE, is_answer=True), now)
        if job.request.options.answer_as is AnswerAs.BOTH:
            tx.outbox.add(draft_reply(job, "file", sentence("original"), kind=MessageKind.FILE), now)
    return succeeded


def _answer_caption(tx: Transaction, job: Job) -> Sentence:
    """Return the caption of the image; in a group it also says what was left out, as there is no other message."""
    if job.request.is_in_group and tx.request_messages.count(job.id, RequestMessageKind.OTHER):
        return sentence("answer-without-rest")
    if job.request.is_in_group and len(job.request.sources) == 1 and tx.jobs.is_from_album(job.id):
        return sentence("answer-of-one")  # a Telegram album has at least two items, so one did not arrive
    return sentence("answer")


def waiting_reminder_at(job: Job, deadline: float, now: Instant) -> Instant:
    """Return when a job will have waited for `deadline` seconds, so that the user is to be notified."""
    return add_seconds(job.queued_at or now, deadline)


def reported_duration(job: Job, record: TaskRecord, now: Instant) -> int | None:
    """Return how long Kie worked, in milliseconds by its own clock; None if unknown or implausible."""
    longest = now - (job.submitted_at or now) + DURATION_TOLERANCE
    return record.duration_ms if record.duration_ms is not None and record.duration_ms <= longest else None


def draft_reply(
    job: Job, what: str, text: Sentence, *, kind: MessageKind = MessageKind.TEXT, is_answer: bool = False
) -> MessageDraft:
    """Draft a reply to the message that requested the job; `what` makes its deduplication key unique within the job."""
    return MessageDraft(
        key=f"job:{job.id}:{what}",
        kind=kind,
        chat_id=job.request.chat_id,
        thread_id=job.request.thread_id,
        reply_to=job.request.message_id,
        body=text.translate(job.request.language),
        job_id=job.id,
        is_answer=is_answer,
    )


def check_still_wanted(tx: Transaction, message: OutboxMessage) -> None:
    """Raise Withdrawn if a message is no longer to be sent."""
    if not tx.outbox.is_pending(message):
        raise Withdrawn


async def confirm_still_wanted(db: Database, message: OutboxMessage) -> None:
    """Do as `check_still_wanted`, in a transaction of its own."""
    await db.transact(lambda tx: check_still_wanted(tx, message))
