"""Presses of the buttons under the bot's messages: each is answered, and each takes effect once (deduplication).

Whether a press takes effect depends on the message that was pressed, because anybody can forge the data of a button.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot import job_operations
from bot.clock import add_seconds
from bot.handlers.access import SETTINGS_ACTIONS, is_button_of_message, is_press_allowed
from bot.handlers.delete_my_data import CONFIRMATION_ACTIONS, handle_deletion_press
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import answer_button_press
from bot.handlers.settings_menu import handle_settings_press
from bot.handlers.update_types import ButtonPressed, UpdateContext
from bot.i18n import Sentence, sentence, time_until_tomorrow
from bot.i18n.prompt_suggestions import PROMPT_SUGGESTIONS
from bot.job import FINAL_STATES, Job, State
from bot.store.outbox import MessageDraft, MessageKind
from bot.telegram.buttons import ButtonAction, ButtonPress

#: Seconds for which Telegram lets a bot delete its messages.
DELETABLE_FOR = 48 * 3600.0

#: Seconds before an image or a file is sent again: Telegram does not tell whether the first one was deleted.
RESEND_COOLDOWN = 3600.0

#: How many originals, and results that could not be sent, a user may request at once, and seconds until one more. Each
#: is downloaded from Kie and sent: up to 50 MB for an edit that was counted once.
RESEND_BURST, RESEND_INTERVAL = 3, 60.0

#: Users that this rate limit tracks.
MAX_TRACKED_USERS = 10_000

#: The callback answers for a job that is erased.
SENTENCE_WHEN_GONE = {
    ButtonAction.SEND_ORIGINAL: "original-gone",
    ButtonAction.VARIATION: "toast-erased",
    ButtonAction.FETCH_RESULT: "result-gone",
}


@dataclass(frozen=True)
class PressLimits:
    """Limits on presses that cost something."""

    #: for variations, which are edits
    quotas: QuotaPolicy
    #: returns whether a user may have another original or result now, and counts it if so
    allows_resend: Callable[[int], bool]


@dataclass(frozen=True)
class _JobPress:
    """A press of a button about a job, by a user who may press it."""

    ctx: UpdateContext
    limits: PressLimits
    job: Job
    button: ButtonPress


def handle_button_press(ctx: UpdateContext, limits: PressLimits, press: ButtonPressed, admins: frozenset[int]) -> None:
    """Do what a button press asks for, if that is still possible and the user may, and answer it."""
    button = press.button
    text = sentence("toast-old") if button is None else _handle_press(ctx, limits, press, button, admins)
    answer_button_press(ctx, press.press_id, text)


def _handle_press(
    ctx: UpdateContext, limits: PressLimits, press: ButtonPressed, button: ButtonPress, admins: frozenset[int]
) -> Sentence | None:
    if button.action in CONFIRMATION_ACTIONS:
        return handle_deletion_press(ctx, press)
    if button.action in SETTINGS_ACTIONS:
        is_allowed = not ctx.origin.is_group or ctx.origin.user_id in admins
        return handle_settings_press(ctx, press, button) if is_allowed else sentence("toast-for-admins")
    job = ctx.tx.jobs.get(button.target)
    if job is None:
        return sentence("toast-old")
    unavailable = _why_unavailable(ctx, press, button.action, job)
    if unavailable is not None:
        return unavailable
    if not is_press_allowed(ctx.origin, button.action, job, admins):
        return sentence("toast-not-yours")
    return _JOB_PRESS_HANDLERS[button.action](_JobPress(ctx, limits, job, button))


def _why_unavailable(ctx: UpdateContext, press: ButtonPressed, action: ButtonAction, job: Job) -> Sentence | None:
    """Return why this button has no effect any more, whoever presses it, or None."""
    if job.request.is_erased:
        return sentence(SENTENCE_WHEN_GONE.get(action, "toast-old"))
    if job.request.chat_id != ctx.origin.chat_id:
        return sentence("toast-old")
    if job.answer_deleted_at is not None and action is not ButtonAction.DELETE_ANSWER:
        return sentence("toast-picture-deleted")
    return None if is_button_of_message(ctx, press, action, job) else sentence("toast-old")


def _cancel_job(press: _JobPress) -> Sentence:
    job = press.job
    if job_operations.cancel_job(press.ctx.tx, job, press.ctx.now):
        return sentence("toast-cancelled")
    is_settled = job.state in FINAL_STATES or job.asked_at is not None
    return sentence("toast-settled" if is_settled else "toast-too-late")


def _send_original(press: _JobPress) -> Sentence:
    """Send an answer as Kie's original file, once for everybody who sees the answer."""
    ctx, job = press.ctx, press.job
    if ctx.tx.outbox.has_pending(job.id, MessageKind.FILE):
        return sentence("toast-coming")
    if job.result_url is None:
        return sentence("original-gone")
    if _was_sent_recently(press, MessageKind.FILE):
        return sentence("toast-original-there")
    if not _may_resend(press):
        return sentence("toast-original-later")
    _queue_result(press, MessageKind.FILE, f"job:{job.id}:original:{ctx.now}", "original", ctx.origin.message_id)
    return sentence("toast-fetching")


