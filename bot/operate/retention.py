"""Retention: forgets what KEEP_DAYS says must be forgotten, and leaves no trace of what was deleted."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from bot.job import Instant, day_of, later
from bot.jobs.containment import Containment
from bot.store.connection import Database
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Seconds between two rounds.
EVERY = 6 * 3600.0

#: Seconds between two rounds while something is only kept until it has ended, and at the least after any.
SOON = 60.0

#: The same after one that broke off because of a mistake in the bot.
AFTER_A_MISTAKE = 600.0

DAY = 86_400.0

#: Days for which the id of a handled update is remembered, and what was said about no edit; Telegram redelivers
#: for a day at most.
REMEMBERED_DAYS = 3.0


def remembered_days(keep_days: float) -> float:
    """Return for how many days it is remembered what was said that belongs to no edit."""
    return min(keep_days, REMEMBERED_DAYS)


class Retention:
    """Erases what belongs to edits that ended long ago, and what nobody needs to remember any more."""

    def __init__(self, db: Database, *, keep_days: float, admins: Iterable[int], clock: Callable[[], Instant]) -> None:
        self._db = db
        self._keep = keep_days * DAY
        self._remember = remembered_days(keep_days) * DAY
        self._admins = frozenset(admins)
        self._clock = clock
        self._containment = Containment(self._admins, clock=clock)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that somebody has had everything deleted that was stored about them."""
        self._woken.set()

    async def run(self) -> None:
        """Erase now, every few hours, and when woken, until cancelled."""
        while True:
            self._woken.clear()
            pause = await self._containment.step(self._db, "retention", "", self.round(), lambda _: AFTER_A_MISTAKE)
            await asyncio.sleep(min(pause, SOON))  # whoever deletes again and again must not keep the disk busy
            try:
                async with asyncio.timeout(pause - SOON):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def round(self) -> float:
        """Erase what is too old, and the traces of what was deleted; return the seconds to the next round."""
        is_under_way = await self._db.unit(self.erase)
        is_clean = await self._db.scrub()
        return EVERY if is_clean and not is_under_way else SOON

    def erase(self, tx: Transaction) -> bool:
        """Erase what is too old at this moment; True if something else is kept only until it has ended."""
        now = self._clock()
        ended = tx.erasure.ended_before(later(now, -self._keep))
        tx.erasure.forget_requests(ended, now)
        tx.inbox.forget(later(now, -REMEMBERED_DAYS * DAY), later(now, -self._keep))
        tx.line.forget()
        tx.counts.forget(day_of(now) - 1)
        tx.chats.forget_admins(later(now, -EVERY))
        tx.people.forget_all_but(self._admins)
        tx.menus.forget(later(now, -self._keep))
        tx.outbox.forget(later(now, -self._remember))
        if ended:
            tx.log(log.info, "erased whose %d old edits were, their words and their references to pictures", len(ended))
        return tx.erasure.is_under_way()
