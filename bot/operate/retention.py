"""Retention: forgets what KEEP_DAYS says must be forgotten."""

import asyncio
import logging
from collections.abc import Callable

from bot.job import Instant, day_of, later
from bot.store.connection import Database
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Seconds between two rounds.
EVERY = 6 * 3600.0

#: Seconds for which the id of a handled update is remembered; Telegram redelivers for a day at most.
REMEMBER_UPDATES = 3 * 86_400.0

DAY = 86_400.0


class Retention:
    """Erases prompts and picture references of jobs that ended long ago, and what was said about nothing."""

    def __init__(self, db: Database, *, keep_days: float, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._keep = keep_days * DAY
        self._clock = clock

    async def run(self) -> None:
        """Erase now and every few hours, until cancelled."""
        while True:
            await self._db.unit(self.erase)
            await asyncio.sleep(EVERY)

    def erase(self, tx: Transaction) -> None:
        """Erase what is too old at this moment."""
        now = self._clock()
        erased = tx.jobs.erase(later(now, -self._keep), now)
        tx.inbox.forget(later(now, -REMEMBER_UPDATES), later(now, -self._keep))
        tx.line.forget()
        tx.counts.forget(day_of(now) - 1)
        tx.chats.forget_admins(later(now, -EVERY))
        tx.outbox.forget(later(now, -min(self._keep, REMEMBER_UPDATES)))
        if erased:
            log.info("erased the prompts and picture references of %d old jobs", erased)
