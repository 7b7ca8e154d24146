"""Doubt: an order that is over without a clear answer, and what may end it.

A callback can bring the task id that is missing. It is a hint, written down and then
tried by a look: only Kie's own record, echoing the reference of this very attempt or
the addresses that nobody else can know, makes the task ours. Without one the person
is asked; nothing here ever orders again.
"""

import logging
from secrets import compare_digest

from bot.job import Instant, Job, State, later, seconds_between
from bot.jobs.callbacks import Callbacks
from bot.jobs.pauses import MOST_TRIES, pause
from bot.kie.models import Look
from bot.store.attempts import Attempt, Outcome
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Seconds for which a callback is waited for before the person is asked.
CALLBACK_AWAITED = 120.0

#: Seconds after which an order in doubt that nobody decided about is closed.
ENDS_AFTER = 24 * 3600.0


def begin(tx: Transaction, job: Job, callbacks: Callbacks, now: Instant, hint: str | None = None) -> bool:
    """Write down that nobody can say whether Kie took the order; True if there is a hint to try.

    `hint`: the task that it seems to have become. Where Kie was asked to call back, the person is asked only when it
    does not.
    """
    tx.attempts.end(job.id, Outcome.UNCLEAR, now, hint)
    if callbacks.are_asked_for:
        tx.jobs.note(job, due_at=later(now, CALLBACK_AWAITED), tries=0)
    else:
        _ask(tx, job, now)
    return tx.attempts.has_hint(job.id)


def resume(tx: Transaction, job: Job, callbacks: Callbacks, now: Instant) -> bool:
    """Take up an order in doubt after a start; True if there is a hint to try.

    What was waited for before is waited for until the same moment, however often the bot is started.
    """
    attempt = tx.attempts.latest(job.id)
    if attempt is None or attempt.ended_at is None:
        tx.log(log.warning, "job %d: in doubt: the bot stopped while it was ordered", job.id, extra={"job": job.id})
        return begin(tx, job, callbacks, now)
    if job.asked_at is None and not callbacks.are_asked_for:
        _ask(tx, job, now)
    return attempt.hint is not None


def take_up(tx: Transaction, job: Job, now: Instant) -> None:
    """Do what has become due about an order in doubt: ask the person, or close what nobody decided about."""
    attempt = tx.attempts.latest(job.id)
    if job.asked_at is not None:
        tx.leave_in_doubt(job, now)
    elif attempt is not None and attempt.hint and seconds_between(attempt.ended_at or now, now) < ENDS_AFTER:
        tx.jobs.note(job, due_at=later(now, CALLBACK_AWAITED))  # as soon as Kie can be asked, it is known
    else:
        _ask(tx, job, now)


def is_ours(seen: Look, job: Job, attempt: Attempt) -> bool:
    """Say whether Kie's record shows that a task came from this attempt."""
    if seen.callback_url is not None:
        return compare_digest(seen.callback_url.rpartition("/")[2].encode(), attempt.reference.encode())
    uploads = tuple(source.upload_url for source in job.request.sources)
    return bool(uploads) and seen.image_urls == uploads


def end(tx: Transaction, job: Job, attempt: Attempt, task_id: str, now: Instant) -> Job | None:
    """Let a job run whose order turned out to have been taken; None if that was decided otherwise meanwhile."""
    latest = tx.attempts.latest(job.id)
    if latest is None or latest.id != attempt.id:
        return None
    if not tx.jobs.move(job, State.RUNNING, task_id=task_id, asked_at=None, due_at=None, tries=0):
        return None
    tx.attempts.turned_out(attempt.id, task_id)
    tx.statuses.touch(job.id, now)
    return tx.jobs.get(job.id)


def drop_hint(tx: Transaction, job: Job, attempt: Attempt, now: Instant) -> None:
    """Give up a task id that led nowhere, and ask the person when that would have been done without it."""
    tx.attempts.drop_hint(attempt)
    if job.asked_at is None:
        tx.jobs.note(job, due_at=max(now, later(attempt.ended_at or now, CALLBACK_AWAITED)))


def try_later(tx: Transaction, job: Job, attempt: Attempt, now: Instant, *, passes: bool) -> Instant | None:
    """Say when a hint is tried again that could not be looked at; None, and it is given up, when that is in vain.

    `passes`: the reason is one that goes away by itself, or by the operator's help.
    """
    latest = tx.attempts.latest(job.id)
    if latest is None or latest.id != attempt.id:
        return None
    if job.tries >= MOST_TRIES and not passes:
        drop_hint(tx, job, attempt, now)
        return None
    tx.jobs.note(job, tries=job.tries + 1)
    return later(now, pause(job.tries))


def _ask(tx: Transaction, job: Job, now: Instant) -> None:
    if tx.jobs.note(job, asked_at=now, due_at=later(now, ENDS_AFTER)):
        tx.statuses.anew(job, now)
