"""Admins: asks Telegram who administers a group, for the updates that cannot be handled before that is known.

Those updates wait in the inbox. They are handled in any case: whoever cannot be
found out to be an administrator is none.
"""

import logging
from collections.abc import Callable

from bot.chat.client import Chat
from bot.chat.errors import ChatError, Doubtful, Later
from bot.job import Instant, later
from bot.jobs.pauses import pause
from bot.store.connection import Database
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Tries in all: about as long as somebody waits who has pressed a button.
MOST_TRIES = 4


class Admins:
    """The step that finds out who may decide for a group."""

    def __init__(
        self, db: Database, chat: Chat, *, clock: Callable[[], Instant], wake_intake: Callable[[], None]
    ) -> None:
        self._db = db
        self._chat = chat
        self._clock = clock
        #: says that what waited may be handled
        self.wake_intake = wake_intake

    async def run(self, chat_id: int) -> None:
        """Ask once; what waits for the answer is released, unless it is worth another try."""
        try:
            ids = await self._chat.administrators(chat_id)
        except ChatError as error:
            log.info("the administrators of chat %d are not to be had: %s", chat_id, error)
            failure = error
            await self._db.unit(lambda tx: self._failed(tx, chat_id, failure))
        else:
            await self._db.unit(lambda tx: self._known(tx, chat_id, ids))

    def put_off(self, tx: Transaction, chat_id: int) -> None:
        """Release what waits for an answer that nobody will get."""
        self._known(tx, chat_id, frozenset())

    def _failed(self, tx: Transaction, chat_id: int, error: ChatError) -> None:
        tries = tx.chats.admins_tries(chat_id)
        if isinstance(error, Later | Doubtful) and tries + 1 < MOST_TRIES:
            wait = error.retry_after if isinstance(error, Later) else None
            tx.chats.admins_later(chat_id, later(self._clock(), wait or pause(tries)))
        else:
            self._known(tx, chat_id, frozenset())

    def _known(self, tx: Transaction, chat_id: int, ids: frozenset[int]) -> None:
        if tx.inbox.awaits(chat_id):
            tx.chats.admins_known(chat_id, ids, self._clock())
        else:  # who had asked has had everything deleted meanwhile
            tx.chats.admins_not_wanted(chat_id)
        tx.inbox.release(chat_id)
