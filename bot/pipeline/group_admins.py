"""Admins: asks Telegram who administers a group, for the updates that cannot be handled before that is known.

Those updates wait in the inbox. They are handled in any case: whoever cannot be
found out to be an administrator is none.
"""

import logging
from collections.abc import Callable

from bot.clock import Instant, add_seconds, backoff
from bot.store.database import Database
from bot.store.transaction import Transaction
from bot.telegram.client import TelegramClient
from bot.telegram.errors import DeliveryUncertain, RetryableError, TelegramApiError

log = logging.getLogger(__name__)

#: Tries in all: about as long as somebody waits who has pressed a button.
MAX_TRIES = 4


class GroupAdminFinder:
    """The step that finds out who may decide for a group."""

    def __init__(
        self, db: Database, chat: TelegramClient, *, clock: Callable[[], Instant], wake_intake: Callable[[], None]
    ) -> None:
        self._db = db
        self._chat = chat
        self._clock = clock
        #: says that what waited may be handled
        self.wake_dispatcher = wake_intake

    async def run(self, chat_id: int) -> None:
        """Ask once; what waits for the answer is released, unless it is worth another try."""
        try:
            ids = await self._chat.get_administrators(chat_id)
        except TelegramApiError as error:
            log.info("the administrators of chat %d are not to be had: %s", chat_id, error)
            failure = error
            await self._db.transact(lambda tx: self._record_failure(tx, chat_id, failure))
        else:
            await self._db.transact(lambda tx: self._record_admins(tx, chat_id, ids))

    def postpone(self, tx: Transaction, chat_id: int) -> None:
        """Release what waits for an answer that nobody will get."""
        self._record_admins(tx, chat_id, frozenset())

    def _record_failure(self, tx: Transaction, chat_id: int, error: TelegramApiError) -> None:
        tries = tx.chats.get_admins_tries(chat_id)
        if isinstance(error, RetryableError | DeliveryUncertain) and tries + 1 < MAX_TRIES:
            wait = error.retry_after if isinstance(error, RetryableError) else None
            tx.chats.postpone_admins(chat_id, add_seconds(self._clock(), wait or backoff(tries)))
        else:
            self._record_admins(tx, chat_id, frozenset())

    def _record_admins(self, tx: Transaction, chat_id: int, ids: frozenset[int]) -> None:
        if tx.inbox.has_held(chat_id):
            tx.chats.set_admins(chat_id, ids, self._clock())
        else:  # who had asked has had everything deleted meanwhile
            tx.chats.cancel_admins_request(chat_id)
        tx.inbox.release_held(chat_id)
