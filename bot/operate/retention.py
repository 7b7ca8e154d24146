"""Retention: forgets what KEEP_DAYS says must be forgotten, and leaves no trace of what was deleted.

However much that is, it is done in short steps, and after each the disk is left to others for much longer than it took:
nobody waits for it, and whoever has things deleted again and again keeps nothing busy.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum

from bot.job import Instant, day_of, later
from bot.jobs.containment import Containment
from bot.store.batch import BATCH_SIZE
from bot.store.connection import Database
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Seconds between two rounds.
EVERY = 6 * 3600.0

#: Seconds between two rounds while something is only kept until it has ended, and at the least after any; also from the
#: start to the first one: those who have waited for the bot come first.
SOON = 60.0

#: For how many times as long as a step has taken nothing is done after it.
REST = 9.0
#: The same after one that broke off because of a mistake in the bot.
AFTER_A_MISTAKE = 600.0

#: Rounds in vain after which it is worth a word: a backup is done by then.
TOLD_AFTER = 30

DAY = 86_400.0

#: Days for which the id of a handled update is remembered, and what was said about no edit; Telegram redelivers
#: for a day at most.
REMEMBERED_DAYS = 3.0


class Remaining(Enum):
    """What is left to erase."""

    #: what there was no room for in this transaction
    MORE = "more"
    #: what is only kept until it has ended
    UNDER_WAY = "under way"
    NOTHING = "nothing"


def remembered_days(keep_days: float) -> float:
    """Return for how many days it is remembered what was said that belongs to no edit."""
    return min(keep_days, REMEMBERED_DAYS)


class Retention:
    """Erases what belongs to edits that ended long ago, and what nobody needs to remember any more."""

    def __init__(
        self,
        db: Database,
        *,
        keep_days: float,
        admins: Iterable[int],
        clock: Callable[[], Instant],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._keep = keep_days * DAY
        self._remember = remembered_days(keep_days) * DAY
        self._admins = frozenset(admins)
        self._clock = clock
        self._sleep = sleep
        self._containment = Containment(self._admins, clock=clock)
        self._woken = asyncio.Event()
        #: rounds in a row after which traces have stayed
        self._in_vain = 0

    def wake(self) -> None:
        """Say that somebody has had everything deleted that was stored about them."""
        self._woken.set()

    async def run(self) -> None:
        """Erase soon, every few hours, and when woken, until cancelled."""
        await self._sleep(SOON)
        while True:
            self._woken.clear()
            pause = await self._containment.step(self._db, "retention", "", self.round(), lambda _: AFTER_A_MISTAKE)
            await self._sleep(min(pause, SOON))  # whoever deletes again and again must not keep the disk busy
            try:
                async with asyncio.timeout(pause - SOON):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def round(self) -> float:
        """Erase what is too old, and the traces of what was deleted; return the seconds to the next round."""
        left = Remaining.MORE
        while left is Remaining.MORE:
            began = time.monotonic()
            left = await self._db.unit(self.erase)
            await self._rest(time.monotonic() - began)
        is_clean = await self._db.scrub(self._rest)
        self._in_vain = 0 if is_clean else self._in_vain + 1
        if self._in_vain == TOLD_AFTER:
            log.warning(
                "traces of what was deleted have stayed in the database for %.0f minutes: another program has it open",
                TOLD_AFTER * SOON / 60,
            )
        return EVERY if is_clean and left is Remaining.NOTHING else SOON

    async def _rest(self, seconds: float) -> None:
        await self._sleep(seconds * REST)

    def erase(self, tx: Transaction) -> Remaining:
        """Erase a portion of what is too old at this moment, and of what people have had deleted."""
        now = self._clock()
        ended = tx.erasure.ended_before(later(now, -self._keep))
        tx.erasure.forget_requests(ended, now)
        if ended:
            tx.log(log.info, "erased whose %d old edits were, their words and their references to pictures", len(ended))
        are_more = [
            len(ended) == BATCH_SIZE,
            tx.erasure.go_on(now),
            tx.erasure.forget_variations(),
            tx.inbox.forget(later(now, -REMEMBERED_DAYS * DAY), later(now, -self._keep)),
            tx.line.forget(),
            tx.counts.forget(day_of(now) - 1),
            tx.chats.forget_admins(later(now, -EVERY)),
            tx.people.forget_all_but(self._admins),
            tx.menus.forget(later(now, -self._keep)),
            tx.outbox.forget(later(now, -self._remember)),
        ]
        if any(are_more):
            return Remaining.MORE
        return Remaining.UNDER_WAY if tx.erasure.is_under_way() else Remaining.NOTHING
