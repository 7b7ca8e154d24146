"""Group administrators: ask Telegram for them when an update cannot be handled without knowing them.

Such updates are held in the inbox and always released in the end. If Telegram does not answer, nobody counts as an
administrator.
"""

import logging
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from bot.backoff import backoff
from bot.clock import Instant, add_seconds
from bot.store.database import Database, Transaction
from bot.telegram.client import TelegramClient
from bot.telegram.errors import DeliveryUncertain, RetryableError, TelegramApiError

log = logging.getLogger(__name__)

#: With backoff, about as long as a user waits after pressing a button.
MAX_TRIES = 4


@dataclass(eq=False)
class GroupAdminFinder:
    """The step that looks up the administrators of a group."""

    db: Database
    telegram: TelegramClient
    _: KW_ONLY
    clock: Callable[[], Instant]
    #: called when held updates may have been released
    wake_dispatcher: Callable[[], None]

    async def run(self, chat_id: int) -> None:
        """Ask once; then release the held updates, unless another try may help."""
        try:
            ids = await self.telegram.get_administrators(chat_id)
        except TelegramApiError as error:
            log.info("chat %d: no list of administrators: %s", chat_id, error)
            failure = error
            await self.db.transact(lambda tx: self._record_failure(tx, chat_id, failure))
        else:
            await self.db.transact(lambda tx: self._record_admins(tx, chat_id, ids))

    def postpone(self, tx: Transaction, chat_id: int) -> None:
        """Release the held updates after a lookup that failed unexpectedly."""
        self._record_admins(tx, chat_id, frozenset())

    def _record_failure(self, tx: Transaction, chat_id: int, error: TelegramApiError) -> None:
        tries = tx.chats.get_admins_tries(chat_id)
        if isinstance(error, RetryableError | DeliveryUncertain) and tries + 1 < MAX_TRIES:
            wait = error.retry_after if isinstance(error, RetryableError) else None
            tx.chats.postpone_admins(chat_id, add_seconds(self.clock(), wait or backoff(tries)))
        else:
            self._record_admins(tx, chat_id, frozenset())

    def _record_admins(self, tx: Transaction, chat_id: int, ids: frozenset[int]) -> None:
        if tx.inbox.has_held(chat_id):
            tx.chats.set_admins(chat_id, ids, self.clock())
        else:  # the user who caused the lookup has deleted everything meanwhile
            tx.chats.cancel_admins_request(chat_id)
        tx.inbox.release_held(chat_id)
