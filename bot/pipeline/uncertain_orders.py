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

from bot.clock import Instant, add_seconds, backoff, seconds_between, utc_day
from bot.i18n import sentence
from bot.job import Job, State
from bot.kie.models import TaskRecord
from bot.pipeline.callback_tracker import CallbackTracker, extract_reference
from bot.pipeline.error_containment import MAX_TRIES
from bot.store.attempts import Attempt, AttemptOutcome
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Seconds for which a callback is waited for before the person is asked.
CALLBACK_WAIT = 120.0

#: Seconds after which an order in doubt that nobody decided about is closed.
DECISION_EXPIRES_AFTER = 24 * 3600.0


class TaskOwnership(StrEnum):
    """Whose order a task came from, by Kie's echo of it."""

    OURS = "ours"
    OTHERS = "others"
    #: Kie does not show it, or not in a form that could be compared
    UNKNOWN = "unknown"


def mark_uncertain(
    tx: Transaction, job: Job, callbacks: CallbackTracker, now: Instant, hint: str | None = None
) -> bool:
    """Write down that nobody can say whether Kie took the order; True if there is a hint to try.

    `hint`: the task that it seems to have become. Where Kie was asked to call back, the person is asked only when it
    does not.
    """
    tx.attempts.end(job.id, AttemptOutcome.UNCERTAIN, now, hint)
    if callbacks.is_enabled:
        tx.jobs.update(job, due_at=add_seconds(now, CALLBACK_WAIT), tries=0)
    else:
        _ask_person(tx, job, now)
    return tx.attempts.has_candidate_task(job.id)


def resume_uncertain(tx: Transaction, job: Job, callbacks: CallbackTracker, now: Instant) -> bool:
    """Take up an order in doubt after a start; True if there is a hint to try.

    What was waited for before is waited for until the same moment, however often the bot is started.
    """
    attempt = tx.attempts.get_latest(job.id)
    if attempt is None or attempt.ended_at is None:
        tx.log(log.warning, "job %d: in doubt: the bot stopped while it was ordered", job.id, extra={"job": job.id})
        return mark_uncertain(tx, job, callbacks, now)
    if job.asked_at is None and not callbacks.is_enabled:
        _ask_person(tx, job, now)
    return attempt.candidate_task_id is not None


def advance_uncertain(tx: Transaction, job: Job, now: Instant) -> None:
    """Do what has become due about an order in doubt: ask the person, or close what nobody decided about."""
    attempt = tx.attempts.get_latest(job.id)
    if job.asked_at is not None:
        tx.abandon_uncertain_order(job, now)
    elif (
        attempt is not None
        and attempt.candidate_task_id
        and seconds_between(attempt.ended_at or now, now) < DECISION_EXPIRES_AFTER
    ):
        tx.jobs.update(job, due_at=add_seconds(now, CALLBACK_WAIT))  # as soon as Kie can be asked, it is known
    else:
        _ask_person(tx, job, now)


def is_task_of_attempt(seen: TaskRecord, job: Job, attempt: Attempt) -> bool:
    """Say whether Kie's record shows that a task came from this attempt."""
    return determine_ownership(seen, job, {attempt.reference}) is TaskOwnership.OURS


def determine_ownership(seen: TaskRecord, job: Job, references: Collection[str]) -> TaskOwnership:
    """Say whether Kie's record shows a job's order: by the reference of one of its attempts, else by its pictures."""
    named = None if seen.callback_url is None else extract_reference(seen.callback_url)
    if named is not None and references:
        return TaskOwnership.OURS if named in references else TaskOwnership.OTHERS
    verdict = _ownership_by_images(seen, job)
    # beside an address that is none of ours, pictures prove nothing
    return TaskOwnership.UNKNOWN if verdict is TaskOwnership.OURS and seen.callback_url is not None else verdict


