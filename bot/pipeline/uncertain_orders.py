"""Uncertain orders: those that ended without a clear answer from Kie, so that a task may or may not exist.

A callback, for example, can name a task as a candidate. A poll then decides: the task belongs to the order only if
Kie's record shows the reference of this attempt, or the image URLs that nobody else can know. Without a candidate the
user is asked. Nothing here ever orders again.
"""

import logging
from collections.abc import Collection
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from bot import job_operations
from bot.backoff import backoff
from bot.clock import Instant, add_seconds, seconds_between, utc_day
from bot.i18n import sentence
from bot.job import Job, State
from bot.kie.models import TaskRecord
from bot.pipeline.callback_tracker import CallbackTracker, extract_reference
from bot.pipeline.error_containment import MAX_TRIES
from bot.store.database import Transaction
from bot.store.order_attempts import Attempt, AttemptOutcome

log = logging.getLogger(__name__)

#: Seconds to wait for a callback before the user is asked.
CALLBACK_WAIT = 120.0

#: Seconds after which an uncertain order is abandoned if the user does not decide.
DECISION_EXPIRES_AFTER = 24 * 3600.0


class TaskOwnership(StrEnum):
    """Whose order a task came from, by what Kie's record echoes of the order."""

    OURS = "ours"
    OTHERS = "others"
    #: the record shows nothing conclusive
    UNKNOWN = "unknown"


def mark_uncertain(
    tx: Transaction, job: Job, callbacks: CallbackTracker, now: Instant, candidate: str | None = None
) -> bool:
    """Store that an order is uncertain, with the candidate task if any; return whether there is a candidate to poll.

    The user is asked at once or, if a callback may still come, after CALLBACK_WAIT.
    """
    tx.attempts.end(job.id, AttemptOutcome.UNCERTAIN, now, candidate)
    if callbacks.is_enabled:
        tx.jobs.update(job, due_at=add_seconds(now, CALLBACK_WAIT), tries=0)
    else:
        _ask_user(tx, job, now)
    return tx.attempts.has_candidate_task(job.id)


def resume_uncertain(tx: Transaction, job: Job, callbacks: CallbackTracker, now: Instant) -> bool:
    """Resume an uncertain order after a restart, keeping its deadlines; return whether there is a candidate to poll."""
    attempt = tx.attempts.get_latest(job.id)
    if attempt is None or attempt.ended_at is None:
        tx.log(log.warning, "job %d: uncertain order: the bot stopped meanwhile", job.id, extra={"job": job.id})
        return mark_uncertain(tx, job, callbacks, now)
    if job.asked_at is None and not callbacks.is_enabled:
        _ask_user(tx, job, now)
    return attempt.candidate_task_id is not None


def advance_uncertain(tx: Transaction, job: Job, now: Instant) -> None:
    """Ask the user about an uncertain order that is due, or abandon it if the user did not decide."""
    attempt = tx.attempts.get_latest(job.id)
    candidate = None if attempt is None else attempt.candidate_task_id
    if job.asked_at is not None:
        job_operations.abandon_uncertain_order(tx, job, now)
    elif attempt and candidate and seconds_between(attempt.ended_at or now, now) < DECISION_EXPIRES_AFTER:
        tx.jobs.update(job, due_at=add_seconds(now, CALLBACK_WAIT))  # the candidate is still to be polled
    else:
        _ask_user(tx, job, now)


def _ask_user(tx: Transaction, job: Job, now: Instant) -> None:
    if tx.jobs.update(job, asked_at=now, due_at=add_seconds(now, DECISION_EXPIRES_AFTER)):
        tx.progress_messages.send_anew(job, now)


def is_task_of_attempt(record: TaskRecord, job: Job, attempt: Attempt) -> bool:
    """Say whether Kie's record proves that a task came from this attempt."""
    return determine_ownership(record, job, {attempt.reference}) is TaskOwnership.OURS


