"""Doubt: an order that is over without a clear answer, and what may end it.

A callback can bring the task id that is missing. It is a hint, written down and then
tried by a look: only Kie's own record, echoing the reference of this very attempt or
the addresses that nobody else can know, makes the task ours. Without one the person
is asked; nothing here ever orders again.
"""

import logging
from collections.abc import Collection
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from bot.job import Instant, Job, State, day_of, later, seconds_between
from bot.jobs.callbacks import Callbacks, reference_in
from bot.jobs.pauses import MOST_TRIES, pause
from bot.kie.models import Look
from bot.store.attempts import Attempt, Outcome
from bot.store.transaction import Transaction
from bot.texts import sentence

log = logging.getLogger(__name__)

#: Seconds for which a callback is waited for before the person is asked.
CALLBACK_AWAITED = 120.0

#: Seconds after which an order in doubt that nobody decided about is closed.
ENDS_AFTER = 24 * 3600.0


class Whose(StrEnum):
    """Whose order a task came from, by Kie's echo of it."""

    OURS = "ours"
    OTHERS = "others"
    #: Kie does not show it, or not in a form that could be compared
    UNKNOWN = "unknown"


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
    return whose(seen, job, {attempt.reference}) is Whose.OURS


def whose(seen: Look, job: Job, references: Collection[str]) -> Whose:
    """Say whether Kie's record shows a job's order: by the reference of one of its attempts, else by its pictures."""
    named = None if seen.callback_url is None else reference_in(seen.callback_url)
    if named is not None and references:
        return Whose.OURS if named in references else Whose.OTHERS
    verdict = _by_pictures(seen, job)
    # beside an address that is none of ours, pictures prove nothing
    return Whose.UNKNOWN if verdict is Whose.OURS and seen.callback_url is not None else verdict


def _by_pictures(seen: Look, job: Job) -> Whose:
    uploads = [source.upload_url for source in job.request.sources]
    ours, shown = [_place_of(url) for url in uploads if url is not None], [_place_of(url) for url in seen.image_urls]
    if not shown or not ours or len(ours) < len(uploads):
        return Whose.UNKNOWN
    if shown == ours:
        return Whose.OURS
    # only where the very host shows other files: Kie may write addresses in another way one day
    hosts, names = {host for host, _ in ours}, {path.rpartition("/")[2] for _, path in ours}
    are_others = all(host in hosts and path.rpartition("/")[2] not in names for host, path in shown)
    return Whose.OTHERS if are_others else Whose.UNKNOWN


def _place_of(url: str) -> tuple[str, str]:
    """Return the host and the path of an address, however it is escaped."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.netloc.lower(), unquote(parts.path)


def mixed_up(
    tx: Transaction, job: Job, named: str | None, callbacks: Callbacks, admins: frozenset[int], now: Instant
) -> bool:
    """Take it back that a job's order made its task, which is another order's; True if there is a hint to try.

    What became of the job's own order is as unknown as if no answer had come; `named` is the task that Kie's callback
    about it has named, if one came.
    """
    attempt = tx.attempts.latest(job.id)
    if attempt is None or not tx.jobs.move(job, State.SUBMITTING, task_id=None, overdue_at=None, tries=0):
        return False
    tx.attempts.doubt(attempt, named if named != job.task_id else None)
    tell_of_mix_up(tx, job, admins, now)
    tx.statuses.touch(job.id, now)
    doubted = tx.jobs.get(job.id)
    return doubted is not None and begin(tx, doubted, callbacks, now)


def tell_of_mix_up(tx: Transaction, job: Job, admins: frozenset[int], now: Instant) -> None:
    """Tell the operator that Kie has answered an order with the task of another one."""
    tx.log(
        log.error,
        "job %d: in doubt: Kie answered its order with the task of another one",
        job.id,
        extra={"job": job.id},
    )
    tx.outbox.tell_admins(admins, f"mixed-up:{day_of(now)}", sentence("admin-mixed-up", job=f"{job.id}").into, now)


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