def _fetch_result(press: _JobPress) -> Sentence:
    """Send a result that could not be sent so far, once for everybody who sees the message that says so."""
    ctx, job = press.ctx, press.job
    if ctx.tx.outbox.has_pending(job.id, MessageKind.IMAGE):
        return sentence("toast-picture-coming")
    if not job_operations.is_result_available(job, ctx.now):
        return sentence("result-gone")
    if _was_sent_recently(press, MessageKind.IMAGE):
        return sentence("toast-picture-there")
    if not _may_resend(press):
        return sentence("toast-picture-later")
    _queue_result(press, MessageKind.IMAGE, f"job:{job.id}:fetched:{ctx.now}", "answer", job.request.message_id)
    return sentence("toast-picture-fetching")


def _queue_result(press: _JobPress, kind: MessageKind, key: str, caption: str, reply_to: int | None) -> None:
    request = press.job.request
    draft = MessageDraft(
        key=key,
        kind=kind,
        chat_id=press.ctx.origin.chat_id,
        thread_id=request.thread_id,
        reply_to=reply_to,
        body=sentence(caption).translate(request.language),
        job_id=press.job.id,
    )
    press.ctx.tx.outbox.add(draft, press.ctx.now)


def _was_sent_recently(press: _JobPress, kind: MessageKind) -> bool:
    sent_at = press.ctx.tx.outbox.last_sent_at(press.job.id, kind)
    return sent_at is not None and add_seconds(sent_at, RESEND_COOLDOWN) > press.ctx.now


def _may_resend(press: _JobPress) -> bool:
    """Return whether the user may have something downloaded from Kie again, and count it if so."""
    quotas = press.limits.quotas
    return not quotas.is_limited(press.ctx) or press.limits.allows_resend(quotas.charged_to(press.ctx))


def _order_variation(press: _JobPress) -> Sentence:
    """Order the same edit once more for the user who pressed, but not while another variation of it is pending."""
    ctx, quotas, request = press.ctx, press.limits.quotas, press.job.request
    if press.job.state is not State.SUCCEEDED or not request.sources or not request.prompt:
        return sentence("toast-erased")
    if ctx.tx.jobs.has_pending_variation(press.job.id):
        return sentence("toast-varied-already")
    if quotas.why_queue_full(ctx) is not None:
        return sentence("toast-full")
    if quotas.why_exhausted(ctx) is not None:
        return sentence("toast-used-up", time=time_until_tomorrow(ctx.now))
    variation = replace(
        request,
        user_id=ctx.origin.user_id,
        charged_to=quotas.charged_to(ctx),
        message_id=ctx.origin.message_id,
        sources=request.sources_without_uploads(),
        received_at=ctx.now,
        language=ctx.origin.language,
        variation_of=press.job.id,
    )
    job = ctx.tx.jobs.get(ctx.tx.jobs.add(variation, State.QUEUED, ctx.now))
    if job is not None:
        job_operations.enqueue(ctx.tx, job, ctx.now)
    return sentence("toast-varied")


def _delete_answer(press: _JobPress) -> Sentence:
    ctx, job = press.ctx, press.job
    sent_at = ctx.tx.outbox.last_sent_at(job.id, MessageKind.IMAGE) or job.answered_at
    if sent_at is not None and add_seconds(sent_at, DELETABLE_FOR) < ctx.now:
        return sentence("toast-too-old-to-delete", where=ctx.origin.chat_type)
    job_operations.delete_answer(ctx.tx, job, ctx.origin.message_id, ctx.now)
    return sentence("toast-deleted")


def _use_suggestion(press: _JobPress) -> Sentence:
    ctx, job = press.ctx, press.job
    suggestion = PROMPT_SUGGESTIONS.get(press.button.number)
    if suggestion is None:
        return sentence("toast-old")
    if job.state is not State.GATHERING or job.closes_by is not None:
        return sentence("toast-settled")
    if press.limits.quotas.admit(ctx, job) is not None:
        return sentence("toast-used-up", time=time_until_tomorrow(ctx.now))
    return sentence(
        "toast-idea" if job_operations.complete_request(ctx.tx, job, suggestion.prompt, ctx.now) else "toast-settled"
    )


def _resolve_uncertain_order(press: _JobPress) -> Sentence:
    """Order again or give up, as the user decides with a button of the latest question."""
    tx, job = press.ctx.tx, press.job
    if job.state is not State.SUBMITTING or job.asked_at is None or job.asked_at != press.button.number:
        return sentence("toast-settled")
    if tx.attempts.has_candidate_task(job.id):
        return sentence("toast-news")  # the order may be found in a moment, without paying for it again
    if press.button.action is ButtonAction.ORDER_AGAIN:
        return sentence(
            "toast-again" if job_operations.retry_uncertain_order(tx, job, press.ctx.now) else "toast-settled"
        )
    is_left = job_operations.abandon_uncertain_order(tx, job, press.ctx.now)
    return sentence("toast-left" if is_left else "toast-settled")


_JOB_PRESS_HANDLERS: Mapping[ButtonAction, Callable[[_JobPress], Sentence]] = {
    ButtonAction.CANCEL: _cancel_job,
    ButtonAction.SEND_ORIGINAL: _send_original,
    ButtonAction.FETCH_RESULT: _fetch_result,
    ButtonAction.ORDER_AGAIN: _resolve_uncertain_order,
    ButtonAction.LEAVE_UNCERTAIN: _resolve_uncertain_order,
    ButtonAction.USE_SUGGESTION: _use_suggestion,
    ButtonAction.VARIATION: _order_variation,
    ButtonAction.DELETE_ANSWER: _delete_answer,
}
