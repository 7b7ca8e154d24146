"""What happens to jobs as a whole: complete, cancel, answer, erase or move them, with everything that users see of it.

Each function changes the job, its place in the queue, its charges and its messages in the caller's transaction. State
changes are compare-and-set: they return False if the job has changed meanwhile. In a group, where others read along, a
reaction to the request replaces most messages.
"""

import math
from dataclasses import replace
from enum import StrEnum

from bot.clock import Instant, seconds_between, utc_day
from bot.edit_options import split_trailing_ratio
from bot.job import EditRequest, FailureReason, Job, State
from bot.kie.models import is_result_retained
from bot.store.base_table import Value
from bot.store.chats import greeting_key
from bot.store.database import Transaction
from bot.store.domain_events import log_job_answered
from bot.store.jobs import UNORDERED_STATES, edit_option_columns
from bot.store.outbox import RESULT_KINDS, DeliveryOutcome, MessageDraft, MessageKind, OutboxMessage

#: Credits for one image of google/nano-banana-edit, by Kie's price list of September 2026.
DEFAULT_PRICE = 4.0

#: Number of latest finished edits; the highest price among them is expected of the next one.
PRICE_SAMPLE_SIZE = 20

#: More than anybody orders in a day.
UNLIMITED_EDITS = 1_000_000


class RequestReaction(StrEnum):
    """A reaction to a request in a group."""

    ACCEPTED = "👀"
    DONE = "👌"
    #: the answer says why
    NOT_DONE = "🤷"
    CANCELLED = "🫡"


def with_prompt(tx: Transaction, request: EditRequest, text: str) -> EditRequest:
    """Return a request with its prompt and options: the ratio at the end of `text`, and the settings of its chat."""
    prompt, ratio = split_trailing_ratio(text)
    options = tx.chats.get_edit_options(request.chat_id)
    return replace(request, prompt=prompt, options=replace(options, aspect_ratio=ratio or options.aspect_ratio))


def complete_request(tx: Transaction, job: Job, text: str, now: Instant) -> bool:
    """Queue and charge a request that has its images and its prompt; False if the job has changed meanwhile."""
    request = with_prompt(tx, job.request, text)
    queued = tx.jobs.transition(
        job,
        State.QUEUED,
        prompt=request.prompt,
        **edit_option_columns(request.options),
        message_id=_first_message_id(job),
        queued_at=now,
        due_at=None,
        closes_by=None,
    )
    complete = tx.jobs.get(job.id)
    if queued and complete is not None:
        tx.quota.charge_to_all(job.id, utc_day(now))
        enqueue(tx, complete, now)
    return queued


def _first_message_id(job: Job) -> int | None:
    """Return the message that the answer replies to: the first image, if it is in this chat."""
    if job.request.message_id is None:
        return None
    return min(source.position for source in job.request.sources) or job.request.message_id


def enqueue(tx: Transaction, job: Job, now: Instant) -> None:
    """Put a queued job into the fair queue, and acknowledge it: by its progress message, in a group by a reaction."""
    tx.fair_queue.enqueue(job.id, job.request.chat_id, job.request.charged_to)
    if job.request.is_in_group:
        tx.progress_messages.queue_deletion(job.id, now)
        set_reaction(tx, job, RequestReaction.ACCEPTED, now)
    else:
        tx.progress_messages.open_or_refresh(job, now)


def requeue(
    tx: Transaction, job: Job, now: Instant, *, is_first: bool = True, is_ready: bool = False, **changes: Value
) -> bool:
    """Queue a job again, before the others or (unless `is_first`) behind them; False if the job has changed meanwhile.

    Unless it `is_ready`, its images are checked once more, because uploads expire.
    """
    if not tx.jobs.transition(job, State.QUEUED, submitted_at=None, **changes):
        return False
    if is_first:
        tx.fair_queue.enqueue_first(job.id, job.request.chat_id, is_ready=is_ready)
    else:
        tx.fair_queue.enqueue(job.id, job.request.chat_id, job.request.charged_to)
        tx.fair_queue.set_ready(job.id, is_ready=is_ready)
    tx.progress_messages.mark_stale(job.id, now)
    return True


