"""Send: hands one thing from the outbox over to Telegram, and says what is to be written down about it.

Telegram has no key that would make a repeated send harmless. A crash between
the send and the commit makes the message come twice: that window is the only
one, and for a picture it is marked by `answering_at`.
"""

from collections.abc import Callable, Mapping

from bot.chat.buttons import Action, Button
from bot.chat.client import Chat, Place
from bot.job import Instant, Job, seconds_between
from bot.jobs.deliver import Deliver
from bot.jobs.report import Report
from bot.jobs.withdrawal import Withdrawn, confirm_wanted
from bot.store.connection import Database, Work
from bot.store.outbox import Ending, Kind, Parcel
from bot.store.transaction import Transaction
from bot.texts import sentence

#: Seconds after which a reaction tells nobody anything: what it waited behind is in the chat.
SIGN_EXPIRES = 30.0

#: The button under what is said in place of a picture or a file, and its label.
TO_FETCH: Mapping[Kind, tuple[Action, str]] = {
    Kind.PICTURE: (Action.FETCH, "button-fetch"),
    Kind.FILE: (Action.ORIGINAL, "button-original"),
}


class Send:
    """The step that takes a parcel out of the outbox."""

    def __init__(
        self, db: Database, chat: Chat, deliver: Deliver, report: Report, *, clock: Callable[[], Instant]
    ) -> None:
        self._db = db
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
        try:
            if parcel.tries:
                await self._chat.confirm_well()
                await confirm_wanted(self._db, parcel)
            message_id = await self._hand_over(parcel)
        except Withdrawn:
            return lambda _: None
        return lambda tx: self._sent(tx, parcel, message_id)

    async def _hand_over(self, parcel: Parcel) -> int | None:
        say = parcel.say
        place = Place(say.chat_id, say.thread_id, say.reply_to)
        match say.kind:
            case Kind.TEXT:
                return await self._chat.say(place, say.body, _to_fetch(parcel))
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
                return await self._report.run(say.body, place, lambda: confirm_wanted(self._db, parcel))
            case _:
                return await self._deliver.run(parcel, place)

    def _sent(self, tx: Transaction, parcel: Parcel, message_id: int | None) -> None:
        now = self._clock()
        if not tx.outbox.knows(parcel):  # it was under way when everything of its person was deleted
            if message_id is not None and not parcel.say.is_last:
                tx.outbox.take_back(parcel, message_id, now)
            return
        job = _job_of_picture(tx, parcel)
        if job is None or job.answer_deleted_at is None or message_id is None:
            tx.sent(parcel, message_id, now)
        else:  # it was under way when the answer was deleted
            tx.outbox.sent(parcel, message_id, now)
            tx.outbox.delete_message(job.id, parcel.say.chat_id, message_id, now)


def _to_fetch(parcel: Parcel) -> tuple[Button, ...]:
    """Return the button that fetches what did not come, as long as it is known where it is."""
    job = parcel.job
    if parcel.instead_of is None or job is None or job.result_url is None:
        return ()
    action, label = TO_FETCH[parcel.instead_of]
    return (Button(sentence(label).into(job.request.language), action, job.id),)


def _job_of_picture(tx: Transaction, parcel: Parcel) -> Job | None:
    is_picture = parcel.say.kind in (Kind.PICTURE, Kind.FILE)
    return tx.jobs.get(parcel.say.job_id) if is_picture and parcel.say.job_id is not None else None
