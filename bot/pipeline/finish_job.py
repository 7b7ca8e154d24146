"""How a job comes to its end, with the words or the picture that go with it, in one transaction."""

from bot.clock import Instant, add_seconds, utc_day
from bot.edit_options import AnswerAs
from bot.i18n import Sentence, sentence
from bot.job import FailureReason, Job, State
from bot.kie.models import TaskRecord
from bot.store.database import Database
from bot.store.events import TaskCompleted
from bot.store.outbox import MessageDraft, MessageKind, OutboxMessage
from bot.store.request_messages import RequestMessageKind
from bot.store.transaction import Transaction

#: Milliseconds by which Kie's clock may be off.
MAX_CLOCK_SKEW = 3_600_000

#: Milliseconds by which what it took may seem longer than we have waited for it.
DURATION_TOLERANCE = 1000


def fail_job(
    tx: Transaction,
    job: Job,
    reason: FailureReason,
    words: Sentence,
    now: Instant,
    *,
    credits_: float | None = None,
    unread: str | None = None,
) -> bool:
    """End a job without a picture and say why; False if somebody else was faster.

    `credits_` is what it cost all the same, as Kie says; None where it does not, or where nothing was ordered.
    `unread` is what Kie said of a picture that it made, where none was found in it.
    """
    was_ordered = job.state is State.RUNNING
    if was_ordered:
        tx.attempts.set_cost(job.id, credits_)  # by which it is decided whether the edit is given back
    failed = tx.jobs.transition(
        job, State.FAILED, reason=reason, finished_at=now, due_at=None, credits=credits_, unparsed_result=unread
    )
    if failed:
        if was_ordered:
            record_cost(tx, credits_, now)
        tx.fair_queue.remove(job.id)
        tx.outbox.add(draft_reply(job, "answer", words, is_answer=True), now)
    return failed


def succeed_job(tx: Transaction, job: Job, seen: TaskRecord, now: Instant) -> bool:
    """End a job with a picture and put its delivery into the outbox."""
    moved = tx.jobs.transition(
        job,
        State.SUCCEEDED,
        result_url=seen.result_url,
        credits=seen.credits,
        finished_at=now,
        kie_duration_ms=_duration(job, seen, now),
    )
    if moved:
        if seen.completed_at is not None and _is_plausible_completion(job, seen.completed_at, now):
            tx.events.append(TaskCompleted(job.id, seen.completed_at))
        tx.attempts.set_cost(job.id, seen.credits)
        record_cost(tx, seen.credits, now)
        tx.credits.request_balance(now)
        tx.outbox.add(draft_reply(job, "answer", _answer_caption(tx, job), kind=MessageKind.IMAGE, is_answer=True), now)
        if job.request.options.answer_as is AnswerAs.BOTH:
            tx.outbox.add(draft_reply(job, "file", sentence("original"), kind=MessageKind.FILE), now)
    return moved


def record_cost(tx: Transaction, credits_: float | None, now: Instant) -> None:
    """Note what a task cost; one of which Kie does not say it has cost what an edit usually does."""
    tx.credits.add_spending(tx.credits.estimate_price() if credits_ is None else credits_, utc_day(now))


def _answer_caption(tx: Transaction, job: Job) -> Sentence:
    """Return what stands under the picture; in a group, where there is one message, with all there is to say."""
    if job.request.is_in_group and tx.request_messages.count(job.id, RequestMessageKind.OTHER):
        return sentence("answer-without-rest")
    if job.request.is_in_group and len(job.request.sources) == 1 and tx.jobs.is_from_album(job.id):
        return sentence("answer-of-one")  # Telegram knows no albums of one
    return sentence("answer")


def waiting_reminder_at(job: Job, deadline: float, now: Instant) -> Instant:
    """Return when the person is to be told that a picture has been waiting for `deadline` seconds."""
    return add_seconds(job.queued_at or now, deadline)


def reported_duration(job: Job, seen: TaskRecord, now: Instant) -> int | None:
    """Return the milliseconds that Kie worked on it, by its own clock; None where it does not say so, or untruly."""
    waited = now - (job.submitted_at or now)
    return (
        seen.duration_ms if seen.duration_ms is not None and seen.duration_ms <= waited + DURATION_TOLERANCE else None
    )


def _duration(job: Job, seen: TaskRecord, now: Instant) -> int:
    took = reported_duration(job, seen, now)
    return max(0, now - (job.submitted_at or now)) if took is None else took


def _is_plausible_completion(job: Job, completed_at: Instant, now: Instant) -> bool:
    """Say whether a task may have been finished at this moment of Kie's clock."""
    return (job.submitted_at or now) - MAX_CLOCK_SKEW <= completed_at <= now + MAX_CLOCK_SKEW


def draft_reply(
    job: Job, what: str, words: Sentence, *, kind: MessageKind = MessageKind.TEXT, is_answer: bool = False
) -> MessageDraft:
    """Say something in reply to the message that asked for the job, once per `what`."""
    return MessageDraft(
        key=f"job:{job.id}:{what}",
        kind=kind,
        chat_id=job.request.chat_id,
        thread_id=job.request.thread_id,
        reply_to=job.request.message_id,
        body=words.translate(job.request.language),
        job_id=job.id,
        is_answer=is_answer,
    )


class Withdrawn(Exception):
    """Nobody wants it any more: its answer, or everything of the person, was deleted while it was under way."""


def check_still_wanted(tx: Transaction, parcel: OutboxMessage) -> None:
    """Raise Withdrawn unless a message is still to be sent."""
    if not tx.outbox.is_pending(parcel):
        raise Withdrawn


async def confirm_still_wanted(db: Database, parcel: OutboxMessage) -> None:
    """Raise Withdrawn unless a message is still to be sent, as it stands at this moment."""
    await db.transact(lambda tx: check_still_wanted(tx, parcel))
