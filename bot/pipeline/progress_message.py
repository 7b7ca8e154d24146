"""Progress messages: compose the text from the stored state when a message is due, then send, edit or delete it.

Menus are shown by the same steps.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass

from bot.clock import Instant, add_seconds, seconds_between
from bot.i18n import Sentence, approximate_duration, sentence, time_until_tomorrow
from bot.i18n.prompt_suggestions import PROMPT_SUGGESTIONS
from bot.job import MAX_PROMPT_LENGTH, FailureReason, Job, State
from bot.pipeline.circuit_breakers import NOTICE_AFTER, describe_outage, find_lasting_breaker
from bot.pipeline.finish_job import Withdrawn
from bot.pipeline.order_limits import OrderLimits, is_within_budget
from bot.store.circuit_breakers import CircuitBreaker
from bot.store.database import Database, Transaction, UnitOfWork
from bot.store.menus import parse_menu
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxMessage
from bot.telegram.buttons import Button, ButtonAction, parse_callback_data
from bot.telegram.client import Destination, TelegramClient
from bot.telegram.errors import Rejected

#: Seconds after which a queue position is refreshed; in a long queue, a tenth of the wait.
REFRESH_INTERVAL = 10.0

#: The same while a text says why no order can leave, and where that text counts in hours.
BLOCKED_REFRESH_INTERVAL, HOURLY_REFRESH_INTERVAL = 60.0, 1800.0

#: Seconds of an outage after which the message shows no queue position.
OUTAGE_SHOWN_AFTER = 15.0

#: Finished edits over which the usual time is the median, and the minimum for that.
USUAL_TIME_SAMPLES, MIN_TIME_SAMPLES = 50, 3

#: Seconds of Kie's rate window; `OrderLimits.orders_per_window` applies to it.
ORDER_WINDOW = 10.0


@dataclass(frozen=True)
class ProgressContent:
    """What a progress message or a menu shows."""

    text: str
    buttons: tuple[Button, ...] = ()
    #: whether it never changes again
    is_final: bool = False
    #: whether it asks the user a question
    requires_attention: bool = False
    #: when to compose it again if nothing happens
    refresh_at: Instant | None = None

    @property
    def digest(self) -> str:
        """A string that changes if and only if something visible changes."""
        return json.dumps([self.text, [(each.label, each.callback_data) for each in self.buttons]], ensure_ascii=False)


@dataclass(frozen=True)
class ProgressUpdate:
    """A progress message or a menu to send, edit or delete."""

    message: OutboxMessage
    #: None: delete the message
    content: ProgressContent | None


def plan_progress_update(
    tx: Transaction, message: OutboxMessage, limits: OrderLimits, now: Instant
) -> ProgressUpdate | None:
    """Return the update for a message that is due; None, and postpone it, if it already shows the right content."""
    if message.is_to_be_deleted:
        return ProgressUpdate(message, None)
    if message.draft.kind is MessageKind.MENU:
        content: ProgressContent | None = _menu_content(message.draft.body)
    else:
        job = None if message.draft.job_id is None else tx.jobs.get(message.draft.job_id)
        content = None if job is None else _compose_content(tx, job, limits, now)
        if job is None or (content is not None and not _is_worth_showing(message, content)):
            return ProgressUpdate(message, None)
    if content is None or content.digest == message.shown:
        tx.progress_messages.postpone(message.id, None if content is None else content.refresh_at)
        return None
    return ProgressUpdate(message, content)


def _is_worth_showing(message: OutboxMessage, content: ProgressContent) -> bool:
    """In a group, where others read along, show only questions, endings and what the user requested."""
    return message.draft.chat_id > 0 or message.is_requested or content.requires_attention or content.is_final


def _menu_content(body: str) -> ProgressContent:
    menu = parse_menu(body)
    parsed = [(label, parse_callback_data(data)) for label, data in menu.buttons]
    return ProgressContent(
        menu.text, tuple(Button(label, each.action, each.target, each.number) for label, each in parsed if each)
    )


def _compose_content(tx: Transaction, job: Job, limits: OrderLimits, now: Instant) -> ProgressContent | None:
    """Compose what a job's message shows; None if another message says it."""
    match job.state:
        case State.GATHERING:
            return _prompt_question(tx, job)
        case State.SUBMITTING if job.asked_at is not None:
            return _uncertain_content(job, job.asked_at)
        case State.QUEUED | State.SUBMITTING:  # Kie's answer to the order is a matter of seconds
            return _queued_content(tx, job, limits, now)
        case State.RUNNING:
            return _running_content(tx, job)
        case _:
            return _ended_content(tx, job)


