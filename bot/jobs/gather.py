"""Gather: completes the requests whose pictures came one by one, and gives up those that never got any words.

The window of an album is a moment in the database, moved on by each item that
arrives; nothing waits in memory. It is closed only when every update of its chat that
was received in time has been handled, so none of its items can be in between.
"""

from functools import partial

from bot.job import MAX_PROMPT, WORDS_AWAITED, Instant, Job, Reason, State, later
from bot.jobs.containment import Containment
from bot.jobs.outcome import about
from bot.store.outbox import Kind
from bot.store.parts import PartKind
from bot.store.transaction import Transaction
from bot.texts import sentence

#: Requests looked at in one transaction.
AT_ONCE = 100


def close_due(tx: Transaction, containment: Containment, now: Instant) -> bool:
    """Take on, or end, the incomplete requests whose time has come; True if there may be more of them."""
    # what came in time may still wait in the inbox; whoever handles that wakes the worker when it has done so
    due = tx.jobs.gathered(now, AT_ONCE)
    for job_id in due:
        containment.job(tx, job_id, partial(_take_on, tx, job_id, now))
    return len(due) == AT_ONCE


def _take_on(tx: Transaction, job_id: int, now: Instant) -> None:
    job = tx.jobs.get(job_id)
    if job is None:
        return
    if job.closes_by is None:
        _give_up(tx, job, now)
    else:
        _close(tx, job, now)


def _close(tx: Transaction, job: Job, now: Instant) -> None:
    """Close an album: nothing more belongs to it."""
    others = tx.parts.count(job.id, PartKind.OTHER)
    if not job.request.sources:
        tx.jobs.move(job, State.CANCELLED, finished_at=now, due_at=None, closes_by=None)
        if not tx.outbox.is_full(job.request.chat_id, Kind.TEXT):
            tx.outbox.add(about(job, "no-picture", sentence("unsupported")), now)
        return
    job = _at_its_first_picture(tx, job)
    if others and not job.request.is_in_group:  # in a group the answer says it
        tx.outbox.add(about(job, "left-out", sentence("left-out", count=others)), now)
    prompt = tx.parts.prompt(job.id)
    if 0 < len(prompt) <= MAX_PROMPT:
        tx.complete(job, prompt, now)
    elif tx.jobs.note(job, closes_by=None, due_at=later(now, WORDS_AWAITED)):
        tx.quota.wait_for_words(job.id)
        tx.statuses.open(job, now)


def _at_its_first_picture(tx: Transaction, job: Job) -> Job:
    """Let what is said about an album reply to its first picture, whichever item arrived first."""
    if job.request.message_id is None:
        return job
    tx.jobs.note(job, message_id=min(source.place for source in job.request.sources))
    return tx.jobs.get(job.id) or job


def _give_up(tx: Transaction, job: Job, now: Instant) -> None:
    if tx.jobs.move(job, State.CANCELLED, reason=Reason.NO_PROMPT, finished_at=now, due_at=None):
        tx.statuses.touch(job.id, now)
