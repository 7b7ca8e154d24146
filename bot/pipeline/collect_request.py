"""Close albums that get no more items, and cancel requests that got no prompt in time.

The deadline of an album is stored and extended by each item (debouncing); nothing waits in memory. An album closes
only when every update of its chat that was received in time has been handled, so none of its items can be missed.
"""

from functools import partial

from bot import job_operations
from bot.clock import Instant, add_seconds
from bot.i18n import sentence
from bot.job import PROMPT_TIMEOUT, FailureReason, Job, State, is_valid_prompt
from bot.pipeline.error_containment import ErrorContainment
from bot.pipeline.finish_job import draft_reply
from bot.store.database import Transaction
from bot.store.outbox import MessageKind
from bot.store.request_messages import RequestMessageKind

#: Requests per transaction.
BATCH_SIZE = 100


def close_due_requests(tx: Transaction, containment: ErrorContainment, now: Instant) -> bool:
    """Queue or end the incomplete requests that are due; return whether there may be more.

    A request for which earlier updates wait in the inbox is left out; handling them wakes the worker.
    """
    due = tx.jobs.list_due_incomplete(now, BATCH_SIZE)
    for job_id in due:
        containment.run_for_job(tx, job_id, partial(_close_or_cancel, tx, job_id, now))
    return len(due) == BATCH_SIZE


def _close_or_cancel(tx: Transaction, job_id: int, now: Instant) -> None:
    job = tx.jobs.get(job_id)
    if job is None:
        return
    if job.closes_by is not None:
        _close_album(tx, job, now)
    elif tx.jobs.transition(job, State.CANCELLED, reason=FailureReason.NO_PROMPT, finished_at=now, due_at=None):
        tx.progress_messages.mark_stale(job.id, now)


def _close_album(tx: Transaction, job: Job, now: Instant) -> None:
    if not job.request.sources:
        tx.jobs.transition(job, State.CANCELLED, finished_at=now, due_at=None, closes_by=None)
        if not tx.outbox.has_max_pending(job.request.chat_id, MessageKind.TEXT):
            tx.outbox.add(draft_reply(job, "no-picture", sentence("unsupported")), now)
        return
    job = _reply_to_first_image(tx, job)
    others = tx.request_messages.count(job.id, RequestMessageKind.OTHER)
    if others and not job.request.is_in_group:  # in a group the answer says it
        tx.outbox.add(draft_reply(job, "left-out", sentence("left-out", count=others)), now)
    prompt = tx.request_messages.get_prompt(job.id)
    if is_valid_prompt(prompt):
        job_operations.complete_request(tx, job, prompt, now)
    elif tx.jobs.update(job, closes_by=None, due_at=add_seconds(now, PROMPT_TIMEOUT)):
        tx.quota.await_prompt(job.id)
        tx.progress_messages.open_or_refresh(job, now)


def _reply_to_first_image(tx: Transaction, job: Job) -> Job:
    """Make messages about an album reply to its first image, whichever item arrived first."""
    if job.request.message_id is None:
        return job
    tx.jobs.update(job, message_id=min(source.position for source in job.request.sources))
    return tx.jobs.get(job.id) or job