def _prompt_question(tx: Transaction, job: Job) -> ProgressContent:
    length, count = len(tx.request_messages.get_prompt(job.id)), len(job.request.sources)
    if length > MAX_PROMPT_LENGTH:
        question = sentence("question-too-long", length=length, most=MAX_PROMPT_LENGTH)
    else:
        question = sentence("question", count=count, where="group" if job.request.is_in_group else "private")
    suggestions = () if count != 1 or length or job.request.is_in_group else PROMPT_SUGGESTIONS.items()
    buttons = [_button(job, f"idea-{each.name}", ButtonAction.USE_SUGGESTION, number) for number, each in suggestions]
    return ProgressContent(_localize(job, question), (*buttons, _cancel_button(job)), requires_attention=True)


def _uncertain_content(job: Job, asked_at: Instant) -> ProgressContent:
    buttons = (
        _button(job, "button-again", ButtonAction.ORDER_AGAIN, asked_at),
        _button(job, "button-leave", ButtonAction.LEAVE_UNCERTAIN, asked_at),
    )
    return ProgressContent(_localize(job, sentence("doubt")), buttons, requires_attention=True)


def _running_content(tx: Transaction, job: Job) -> ProgressContent:
    if job.overdue_at is not None:
        return ProgressContent(_localize(job, sentence("takes-long")))
    return ProgressContent(_localize(job, _with_time("being-edited", _usual_seconds(tx))))


def _ended_content(tx: Transaction, job: Job) -> ProgressContent | None:
    if job.state is State.CANCELLED and job.reason is FailureReason.NO_PROMPT:
        return ProgressContent(_localize(job, sentence("question-over")), is_final=True)
    if job.state is State.CANCELLED:
        name = "cancelled-in-doubt" if tx.attempts.has_uncertain(job.id) else "cancelled-here"
        return ProgressContent(_localize(job, sentence(name)), is_final=True)
    if job.reason is FailureReason.ORDER_UNCERTAIN:
        return ProgressContent(_localize(job, sentence("doubt-left")), is_final=True)
    if job.download_failing_since is not None and job.answering_at is None:
        return ProgressContent(_localize(job, sentence("made-not-fetched")))
    return None  # the answer follows and replaces this message


def _queued_content(tx: Transaction, job: Job, limits: OrderLimits, now: Instant) -> ProgressContent:
    position = tx.fair_queue.get_position(job.id, now) or 1
    usual = _usual_seconds(tx)
    wait = _estimate_wait(position, tx.jobs.count_at_kie(add_seconds(now, -limits.deadline)), limits, usual)
    breakers = tx.circuit_breakers.list_open()
    text = _blocked_text(tx, job, breakers, limits, wait, now)
    if text is not None:
        refresh = BLOCKED_REFRESH_INTERVAL if is_within_budget(tx, limits, now) else HOURLY_REFRESH_INTERVAL
    else:
        name = "got-it" if position <= 1 else "in-the-queue"
        text = _with_time(name, None if usual is None else wait + usual, place=position)
        refresh = NOTICE_AFTER if breakers else max(REFRESH_INTERVAL, wait / 10)  # an outage may end at any moment
    return ProgressContent(_localize(job, text), (_cancel_button(job),), refresh_at=add_seconds(now, refresh))


