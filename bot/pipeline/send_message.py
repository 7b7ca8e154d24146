"""Send: hands one thing from the outbox over to Telegram, and says what is to be written down about it.

Telegram has no key that would make a repeated send harmless. A crash between
the send and the commit makes the message come twice: that window is the only
one, and for a picture it is marked by `answering_at`.
"""

from collections.abc import Callable, Mapping

from bot.clock import Instant, seconds_between
from bot.i18n import sentence
from bot.job import Job
from bot.pipeline.deliver_image import ImageDeliverer
from bot.pipeline.finish_job import Withdrawn, confirm_still_wanted
from bot.stats.report import StatsReport
from bot.store.database import Database, UnitOfWork
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxMessage
from bot.store.transaction import Transaction
from bot.telegram.buttons import Button, ButtonAction
from bot.telegram.client import Destination, TelegramClient

#: Seconds after which a reaction tells nobody anything: what it waited behind is in the chat.
REACTION_EXPIRES_AFTER = 30.0

#: The button under what is said in place of a picture or a file, and its label.
FETCH_BUTTONS: Mapping[MessageKind, tuple[ButtonAction, str]] = {
    MessageKind.IMAGE: (ButtonAction.FETCH_RESULT, "button-fetch"),
    MessageKind.FILE: (ButtonAction.SEND_ORIGINAL, "button-original"),
}


class MessageSender:
    """The step that takes a parcel out of the outbox."""

    def __init__(
        self,
        db: Database,
        chat: TelegramClient,
        deliver: ImageDeliverer,
        report: StatsReport,
        *,
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._chat = chat
        self._image_deliverer = deliver
        self._stats_report = report
        self._clock = clock

    async def run(self, parcel: OutboxMessage) -> UnitOfWork:
        """Send it once; return what is to be written about it.

        Raises a ChatError, a FetchError or Undeliverable when that did not work.
        """
        if (
            parcel.draft.kind is MessageKind.REACTION
            and seconds_between(parcel.written_at, self._clock()) > REACTION_EXPIRES_AFTER
        ):
            return lambda tx: tx.outbox.mark_ended(parcel.id, DeliveryOutcome.EXPIRED, self._clock())
        try:
            if parcel.tries:
                await self._chat.check_reachable()
                await confirm_still_wanted(self._db, parcel)
            message_id = await self._send(parcel)
        except Withdrawn:
            return lambda _: None
        return lambda tx: self._record_sent(tx, parcel, message_id)

    async def _send(self, parcel: OutboxMessage) -> int | None:
        say = parcel.draft
        place = Destination(say.chat_id, say.thread_id, say.reply_to)
        match say.kind:
            case MessageKind.TEXT:
                return await self._chat.send_message(place, say.body, _fetch_buttons(parcel))
            case MessageKind.REACTION:
                await self._chat.set_reaction(say.chat_id, say.reply_to or 0, say.body)
                return None
            case MessageKind.CALLBACK_ANSWER:
                await self._chat.answer_callback_query(say.callback_query_id or "", say.body)
                return None
            case MessageKind.DELETION:
                await self._chat.delete_message(say.chat_id, say.reply_to or 0)
                return None
            case MessageKind.STATS_CHART:
                return await self._stats_report.run(say.body, place, lambda: confirm_still_wanted(self._db, parcel))
            case _:
                return await self._image_deliverer.run(parcel, place)

    def _record_sent(self, tx: Transaction, parcel: OutboxMessage, message_id: int | None) -> None:
        now = self._clock()
        if not tx.outbox.exists(parcel):  # it was under way when everything of its person was deleted
            if message_id is not None and not parcel.draft.is_ephemeral:
                tx.outbox.queue_untracked_deletion(parcel, message_id, now)
            return
        job = _job_of_image(tx, parcel)
        if job is None or job.answer_deleted_at is None or message_id is None:
            tx.mark_sent(parcel, message_id, now)
        else:  # it was under way when the answer was deleted
            tx.outbox.mark_sent(parcel, message_id, now)
            tx.outbox.queue_deletion(job.id, parcel.draft.chat_id, message_id, now)


def _fetch_buttons(parcel: OutboxMessage) -> tuple[Button, ...]:
    """Return the button that fetches what did not come, as long as it is known where it is."""
    job = parcel.job
    if parcel.replaces is None or job is None or job.result_url is None:
        return ()
    action, label = FETCH_BUTTONS[parcel.replaces]
    return (Button(sentence(label).translate(job.request.language), action, job.id),)


def _job_of_image(tx: Transaction, parcel: OutboxMessage) -> Job | None:
    is_picture = parcel.draft.kind in (MessageKind.IMAGE, MessageKind.FILE)
    return tx.jobs.get(parcel.draft.job_id) if is_picture and parcel.draft.job_id is not None else None