def _ownership_by_images(seen: TaskRecord, job: Job) -> TaskOwnership:
    uploads = [source.upload_url for source in job.request.sources]
    ours, shown = (
        [_host_and_path(url) for url in uploads if url is not None],
        [_host_and_path(url) for url in seen.image_urls],
    )
    if not shown or not ours or len(ours) < len(uploads):
        return TaskOwnership.UNKNOWN
    if shown == ours:
        return TaskOwnership.OURS
    # only where the very host shows other files: Kie may write addresses in another way one day
    hosts, names = {host for host, _ in ours}, {path.rpartition("/")[2] for _, path in ours}
    are_others = all(host in hosts and path.rpartition("/")[2] not in names for host, path in shown)
    return TaskOwnership.OTHERS if are_others else TaskOwnership.UNKNOWN


def _host_and_path(url: str) -> tuple[str, str]:
    """Return the host and the path of an address, however it is escaped."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.netloc.lower(), unquote(parts.path)


def revert_mixed_up_task(
    tx: Transaction, job: Job, named: str | None, callbacks: CallbackTracker, admins: frozenset[int], now: Instant
) -> bool:
    """Take it back that a job's order made its task, which is another order's; True if there is a hint to try.

    What became of the job's own order is as unknown as if no answer had come; `named` is the task that Kie's callback
    about it has named, if one came.
    """
    attempt = tx.attempts.get_latest(job.id)
    if attempt is None or not tx.jobs.transition(job, State.SUBMITTING, task_id=None, overdue_at=None, tries=0):
        return False
    tx.attempts.mark_uncertain(attempt, named if named != job.task_id else None)
    notify_of_mix_up(tx, job, admins, now)
    tx.progress_messages.mark_stale(job.id, now)
    doubted = tx.jobs.get(job.id)
    return doubted is not None and mark_uncertain(tx, doubted, callbacks, now)


def notify_of_mix_up(tx: Transaction, job: Job, admins: frozenset[int], now: Instant) -> None:
    """Tell the operator that Kie has answered an order with the task of another one."""
    tx.log(
        log.error,
        "job %d: in doubt: Kie answered its order with the task of another one",
        job.id,
        extra={"job": job.id},
    )
    tx.outbox.notify_admins(
        admins, f"mixed-up:{utc_day(now)}", sentence("admin-mixed-up", job=f"{job.id}").translate, now
    )


def confirm_ordered(tx: Transaction, job: Job, attempt: Attempt, task_id: str, now: Instant) -> Job | None:
    """Let a job run whose order turned out to have been taken; None if that was decided otherwise meanwhile."""
    latest = tx.attempts.get_latest(job.id)
    if latest is None or latest.id != attempt.id:
        return None
    if not tx.jobs.transition(job, State.RUNNING, task_id=task_id, asked_at=None, due_at=None, tries=0):
        return None
    tx.attempts.mark_accepted(attempt.id, task_id)
    tx.progress_messages.mark_stale(job.id, now)
    return tx.jobs.get(job.id)


def drop_hint(tx: Transaction, job: Job, attempt: Attempt, now: Instant) -> None:
    """Give up a task id that led nowhere, and ask the person when that would have been done without it."""
    tx.attempts.drop_candidate_task(attempt)
    if job.asked_at is None:
        tx.jobs.update(job, due_at=max(now, add_seconds(attempt.ended_at or now, CALLBACK_WAIT)))


def retry_hint_later(tx: Transaction, job: Job, attempt: Attempt, now: Instant, *, passes: bool) -> Instant | None:
    """Say when a hint is tried again that could not be looked at; None, and it is given up, when that is in vain.

    `passes`: the reason is one that goes away by itself, or by the operator's help.
    """
    latest = tx.attempts.get_latest(job.id)
    if latest is None or latest.id != attempt.id:
        return None
    if job.tries >= MAX_TRIES and not passes:
        drop_hint(tx, job, attempt, now)
        return None
    tx.jobs.update(job, tries=job.tries + 1)
    return add_seconds(now, backoff(job.tries))


def _ask_person(tx: Transaction, job: Job, now: Instant) -> None:
    if tx.jobs.update(job, asked_at=now, due_at=add_seconds(now, DECISION_EXPIRES_AFTER)):
        tx.progress_messages.send_anew(job, now)
