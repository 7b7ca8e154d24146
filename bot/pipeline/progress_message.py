"""What the status of a job says: composed from what is stored, at the moment when it is to be shown."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bot.clock import Instant, add_seconds, seconds_between
from bot.i18n import Sentence, sentence
from bot.i18n.prompt_suggestions import PROMPT_SUGGESTIONS
from bot.i18n.time_phrases import approximate_duration, time_until_tomorrow
from bot.job import MAX_PROMPT_LENGTH, FailureReason, Job, State
from bot.pipeline import outage_notices
from bot.pipeline.finish_job import Withdrawn
from bot.pipeline.order_limits import OrderLimits, is_within_budget
from bot.store.circuit_breakers import CircuitBreaker
from bot.store.database import Database, UnitOfWork
from bot.store.menus import parse_menu
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxMessage
from bot.store.transaction import Transaction
from bot.telegram import buttons
from bot.telegram.buttons import Button, ButtonAction
from bot.telegram.client import Destination, TelegramClient
from bot.telegram.errors import Rejected

#: Seconds between two looks at a place in the queue: at least these, and more the longer the queue is.
REFRESH_INTERVAL = 10.0

#: The same while nothing moves.
LONG_REFRESH_INTERVAL = 60.0

#: The same where it is hours that are told.
VERY_LONG_REFRESH_INTERVAL = 1800.0

#: Seconds of trouble at Kie after which a place in the queue means nothing any more.
OUTAGE_SHOWN_AFTER = 15.0

#: Finished pictures from which the usual time is taken, and how few are too few to say anything.
USUAL_TIME_SAMPLES, MIN_TIME_SAMPLES = 50, 3

#: Orders per second that the window of the rate limit allows.
NOMINAL_RATE_WINDOW = 10.0


@dataclass(frozen=True)
class ProgressContent:
    """What a status says."""

    text: str
    buttons: tuple[Button, ...] = ()
    #: whether it stays like this for good
    is_final: bool = False
    #: whether the person has to see it: a question
    requires_attention: bool = False
    #: when it has to be looked after again, if nothing happens
    refresh_at: Instant | None = None

    @property
    def digest(self) -> str:
        """All that can be seen, to tell whether anything has changed."""
        return json.dumps([self.text, [(each.label, each.callback_data) for each in self.buttons]], ensure_ascii=False)


@dataclass(frozen=True)
class ProgressUpdate:
    """What has to be done about the message of a status."""

    message: OutboxMessage
    #: None: delete the message
    content: ProgressContent | None


def plan_progress_update(
    tx: Transaction, status: OutboxMessage, limits: OrderLimits, now: Instant
) -> ProgressUpdate | None:
    """Say what has to be done about a status that is due; None, and nothing is due any more, if nothing has."""
    if status.is_to_be_deleted:
        return ProgressUpdate(status, None)
    if status.draft.kind is MessageKind.MENU:
        showing: ProgressContent | None = _menu_content(status.draft.body)
    else:
        job = None if status.draft.job_id is None else tx.jobs.get(status.draft.job_id)
        showing = None if job is None else _compose_content(tx, job, limits, now)
        if job is None or (showing is not None and not _is_shown_in_groups(status, showing)):
            return ProgressUpdate(status, None)
    if showing is None or showing.digest == status.shown:
        tx.progress_messages.postpone(status.id, None if showing is None else showing.refresh_at)
        return None
    return ProgressUpdate(status, showing)


def _is_shown_in_groups(status: OutboxMessage, showing: ProgressContent) -> bool:
    """Say whether others who read along have to see it as well."""
    return status.draft.chat_id > 0 or status.is_requested or showing.requires_attention or showing.is_final


def _menu_content(body: str) -> ProgressContent:
    menu = parse_menu(body)
    pressed = [(label, buttons.parse_callback_data(data)) for label, data in menu.buttons]
    return ProgressContent(
        menu.text, tuple(Button(label, each.action, each.target, each.number) for label, each in pressed if each)
    )


def _compose_content(tx: Transaction, job: Job, limits: OrderLimits, now: Instant) -> ProgressContent | None:
    """Compose what there is to say; None while that is left to another message."""
    match job.state:
        case State.GATHERING:
            return _prompt_question(tx, job)
        case State.QUEUED:
            return _queued_content(tx, job, limits, now)
        case State.SUBMITTING if job.asked_at is not None:
            return _uncertain_content(job, job.asked_at)
        case State.SUBMITTING:
            return _queued_content(tx, job, limits, now)  # whether Kie takes the order is known in a moment
        case State.RUNNING:
            return _running_content(tx, job)
        case _:
            return _ended_content(tx, job)


def _ended_content(tx: Transaction, job: Job) -> ProgressContent | None:
    if job.state is State.CANCELLED:
        return ProgressContent(_localize(job, _cancelled_text(tx, job)), is_final=True)
    if job.reason is FailureReason.ORDER_UNCERTAIN:
        return ProgressContent(_localize(job, sentence("doubt-left")), is_final=True)
    if job.download_failing_since is not None and job.answering_at is None:
        return ProgressContent(_localize(job, sentence("made-not-fetched")))
    return None  # the answer follows, and this goes when it has come


def _cancelled_text(tx: Transaction, job: Job) -> Sentence:
    if job.reason is FailureReason.NO_PROMPT:
        return sentence("question-over")
    return sentence("cancelled-in-doubt" if tx.attempts.has_uncertain(job.id) else "cancelled-here")


def _prompt_question(tx: Transaction, job: Job) -> ProgressContent:
    length, count = len(tx.request_messages.get_prompt(job.id)), len(job.request.sources)
    if length > MAX_PROMPT_LENGTH:
        asked = sentence("question-too-long", length=length, most=MAX_PROMPT_LENGTH)
    else:
        asked = sentence("question", count=count, where="group" if job.request.is_in_group else "private")
    ideas = _suggestion_buttons(job) if count == 1 and not length and not job.request.is_in_group else ()
    return ProgressContent(_localize(job, asked), (*ideas, _cancel_button(job)), requires_attention=True)


def _suggestion_buttons(job: Job) -> tuple[Button, ...]:
    return tuple(
        Button(_localize(job, sentence(f"idea-{idea.name}")), ButtonAction.USE_SUGGESTION, job.id, number)
        for number, idea in PROMPT_SUGGESTIONS.items()
    )


def _uncertain_content(job: Job, asked_at: Instant) -> ProgressContent:
    buttons = (
        Button(_localize(job, sentence("button-again")), ButtonAction.ORDER_AGAIN, job.id, asked_at),
        Button(_localize(job, sentence("button-leave")), ButtonAction.LEAVE_UNCERTAIN, job.id, asked_at),
    )
    return ProgressContent(_localize(job, sentence("doubt")), buttons, requires_attention=True)


def _running_content(tx: Transaction, job: Job) -> ProgressContent:
    if job.overdue_at is not None:
        return ProgressContent(_localize(job, sentence("takes-long")))
    return ProgressContent(
        _localize(
            job, _sentence_with_time("being-edited", tx.jobs.median_seconds(USUAL_TIME_SAMPLES, MIN_TIME_SAMPLES))
        )
    )


def _queued_content(tx: Transaction, job: Job, limits: OrderLimits, now: Instant) -> ProgressContent:
    place = tx.fair_queue.get_position(job.id, now) or 1
    usual = tx.jobs.median_seconds(USUAL_TIME_SAMPLES, MIN_TIME_SAMPLES)
    wait = _estimate_wait(place, tx.jobs.count_at_kie(add_seconds(now, -limits.deadline)), limits, usual)
    breakers = tx.circuit_breakers.list_open()
    halted = _blocked_text(tx, job, breakers, limits, wait, now)
    if halted is not None:
        refresh = LONG_REFRESH_INTERVAL if is_within_budget(tx, limits, now) else VERY_LONG_REFRESH_INTERVAL
        return ProgressContent(_localize(job, halted), (_cancel_button(job),), refresh_at=add_seconds(now, refresh))
    told = _sentence_with_time(
        "got-it" if place <= 1 else "in-the-queue", None if usual is None else wait + usual, place=place
    )
    # whether a trouble of before is over shows in a moment
    refresh = outage_notices.NOTICE_AFTER if breakers else max(REFRESH_INTERVAL, wait / 10)
    return ProgressContent(_localize(job, told), (_cancel_button(job),), refresh_at=add_seconds(now, refresh))


def _blocked_text(
    tx: Transaction, job: Job, breakers: list[CircuitBreaker], limits: OrderLimits, wait: float, now: Instant
) -> Sentence | None:
    """Say what keeps a job waiting beside those before it, None where that is nothing."""
    waited = seconds_between(job.queued_at or now, now)
    known = outage_notices.find_lasting_breaker(breakers, now)
    if known is not None and waited >= outage_notices.NOTICE_AFTER:
        return outage_notices.describe_outage(known, limits)
    # one that is being ordered is paid for, and may be the last that can be
    if job.state is State.QUEUED and not is_within_budget(tx, limits, now):
        return sentence("waiting-for-tomorrow", time=time_until_tomorrow(now))
    in_trouble = any(seconds_between(each.since, now) >= OUTAGE_SHOWN_AFTER for each in breakers)
    if waited >= limits.deadline > wait or (waited >= OUTAGE_SHOWN_AFTER and in_trouble):
        return sentence("waiting")
    return None


def _sentence_with_time(name: str, seconds: float | None, **values: int) -> Sentence:
    """Say how long it takes as well, where that is known."""
    if seconds is None:
        return sentence(name, **values)
    return sentence(f"{name}-with-time", time=approximate_duration(seconds), **values)


def _localize(job: Job, told: Sentence) -> str:
    return told.translate(job.request.language)


def _estimate_wait(place: int, at_kie: int, limits: OrderLimits, usual: float | None) -> float:
    """Estimate the seconds until it is its turn, from the two limits that make jobs wait."""
    by_rate = (place - 1) / (limits.orders_per_window / NOMINAL_RATE_WINDOW)
    to_finish = max(0, at_kie + place - limits.max_running)  # before this one gets a place
    return max(by_rate, to_finish * (usual or 0.0) / limits.max_running)


def _cancel_button(job: Job) -> Button:
    return Button(_localize(job, sentence("button-cancel")), ButtonAction.CANCEL, job.id)


class ProgressMessageSender:
    """The step that looks after the statuses."""

    def __init__(self, db: Database, chat: TelegramClient, *, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._chat = chat
        self._clock = clock

    async def run(self, errand: ProgressUpdate) -> UnitOfWork:
        """Do it once; return what is to be written about it. Raises a ChatError when that did not work."""
        status, showing = errand.message, errand.content
        if showing is None:
            if status.message_id is not None:
                await self._delete(status.draft.chat_id, status.message_id)
            return lambda tx: tx.outbox.mark_ended(status.id, DeliveryOutcome.SENT, self._clock())
        try:
            message_id = await self._send_or_edit(status, showing)
        except Withdrawn:
            return lambda _: None
        return lambda tx: self._record_shown(tx, status, showing, message_id)

    async def _send_or_edit(self, status: OutboxMessage, showing: ProgressContent) -> int:
        say = status.draft
        if status.tries:
            await self._chat.check_reachable()
            await self._db.transact(lambda tx: _check_unchanged(tx, status))
        if status.message_id is None:
            place = Destination(say.chat_id, say.thread_id, say.reply_to)
            return await self._chat.send_message(place, showing.text, showing.buttons)
        await self._chat.edit_message_text(say.chat_id, status.message_id, showing.text, showing.buttons)
        return status.message_id

    def _record_shown(self, tx: Transaction, status: OutboxMessage, showing: ProgressContent, message_id: int) -> None:
        now = self._clock()
        if not tx.outbox.exists(status):
            return
        tx.progress_messages.mark_shown(status, showing.digest, message_id, now, showing.refresh_at)
        if showing.is_final and not tx.progress_messages.is_to_be_deleted(status.id):  # else it still has to be deleted
            tx.outbox.mark_ended(status.id, DeliveryOutcome.SENT, now)

    async def _delete(self, chat_id: int, message_id: int) -> None:
        with suppress(Rejected):  # it is gone, or older than the two days for which a bot may delete
            await self._chat.delete_message(chat_id, message_id)


def _check_unchanged(tx: Transaction, status: OutboxMessage) -> None:
    """Raise Withdrawn where something else is to be shown by now, or nothing: the row is due, and says what."""
    if not tx.progress_messages.is_current(status):
        raise Withdrawn