def _blocked_text(
    tx: Transaction, job: Job, breakers: list[CircuitBreaker], limits: OrderLimits, wait: float, now: Instant
) -> Sentence | None:
    """Return what blocks a job besides the jobs before it; None if nothing does."""
    waited = seconds_between(job.queued_at or now, now)
    lasting = find_lasting_breaker(breakers, now)
    if lasting is not None and waited >= NOTICE_AFTER:
        return describe_outage(lasting, limits)
    # an order in flight is within the budget, even if it is the last one
    if job.state is State.QUEUED and not is_within_budget(tx, limits, now):
        return sentence("waiting-for-tomorrow", time=time_until_tomorrow(now))
    is_outage = any(seconds_between(each.since, now) >= OUTAGE_SHOWN_AFTER for each in breakers)
    if waited >= limits.deadline > wait or (waited >= OUTAGE_SHOWN_AFTER and is_outage):
        return sentence("waiting")
    return None


def _estimate_wait(position: int, at_kie: int, limits: OrderLimits, usual: float | None) -> float:
    """Estimate the seconds until a job is ordered, from the rate limit and the limit on running tasks."""
    by_rate = (position - 1) / (limits.orders_per_window / ORDER_WINDOW)
    to_finish = max(0, at_kie + position - limits.max_running)  # tasks that have to end first
    return max(by_rate, to_finish * (usual or 0.0) / limits.max_running)


def _usual_seconds(tx: Transaction) -> float | None:
    return tx.jobs.median_seconds(USUAL_TIME_SAMPLES, MIN_TIME_SAMPLES)


def _with_time(name: str, seconds: float | None, **values: int) -> Sentence:
    if seconds is None:
        return sentence(name, **values)
    return sentence(f"{name}-with-time", time=approximate_duration(seconds), **values)


def _localize(job: Job, text: Sentence) -> str:
    return text.translate(job.request.language)


def _button(job: Job, label: str, action: ButtonAction, number: int = 0) -> Button:
    return Button(_localize(job, sentence(label)), action, job.id, number)


def _cancel_button(job: Job) -> Button:
    return _button(job, "button-cancel", ButtonAction.CANCEL)


@dataclass(eq=False)
class ProgressMessageSender:
    """The step that sends, edits and deletes progress messages and menus."""

    db: Database
    telegram: TelegramClient
    _: KW_ONLY
    clock: Callable[[], Instant]

    async def run(self, update: ProgressUpdate) -> UnitOfWork:
        """Try once; return the unit of work that stores the result. Raises TelegramApiError."""
        message, content = update.message, update.content
        if content is None:
            if message.message_id is not None:
                with suppress(Rejected):  # the user deleted it, or it is older than 48 hours (Bot API, deleteMessage)
                    await self.telegram.delete_message(message.draft.chat_id, message.message_id)
            return lambda tx: tx.outbox.mark_ended(message.id, DeliveryOutcome.SENT, self.clock())
        try:
            message_id = await self._send_or_edit(message, content)
        except Withdrawn:
            return lambda _: None
        return lambda tx: self._record_shown(tx, message, content, message_id)

    async def _send_or_edit(self, message: OutboxMessage, content: ProgressContent) -> int:
        draft = message.draft
        if message.tries:
            await self.telegram.check_reachable()
            await self.db.transact(lambda tx: _check_unchanged(tx, message))
        if message.message_id is None:
            place = Destination(draft.chat_id, draft.thread_id, draft.reply_to)
            return await self.telegram.send_message(place, content.text, content.buttons)
        await self.telegram.edit_message_text(draft.chat_id, message.message_id, content.text, content.buttons)
        return message.message_id

    def _record_shown(self, tx: Transaction, message: OutboxMessage, content: ProgressContent, message_id: int) -> None:
        now = self.clock()
        if not tx.outbox.exists(message):
            return
        tx.progress_messages.mark_shown(message, content.digest, message_id, now, content.refresh_at)
        if content.is_final and not tx.progress_messages.is_to_be_deleted(message.id):
            tx.outbox.mark_ended(message.id, DeliveryOutcome.SENT, now)


def _check_unchanged(tx: Transaction, message: OutboxMessage) -> None:
    """Raise Withdrawn if the content may be outdated; the message is then due again."""
    if not tx.progress_messages.is_current(message):
        raise Withdrawn
