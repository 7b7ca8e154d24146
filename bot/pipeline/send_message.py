"""Send a message from the outbox, and return the unit of work that stores the result.

Delivery is at-least-once: Telegram has no idempotency key, so if the bot dies between a send and its commit, the
message is sent again. For an answer with an image, `answering_at` marks this window.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from bot import job_operations
from bot.clock import Instant, seconds_between
from bot.i18n import sentence
from bot.pipeline.deliver_image import ImageDeliverer
from bot.pipeline.finish_job import Withdrawn, confirm_still_wanted
from bot.stats.report import StatsReport
from bot.store.database import Database, Transaction, UnitOfWork
from bot.store.outbox import RESULT_KINDS, DeliveryOutcome, MessageKind, OutboxMessage
from bot.telegram.buttons import Button, ButtonAction
from bot.telegram.client import Destination, TelegramClient

#: Seconds after which a reaction is dropped, because the messages that it waited for already say the same.
REACTION_EXPIRES_AFTER = 30.0

#: The button under a text that replaces an image or a file: its action and label.
FETCH_BUTTONS = {
    MessageKind.IMAGE: (ButtonAction.FETCH_RESULT, "button-fetch"),
    MessageKind.FILE: (ButtonAction.SEND_ORIGINAL, "button-original"),
}


@dataclass(eq=False)
class MessageSender:
    """The step that sends every kind of message but progress messages and menus."""

    db: Database
    telegram: TelegramClient
    deliverer: ImageDeliverer
    stats_report: StatsReport
    _: KW_ONLY
    clock: Callable[[], Instant]

    async def run(self, message: OutboxMessage) -> UnitOfWork:
        """Try once; return the unit of work that stores the result.

        Raises TelegramApiError, and what `ImageDeliverer.run` raises.
        """
        age = seconds_between(message.written_at, self.clock())
        if message.draft.kind is MessageKind.REACTION and age > REACTION_EXPIRES_AFTER:
            return lambda tx: tx.outbox.mark_ended(message.id, DeliveryOutcome.EXPIRED, self.clock())
        try:
            if message.tries:
                await self.telegram.check_reachable()
                await confirm_still_wanted(self.db, message)
            message_id = await self._send(message)
        except Withdrawn:
            return lambda _: None
        return lambda tx: _record_sent(tx, message, message_id, self.clock())

    async def _send(self, message: OutboxMessage) -> int | None:
        draft = message.draft
        place = Destination(draft.chat_id, draft.thread_id, draft.reply_to)
        match draft.kind:
            case MessageKind.TEXT:
                return await self.telegram.send_message(place, draft.body, _fetch_buttons(message))
            case MessageKind.REACTION:
                await self.telegram.set_reaction(draft.chat_id, draft.reply_to or 0, draft.body)
            case MessageKind.CALLBACK_ANSWER:
                await self.telegram.answer_callback_query(draft.callback_query_id or "", draft.body)
            case MessageKind.DELETION:
                await self.telegram.delete_message(draft.chat_id, draft.reply_to or 0)
            case MessageKind.STATS_CHART:
                return await self.stats_report.run(draft.body, place, lambda: confirm_still_wanted(self.db, message))
            case _:
                return await self.deliverer.run(message, place)
        return None


def _record_sent(tx: Transaction, message: OutboxMessage, message_id: int | None, now: Instant) -> None:
    draft = message.draft
    if not tx.outbox.exists(message):  # the user deleted everything meanwhile
        if message_id is not None and not draft.is_ephemeral:
            tx.outbox.queue_untracked_deletion(message, message_id, now)
        return
    is_image = draft.kind in RESULT_KINDS
    job = tx.jobs.get(draft.job_id) if is_image and draft.job_id is not None else None
    if job is None or job.answer_deleted_at is None or message_id is None:
        job_operations.mark_sent(tx, message, message_id, now)
    else:  # the answer was deleted meanwhile
        tx.outbox.mark_sent(message, message_id, now)
        tx.outbox.queue_deletion(job.id, draft.chat_id, message_id, now)


def _fetch_buttons(message: OutboxMessage) -> tuple[Button, ...]:
    """Return the button that fetches what this text replaces, if it may still be available."""
    job = message.job
    if message.replaces is None or job is None or job.result_url is None:
        return ()
    action, label = FETCH_BUTTONS[message.replaces]
    return (Button(sentence(label).translate(job.request.language), action, job.id),)
