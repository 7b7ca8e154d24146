"""How a job comes to its end, with the words or the picture that go with it, in one transaction."""

from bot.job import Instant, Job, Reason, State, day_of, later
from bot.kie.models import Look
from bot.store.facts import Completed
from bot.store.outbox import Kind, Say
from bot.store.parts import PartKind
from bot.store.transaction import Transaction
from bot.texts import Sentence, sentence
from bot.wish import AnswerAs

#: Milliseconds by which Kie's clock may be off.
CLOCKS_DIFFER = 3_600_000

#: Milliseconds by which what it took may seem longer than we have waited for it.
ROUNDED = 1000


def fail(
    tx: Transaction,
    job: Job,
    reason: Reason,
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
        tx.attempts.note_cost(job.id, credits_)  # by which it is decided whether the edit is given back
    failed = tx.jobs.move(
        job, State.FAILED, reason=reason, finished_at=now, due_at=None, credits=credits_, unread_result=unread
    )
    if failed:
        if was_ordered:
            spend(tx, credits_, now)
        tx.line.drop(job.id)
        tx.outbox.add(about(job, "answer", words, is_answer=True), now)
    return failed


def succeed(tx: Transaction, job: Job, seen: Look, now: Instant) -> bool:
    """End a job with a picture and put its delivery into the outbox."""
    moved = tx.jobs.move(
        job,
        State.SUCCEEDED,
        result_url=seen.result_url,
        credits=seen.credits,
        finished_at=now,
        took=_took(job, seen, now),
    )
    if moved:
        if seen.completed_at is not None and _may_be(job, seen.completed_at, now):
            tx.facts.append(Completed(job.id, seen.completed_at))
        tx.attempts.note_cost(job.id, seen.credits)
        spend(tx, seen.credits, now)
        tx.account.want_balance(now)
        tx.outbox.add(about(job, "answer", _caption(tx, job), kind=Kind.PICTURE, is_answer=True), now)
        if job.request.form.answer_as is AnswerAs.BOTH:
            tx.outbox.add(about(job, "file", sentence("original"), kind=Kind.FILE), now)
    return moved


def spend(tx: Transaction, credits_: float | None, now: Instant) -> None:
    """Note what a task cost; one of which Kie does not say it has cost what an edit usually does."""
    tx.account.spend(tx.account.price() if credits_ is None else credits_, day_of(now))


def _caption(tx: Transaction, job: Job) -> Sentence:
    """Return what stands under the picture; in a group, where there is one message, with all there is to say."""
    if job.request.is_in_group and tx.parts.count(job.id, PartKind.OTHER):
        return sentence("answer-without-rest")
    if job.request.is_in_group and len(job.request.sources) == 1 and tx.jobs.is_album(job.id):
        return sentence("answer-of-one")  # Telegram knows no albums of one
    return sentence("answer")


def reminder_at(job: Job, deadline: float, now: Instant) -> Instant:
    """Return when the person is to be told that a picture has been waiting for `deadline` seconds."""
    return later(job.queued_at or now, deadline)


def worked(job: Job, seen: Look, now: Instant) -> int | None:
    """Return the milliseconds that Kie worked on it, by its own clock; None where it does not say so, or untruly."""
    waited = now - (job.submitted_at or now)
    return seen.took if seen.took is not None and seen.took <= waited + ROUNDED else None


def _took(job: Job, seen: Look, now: Instant) -> int:
    took = worked(job, seen, now)
    return max(0, now - (job.submitted_at or now)) if took is None else took


def _may_be(job: Job, completed_at: Instant, now: Instant) -> bool:
    """Say whether a task may have been finished at this moment of Kie's clock."""
    return (job.submitted_at or now) - CLOCKS_DIFFER <= completed_at <= now + CLOCKS_DIFFER


def about(job: Job, what: str, words: Sentence, *, kind: Kind = Kind.TEXT, is_answer: bool = False) -> Say:
    """Say something in reply to the message that asked for the job, once per `what`."""
    return Say(
        key=f"job:{job.id}:{what}",
        kind=kind,
        chat_id=job.request.chat_id,
        thread_id=job.request.thread_id,
        reply_to=job.request.message_id,
        body=words.into(job.request.language),
        job_id=job.id,
        is_answer=is_answer,
    )