def determine_ownership(record: TaskRecord, job: Job, references: Collection[str]) -> TaskOwnership:
    """Return whether a task came from a job: by the references of its attempts, else by its image URLs."""
    reference = None if record.callback_url is None else extract_reference(record.callback_url)
    if reference is not None and references:
        return TaskOwnership.OURS if reference in references else TaskOwnership.OTHERS
    ownership = _ownership_by_images(record, job)
    # if the callback URL has no reference of ours, matching images prove nothing
    is_unproven = ownership is TaskOwnership.OURS and record.callback_url is not None
    return TaskOwnership.UNKNOWN if is_unproven else ownership


def _ownership_by_images(record: TaskRecord, job: Job) -> TaskOwnership:
    uploads = [source.upload_url for source in job.request.sources]
    ours = [_host_and_path(url) for url in uploads if url is not None]
    shown = [_host_and_path(url) for url in record.image_urls]
    if not shown or not ours or len(ours) < len(uploads):
        return TaskOwnership.UNKNOWN
    if shown == ours:
        return TaskOwnership.OURS
    # others only if they are other files on the same host; a new host may mean that Kie rewrites URLs
    hosts, names = {host for host, _ in ours}, {path.rpartition("/")[2] for _, path in ours}
    are_others = all(host in hosts and path.rpartition("/")[2] not in names for host, path in shown)
    return TaskOwnership.OTHERS if are_others else TaskOwnership.UNKNOWN


def _host_and_path(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.netloc.lower(), unquote(parts.path)


def revert_mixed_up_task(
    tx: Transaction, job: Job, reported: str | None, callbacks: CallbackTracker, admins: frozenset[int], now: Instant
) -> None:
    """Make a running job's order uncertain again, because its task belongs to another order.

    `reported` is the task that a callback about this order named, if one came.
    """
    attempt = tx.attempts.get_latest(job.id)
    if attempt is None or not tx.jobs.transition(job, State.SUBMITTING, task_id=None, overdue_at=None, tries=0):
        return
    tx.attempts.mark_uncertain(attempt, reported if reported != job.task_id else None)
    notify_of_mix_up(tx, job, admins, now)
    tx.progress_messages.mark_stale(job.id, now)
    reverted = tx.jobs.get(job.id)
    if reverted is not None:
        mark_uncertain(tx, reverted, callbacks, now)


def notify_of_mix_up(tx: Transaction, job: Job, admins: frozenset[int], now: Instant) -> None:
    """Notify the admins, at most once a day, that Kie answered an order with another order's task."""
    tx.log(log.error, "job %d: uncertain order: Kie named another order's task", job.id, extra={"job": job.id})
    words = sentence("admin-mixed-up", job=f"{job.id}")
    tx.outbox.notify_admins(admins, f"mixed-up:{utc_day(now)}", words.translate, now)


def confirm_ordered(tx: Transaction, job: Job, attempt: Attempt, task_id: str, now: Instant) -> Job | None:
    """Return the job, now running, as its order was accepted after all; None if it has been decided otherwise."""
    latest = tx.attempts.get_latest(job.id)
    if latest is None or latest.id != attempt.id:
        return None
    if not tx.jobs.transition(job, State.RUNNING, task_id=task_id, asked_at=None, due_at=None, tries=0):
        return None
    tx.attempts.mark_accepted(attempt.id, task_id)
    tx.progress_messages.mark_stale(job.id, now)
    return tx.jobs.get(job.id)


def drop_candidate(tx: Transaction, job: Job, attempt: Attempt, now: Instant) -> None:
    """Drop a candidate that is not this order's task; the user is asked when they would have been without it."""
    tx.attempts.drop_candidate_task(attempt)
    if job.asked_at is None:
        tx.jobs.update(job, due_at=max(now, add_seconds(attempt.ended_at or now, CALLBACK_WAIT)))


def retry_candidate_later(
    tx: Transaction, job: Job, attempt: Attempt, now: Instant, *, is_temporary: bool
) -> Instant | None:
    """Return when to poll a candidate again that could not be confirmed; None if it is dropped or out of date.

    It is dropped after MAX_TRIES, but never after a temporary error.
    """
    latest = tx.attempts.get_latest(job.id)
    if latest is None or latest.id != attempt.id:
        return None
    if job.tries >= MAX_TRIES and not is_temporary:
        drop_candidate(tx, job, attempt, now)
        return None
    tx.jobs.update(job, tries=job.tries + 1)
    return add_seconds(now, backoff(job.tries))
