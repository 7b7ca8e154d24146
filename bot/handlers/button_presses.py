"""Presses of the buttons under our messages; each is answered, and each decides once.

A press counts for the message that was pressed: what stands behind a button is made up easily.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot import job_actions
from bot.clock import Instant, add_seconds, seconds_between
from bot.handlers.access import SETTINGS_ACTIONS, is_button_of_message, is_press_allowed
from bot.handlers.delete_my_data import CONFIRMATION_ACTIONS, handle_deletion_press
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import answer_button_press
from bot.handlers.settings_menu import handle_settings_press
from bot.handlers.update_types import ButtonPressed, UpdateOrigin
from bot.i18n import Sentence, sentence
from bot.i18n.prompt_suggestions import PROMPT_SUGGESTIONS
from bot.i18n.time_phrases import time_until_tomorrow
from bot.job import FINAL_STATES, Job, State
from bot.kie.models import is_result_retained
from bot.store.outbox import MessageDraft, MessageKind
from bot.store.transaction import Transaction
from bot.telegram.buttons import ButtonAction, ButtonPress

#: Seconds for which Telegram lets a bot delete what it sent.
DELETABLE_FOR = 48 * 3600.0

#: Seconds for which a picture or a file that was sent is not fetched and sent again. Telegram does not tell whether it
#: still stands in the chat, so it may be had once more later.
RESEND_COOLDOWN = 3600.0

#: Original files, and pictures that did not come, that one person may ask for at once, fewer than are sent at once to
#: all; and then one every so many seconds. Each is fetched from Kie and sent: up to 50 MB, for an edit that was counted
#: once.
RESEND_BURST, RESEND_INTERVAL = 3, 60.0

#: People whose asking for files is remembered.
MAX_TRACKED_USERS = 10_000

#: What is said where it is not known any more what a message of ours was about.
SENTENCE_WHEN_GONE = {
    ButtonAction.SEND_ORIGINAL: "original-gone",
    ButtonAction.VARIATION: "toast-erased",
    ButtonAction.FETCH_RESULT: "result-gone",
}


@dataclass(frozen=True)
class PressLimits:
    """How often somebody may press for what costs something."""

    #: for other variations, which are edits
    quotas: QuotaPolicy
    #: says whether a person may have another original file, or a picture that did not come, now, and counts it if so
    allows_resend: Callable[[int], bool]


def handle_button_press(
    tx: Transaction,
    limits: PressLimits,
    origin: UpdateOrigin,
    press: ButtonPressed,
    admins: frozenset[int],
    now: Instant,
) -> None:
    """Do what a press asks for, if it is still open to the one who pressed, and say so."""
    told = (
        sentence("toast-old")
        if press.button is None
        else _decide_press(tx, limits, origin, press, press.button, admins, now)
    )
    answer_button_press(tx, origin, press.press_id, told, now)


def _decide_press(
    tx: Transaction,
    limits: PressLimits,
    origin: UpdateOrigin,
    press: ButtonPressed,
    pressed: ButtonPress,
    admins: frozenset[int],
    now: Instant,
) -> Sentence | None:
    if pressed.action in CONFIRMATION_ACTIONS:
        return handle_deletion_press(tx, origin, press, now)
    if pressed.action in SETTINGS_ACTIONS:
        is_allowed = not origin.is_group or origin.user_id in admins
        return handle_settings_press(tx, origin, press, pressed, now) if is_allowed else sentence("toast-for-admins")
    job = tx.jobs.get(pressed.target)
    if job is None:
        return sentence("toast-old")
    closed = _why_unavailable(tx, origin, press, pressed, job)
    if closed is not None:
        return closed
    if not is_press_allowed(origin, pressed.action, job, admins):
        return sentence("toast-not-yours")
    return _handle_answer_press(tx, limits, job, origin, pressed, now) or _handle_order_press(
        tx, limits.quotas, job, origin, pressed, now
    )


def _why_unavailable(
    tx: Transaction, origin: UpdateOrigin, press: ButtonPressed, pressed: ButtonPress, job: Job
) -> Sentence | None:
    """Say why a press is about nothing that anybody could still decide, None where it is."""
    if job.request.is_erased:
        return sentence(SENTENCE_WHEN_GONE.get(pressed.action, "toast-old"))
    if job.request.chat_id != origin.chat_id:
        return sentence("toast-old")
    if job.answer_deleted_at is not None and pressed.action is not ButtonAction.DELETE_ANSWER:
        return sentence("toast-picture-deleted")
    return None if is_button_of_message(tx, origin, press, pressed.action, job) else sentence("toast-old")


def _handle_answer_press(
    tx: Transaction, limits: PressLimits, job: Job, origin: UpdateOrigin, pressed: ButtonPress, now: Instant
) -> Sentence | None:
    match pressed.action:
        case ButtonAction.SEND_ORIGINAL:
            return _send_original(tx, limits, job, origin, now)
        case ButtonAction.FETCH_RESULT:
            return _fetch_result(tx, limits, job, origin, now)
        case ButtonAction.VARIATION:
            return _order_variation(tx, limits.quotas, job, origin, now)
        case ButtonAction.DELETE_ANSWER:
            return _delete_answer(tx, job, origin, now)
        case _:
            return None


def _handle_order_press(
    tx: Transaction, room: QuotaPolicy, job: Job, origin: UpdateOrigin, pressed: ButtonPress, now: Instant
) -> Sentence:
    match pressed.action:
        case ButtonAction.CANCEL:
            return _cancel_job(tx, job, now)
        case ButtonAction.ORDER_AGAIN:
            return _resolve_uncertain_order(tx, job, pressed, sentence("toast-again"), now)
        case ButtonAction.LEAVE_UNCERTAIN:
            return _resolve_uncertain_order(tx, job, pressed, sentence("toast-left"), now)
        case ButtonAction.USE_SUGGESTION:
            return _use_suggestion(tx, room, job, origin, pressed.number, now)
        case _:
            return sentence("toast-old")


def _cancel_job(tx: Transaction, job: Job, now: Instant) -> Sentence:
    if job_actions.cancel_job(tx, job, now):
        return sentence("toast-cancelled")
    return (
        sentence("toast-settled")
        if job.state in FINAL_STATES or job.asked_at is not None
        else sentence("toast-too-late")
    )


def _send_original(tx: Transaction, limits: PressLimits, job: Job, origin: UpdateOrigin, now: Instant) -> Sentence:
    """Send the file that an answer was made from, once for all who see it, and not many to one person at a time."""
    if tx.outbox.has_pending(job.id, MessageKind.FILE):
        return sentence("toast-coming")
    if job.result_url is None:
        return sentence("original-gone")
    if _was_sent_recently(tx, job, MessageKind.FILE, now):
        return sentence("toast-original-there")
    if not _may_resend(tx, limits, origin):
        return sentence("toast-original-later")
    _queue_result(tx, job, origin, MessageKind.FILE, "original", origin.message_id, now)
    return sentence("toast-fetching")


def _fetch_result(tx: Transaction, limits: PressLimits, job: Job, origin: UpdateOrigin, now: Instant) -> Sentence:
    """Fetch a picture that is made and did not come, in words so far; once at a time, for all who see the words."""
    if tx.outbox.has_pending(job.id, MessageKind.IMAGE):
        return sentence("toast-picture-coming")
    if job.result_url is None or not is_result_retained(seconds_between(job.finished_at or now, now)):
        return sentence("result-gone")
    if _was_sent_recently(tx, job, MessageKind.IMAGE, now):
        return sentence("toast-picture-there")
    if not _may_resend(tx, limits, origin):
        return sentence("toast-picture-later")
    _queue_result(tx, job, origin, MessageKind.IMAGE, "answer", job.request.message_id, now)
    return sentence("toast-picture-fetching")


def _queue_result(
    tx: Transaction, job: Job, origin: UpdateOrigin, kind: MessageKind, words: str, reply_to: int | None, now: Instant
) -> None:
    """Have what Kie made sent to where the button was pressed, with a sentence."""
    say = MessageDraft(
        key=f"job:{job.id}:{'original' if kind is MessageKind.FILE else 'fetched'}:{now}",
        kind=kind,
        chat_id=origin.chat_id,
        thread_id=job.request.thread_id,
        reply_to=reply_to,
        body=sentence(words).translate(job.request.language),
        job_id=job.id,
    )
    tx.outbox.add(say, now)


def _was_sent_recently(tx: Transaction, job: Job, kind: MessageKind, now: Instant) -> bool:
    """Say whether a picture or a file was sent so lately that it stands in the chat."""
    sent_at = tx.outbox.last_sent_at(job.id, kind)
    return sent_at is not None and add_seconds(sent_at, RESEND_COOLDOWN) > now


def _may_resend(tx: Transaction, limits: PressLimits, origin: UpdateOrigin) -> bool:
    """Say whether somebody may have something fetched from Kie now, and count it."""
    return not limits.quotas.is_limited(tx, origin) or limits.allows_resend(limits.quotas.charged_to(tx, origin))


def _order_variation(tx: Transaction, room: QuotaPolicy, job: Job, origin: UpdateOrigin, now: Instant) -> Sentence:
    """Order the same once more, for the one who pressed; not twice at a time, however often it is pressed."""
    request = job.request
    if job.state is not State.SUCCEEDED or not request.sources or not request.prompt:
        return sentence("toast-erased")
    if tx.jobs.has_pending_variation(job.id):
        return sentence("toast-varied-already")
    if room.why_queue_full(tx, origin) is not None:
        return sentence("toast-full")
    if room.why_exhausted(tx, origin, now) is not None:
        return sentence("toast-used-up", time=time_until_tomorrow(now))
    sources = tuple(replace(source, upload_url=None, uploaded_at=None) for source in request.sources)
    wanted = replace(
        request,
        user_id=origin.user_id,
        charged_to=room.charged_to(tx, origin),
        message_id=origin.message_id,
        sources=sources,
        received_at=now,
        language=origin.language,
        variation_of=job.id,
    )
    variation = tx.jobs.get(tx.jobs.add(wanted, State.QUEUED, now))
    if variation is not None:
        job_actions.enqueue(tx, variation, now)
    return sentence("toast-varied")


def _delete_answer(tx: Transaction, job: Job, origin: UpdateOrigin, now: Instant) -> Sentence:
    """Take an answer away, with the files that belong to it."""
    came_at = tx.outbox.last_sent_at(job.id, MessageKind.IMAGE) or job.answered_at
    if came_at is not None and add_seconds(came_at, DELETABLE_FOR) < now:
        return sentence("toast-too-old-to-delete", where=origin.chat_type)
    job_actions.delete_answer(tx, job, origin.message_id, now)
    return sentence("toast-deleted")


def _use_suggestion(
    tx: Transaction, room: QuotaPolicy, job: Job, origin: UpdateOrigin, number: int, now: Instant
) -> Sentence:
    """Let an idea be the words that a request waited for."""
    idea = PROMPT_SUGGESTIONS.get(number)
    if idea is None:
        return sentence("toast-old")
    if job.state is not State.GATHERING or job.closes_by is not None:
        return sentence("toast-settled")
    if room.admit(tx, origin, job, now) is not None:
        return sentence("toast-used-up", time=time_until_tomorrow(now))
    return (
        sentence("toast-idea") if job_actions.complete_request(tx, job, idea.prompt, now) else sentence("toast-settled")
    )


def _resolve_uncertain_order(tx: Transaction, job: Job, pressed: ButtonPress, told: Sentence, now: Instant) -> Sentence:
    """Let the person decide about an order in doubt, by the buttons of the question that is open."""
    if job.state is not State.SUBMITTING or job.asked_at is None or job.asked_at != pressed.number:
        return sentence("toast-settled")
    if tx.attempts.has_candidate_task(job.id):
        return sentence("toast-news")  # in a moment it is known, and may be settled without being paid again
    is_retry = pressed.action is ButtonAction.ORDER_AGAIN
    decide = job_actions.retry_uncertain_order if is_retry else job_actions.abandon_uncertain_order
    return told if decide(tx, job, now) else sentence("toast-settled")