def set_reaction(tx: Transaction, job: Job, reaction: RequestReaction, now: Instant) -> None:
    """React to a request in a group; this replaces a reaction that is still to be sent."""
    if not job.request.is_in_group or job.request.message_id is None:
        return
    tx.outbox.cancel_pending(job.id, MessageKind.REACTION, now)
    draft = MessageDraft(
        key=f"job:{job.id}:reaction:{reaction.name.lower()}",
        kind=MessageKind.REACTION,
        chat_id=job.request.chat_id,
        reply_to=job.request.message_id,
        body=reaction,
        job_id=job.id,
    )
    tx.outbox.add(draft, now)


def cancel_job(tx: Transaction, job: Job, now: Instant) -> bool:
    """Cancel a job if nothing is ordered for it yet; False if it is too late."""
    if job.state not in UNORDERED_STATES:
        return False
    tx.fair_queue.remove(job.id)
    tx.progress_messages.mark_stale(job.id, now)
    if job.state is State.QUEUED:
        set_reaction(tx, job, RequestReaction.CANCELLED, now)
    return tx.jobs.transition(job, State.CANCELLED, finished_at=now, due_at=None)


def retry_uncertain_order(tx: Transaction, job: Job, now: Instant) -> bool:
    """Queue an uncertain order once more, as its user decided; False while a task may turn out to be its own."""
    if tx.attempts.has_candidate_task(job.id):
        return False
    queued = requeue(tx, job, now, queued_at=now, asked_at=None, due_at=None, tries=0)
    if queued:
        record_cost(tx, None, now)
    return queued


def abandon_uncertain_order(tx: Transaction, job: Job, now: Instant) -> bool:
    """End a job whose order is uncertain; the question to the user is its only answer."""
    ended = tx.jobs.transition(
        job, State.FAILED, reason=FailureReason.ORDER_UNCERTAIN, finished_at=now, answered_at=now, due_at=None
    )
    if ended:
        record_cost(tx, None, now)
        tx.progress_messages.mark_stale(job.id, now)
        set_reaction(tx, job, RequestReaction.NOT_DONE, now)
    return ended


def mark_sent(tx: Transaction, message: OutboxMessage, message_id: int | None, now: Instant) -> None:
    """Store that a message was sent, and its id in the chat; if it is the answer, the job is answered."""
    tx.outbox.mark_sent(message, message_id, now)
    draft = message.draft
    job = None if draft.job_id is None else tx.jobs.get(draft.job_id)
    if job is None:
        return
    result_kind = message.replaces or draft.kind
    if result_kind in RESULT_KINDS:  # earlier texts in place of this result are outdated
        tx.outbox.delete_replacement_texts(job.id, draft.chat_id, result_kind, now, except_id=message.id)
        if draft.kind is MessageKind.IMAGE and not draft.is_answer:
            set_reaction(tx, job, RequestReaction.DONE, now)
    if draft.is_answer and tx.jobs.update(job, answered_at=now):
        progress = tx.progress_messages.get(job.id)
        if progress is not None and progress.message_id == message_id:  # it has become the answer
            tx.outbox.mark_ended(progress.id, DeliveryOutcome.SENT, now)
        else:
            tx.progress_messages.queue_deletion(job.id, now)
        is_image = draft.kind is MessageKind.IMAGE
        set_reaction(tx, job, RequestReaction.DONE if is_image else RequestReaction.NOT_DONE, now)
        tx.events.append(log_job_answered(job, now))


def is_result_available(job: Job, now: Instant) -> bool:
    """Return whether Kie should still have the result of a job."""
    return job.result_url is not None and is_result_retained(seconds_between(job.finished_at or now, now))


