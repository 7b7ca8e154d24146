"""Tell: brings the message of a status to what it has to show, or takes it away.

A change, or a deletion, may be repeated without harm. Only the first sending may
not: like any other message it comes twice when the process dies right after it.
"""

from collections.abc import Callable
from contextlib import suppress

from bot.chat.client import Chat, Place
from bot.chat.errors import Rejected
from bot.job import Instant
from bot.jobs.status import Errand, Showing
from bot.jobs.withdrawal import Withdrawn
from bot.store.connection import Database, Work
from bot.store.outbox import Ending, Parcel
from bot.store.transaction import Transaction


class Tell:
    """The step that looks after the statuses."""

    def __init__(self, db: Database, chat: Chat, *, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._chat = chat
        self._clock = clock

    async def run(self, errand: Errand) -> Work:
        """Do it once; return what is to be written about it. Raises a ChatError when that did not work."""
        status, showing = errand.status, errand.showing
        if showing is None:
            if status.message_id is not None:
                await self._take_away(status.say.chat_id, status.message_id)
            return lambda tx: tx.outbox.ended(status.id, Ending.SENT, self._clock())
        try:
            message_id = await self._show(status, showing)
        except Withdrawn:
            return lambda _: None
        return lambda tx: self._shown(tx, status, showing, message_id)

    async def _show(self, status: Parcel, showing: Showing) -> int:
        say = status.say
        if status.tries:
            await self._chat.confirm_well()
            await self._db.unit(lambda tx: _check_unchanged(tx, status))
        if status.message_id is None:
            place = Place(say.chat_id, say.thread_id, say.reply_to)
            return await self._chat.say(place, showing.text, showing.buttons)
        await self._chat.reword(say.chat_id, status.message_id, showing.text, showing.buttons)
        return status.message_id

    def _shown(self, tx: Transaction, status: Parcel, showing: Showing, message_id: int) -> None:
        now = self._clock()
        if not tx.outbox.knows(status):
            return
        tx.statuses.shown(status, showing.digest, message_id, now, showing.look_at)
        if showing.is_last and not tx.statuses.is_over(status.id):  # else it still has to be deleted
            tx.outbox.ended(status.id, Ending.SENT, now)

    async def _take_away(self, chat_id: int, message_id: int) -> None:
        with suppress(Rejected):  # it is gone, or older than the two days for which a bot may delete
            await self._chat.delete(chat_id, message_id)


def _check_unchanged(tx: Transaction, status: Parcel) -> None:
    """Raise Withdrawn where something else is to be shown by now, or nothing: the row is due, and says what."""
    if not tx.statuses.is_unchanged(status):
        raise Withdrawn
