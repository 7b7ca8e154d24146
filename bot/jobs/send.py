"""Send: hands one thing from the outbox over to Telegram, and says what is to be written down about it.

Telegram has no key that would make a repeated send harmless. A crash between
the send and the commit makes the message come twice: that window is the only
one, and for a picture it is marked by `answering_at`.
"""

from collections.abc import Callable

from bot.chat.client import Chat, Place
from bot.job import Instant, Job, seconds_between
from bot.jobs.deliver import Deliver
from bot.jobs.report import Report
from bot.store import chronicle
from bot.store.connection import Work
from bot.store.outbox import Ending, Kind, Parcel
from bot.store.statuses import Sign
from bot.store.transaction import Transaction

#: Seconds after which a reaction tells nobody anything: what it waited behind is in the chat.
SIGN_EXPIRES = 30.0


class Send:
    """The step that takes a parcel out of the outbox."""

    def __init__(self, chat: Chat, deliver: Deliver, report: Report, *, clock: Callable[[], Instant]) -> None:
        self._chat = chat
        self._deliver = deliver
        self._report = report
        self._clock = clock

    async def run(self, parcel: Parcel) -> Work:
        """Send it once; return what is to be written about it.

        Raises a ChatError, a FetchError or Undeliverable when that did not work.
        """
        if parcel.say.kind is Kind.REACTION and seconds_between(parcel.written_at, self._clock()) > SIGN_EXPIRES:
            return lambda tx: tx.outbox.ended(parcel.id, Ending.EXPIRED, self._clock())
        if parcel.tries:
            await self._chat.confirm_well()
        message_id = await self._hand_over(parcel)
        return lambda tx: self._sent(tx, parcel, message_id)

    async def _hand_over(self, parcel: Parcel) -> int | None:
        say = parcel.say
        place = Place(say.chat_id, say.thread_id, say.reply_to)
        match say.kind:
            case Kind.TEXT:
                return await self._chat.say(place, say.body)
            case Kind.REACTION:
                await self._chat.react(say.chat_id, say.reply_to or 0, say.body)
                return None
            case Kind.TOAST:
                await self._chat.answer_press(say.press_id or "", say.body)
                return None
            case Kind.DELETION:
                await self._chat.delete(say.chat_id, say.reply_to or 0)
                return None
            case Kind.FIGURES:
                return await self._report.run(say.body, place)
            case _:
                return await self._deliver.run(parcel, place)

    def _sent(self, tx: Transaction, parcel: Parcel, message_id: int | None) -> None:
        now = self._clock()
        tx.outbox.sent(parcel, message_id, now)
        job = tx.jobs.get(parcel.say.job_id) if parcel.say.is_answer and parcel.say.job_id is not None else None
        if job is not None and tx.jobs.note(job, answered_at=now):
            _end_status(tx, job, message_id, now)
            tx.statuses.sign(job, Sign.DONE if parcel.say.kind is Kind.PICTURE else Sign.NOT_DONE, now)
            tx.facts.append(chronicle.answered(job, now))


def _end_status(tx: Transaction, job: Job, answer_id: int | None, now: Instant) -> None:
    """Let the status message go, unless it has become the answer."""
    status = tx.statuses.of(job.id)
    if status is not None and status.message_id == answer_id:
        tx.outbox.ended(status.id, Ending.SENT, now)
    else:
        tx.statuses.over(job.id, now)