def delete_answer(tx: Transaction, job: Job, message_id: int, now: Instant) -> None:
    """Delete an answer for good, with its files; `message_id` is the message whose button was pressed.

    Pending messages with its image or file are cancelled, and the URL of the result is erased.
    """
    answer = tx.outbox.get_pending_answer(job.id)
    if answer is not None:  # the press shows that it has arrived
        mark_sent(tx, answer, message_id, now)
    for kind in RESULT_KINDS:
        tx.outbox.cancel_pending(job.id, kind, now)
        tx.outbox.delete_replacement_texts(job.id, job.request.chat_id, kind, now, except_id=None)
    sent = {each.message_id or 0 for each in tx.outbox.list_sent_images(job.id)}
    for each in sorted(sent | {message_id}):
        tx.outbox.queue_deletion(job.id, job.request.chat_id, each, now)
    if job.answer_deleted_at is None:
        tx.jobs.update(job, answer_deleted_at=now, result_url=None)


def erase_user(tx: Transaction, user_id: int, now: Instant) -> None:
    """End the open jobs of a user in all chats, and erase their data; ordered edits are charged and never delivered.

    The compare-and-set of a running step then fails, so the step stops.
    """
    for job in tx.jobs.list_open_of_user(user_id):
        if not cancel_job(tx, job, now):
            tx.jobs.transition(job, State.FAILED, reason=FailureReason.DELETED, finished_at=now, due_at=None)
            record_cost(tx, None, now)
            set_reaction(tx, job, RequestReaction.CANCELLED, now)
    tx.erasure.erase_user(user_id, now)


def drop_chat(tx: Transaction, chat_id: int, now: Instant) -> None:
    """Drop the jobs and messages of a chat to which the bot cannot write, before an order is paid for in vain."""
    for job in tx.jobs.list_open_in_chat(chat_id):
        cancel_job(tx, job, now)
    tx.outbox.drop_chat(chat_id, now)


def migrate_chat(tx: Transaction, old_id: int, new_id: int, now: Instant) -> None:
    """Move everything of a group to the supergroup that it became; idempotent.

    The supergroup numbers its messages anew, so nothing can reply to those of the group any more.
    """
    if tx.chats.is_greeted(old_id):
        tx.outbox.cancel_by_key(greeting_key(new_id), now)  # it only looked like a new chat
    if tx.chats.get_former_id(new_id) != old_id:
        tx.chats.migrate_chat(old_id, new_id)
    moved = tx.jobs.migrate_chat(old_id, new_id)
    tx.fair_queue.migrate_chat(old_id, new_id)
    tx.daily_usage.migrate_chat(old_id, new_id)
    tx.access_rules.migrate_chat(old_id, new_id)
    tx.outbox.migrate_chat(old_id, new_id, now)
    tx.inbox.release_held(old_id)
    for job in tx.jobs.list_open_in_chat(new_id):
        is_asked = job.closes_by is None if job.state is State.GATHERING else job.asked_at is not None
        if job.id in moved and is_asked:
            tx.progress_messages.send_anew(job, now)


def record_cost(tx: Transaction, credits_: float | None, now: Instant) -> None:
    """Add the credits of a task to today's spending; for None (never to be known) the expected price."""
    tx.credits.add_spending(_expected_price(tx) if credits_ is None else credits_, utc_day(now))


def count_affordable_edits(tx: Transaction, daily_credits: float, committed: int, day: int) -> int:
    """Return how many more edits a UTC day's limit in credits allows, besides the `committed` ones.

    A whole unused limit allows one, even if that seems to cost more: prices are only learned from edits.
    """
    price = min(_expected_price(tx), daily_credits)
    left = daily_credits - tx.credits.get_spending(day) - committed * price
    return math.floor(left / price) if price > 0 else UNLIMITED_EDITS


def _expected_price(tx: Transaction) -> float:
    highest = tx.credits.get_highest_price(PRICE_SAMPLE_SIZE)
    return DEFAULT_PRICE if highest is None else highest
