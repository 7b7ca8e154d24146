"""Retention: forgets what KEEP_DAYS says must be forgotten, and leaves no trace of what was deleted.

However much that is, it is done in short steps, and after each the disk is left to others for much longer than it took:
nobody waits for it, and whoever has things deleted again and again keeps nothing busy.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum

from bot.clock import Instant, add_seconds, utc_day
from bot.pipeline.error_containment import ErrorContainment
from bot.store.database import Database
from bot.store.table import DELETE_BATCH_SIZE
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: Seconds between two rounds.
ROUND_INTERVAL = 6 * 3600.0

#: Seconds between two rounds while something is only kept until it has ended, and at the least after any; also from the
#: start to the first one: those who have waited for the bot come first.
SHORT_ROUND_INTERVAL = 60.0

#: For how many times as long as a step has taken nothing is done after it.
REST_FACTOR = 9.0
#: The same after one that broke off because of a mistake in the bot.
REST_AFTER_ERROR = 600.0

#: Rounds in vain after which it is worth a word: a backup is done by then.
WARN_AFTER_ROUNDS = 30

DAY_SECONDS = 86_400.0

#: Days for which the id of a handled update is remembered, and what was said about no edit; Telegram redelivers
#: for a day at most.
MESSAGE_RETENTION_DAYS = 3.0


class Remaining(Enum):
    """What is left to erase."""

    #: what there was no room for in this transaction
    MORE = "more"
    #: what is only kept until it has ended
    UNDER_WAY = "under way"
    NOTHING = "nothing"


def message_retention_days(keep_days: float) -> float:
    """Return for how many days it is remembered what was said that belongs to no edit."""
    return min(keep_days, MESSAGE_RETENTION_DAYS)


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
        self._keep = keep_days * DAY_SECONDS
        self._remember = message_retention_days(keep_days) * DAY_SECONDS
        self._admins = frozenset(admins)
        self._clock = clock
        self._sleep = sleep
        self._containment = ErrorContainment(self._admins, clock=clock)
        self._woken = asyncio.Event()
        #: rounds in a row after which traces have stayed
        self._unclean_rounds = 0

    def wake(self) -> None:
        """Say that somebody has had everything deleted that was stored about them."""
        self._woken.set()

    async def run(self) -> None:
        """Erase soon, every few hours, and when woken, until cancelled."""
        await self._sleep(SHORT_ROUND_INTERVAL)
        while True:
            self._woken.clear()
            pause = await self._containment.run_step(
                self._db, "retention", "", self.run_once(), lambda _: REST_AFTER_ERROR
            )
            await self._sleep(
                min(pause, SHORT_ROUND_INTERVAL)
            )  # whoever deletes again and again must not keep the disk busy
            try:
                async with asyncio.timeout(pause - SHORT_ROUND_INTERVAL):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def run_once(self) -> float:
        """Erase what is too old, and the traces of what was deleted; return the seconds to the next round."""
        left = Remaining.MORE
        while left is Remaining.MORE:
            began = time.monotonic()
            left = await self._db.transact(self.erase_batch)
            await self._rest(time.monotonic() - began)
        is_clean = await self._db.scrub(self._rest)
        self._unclean_rounds = 0 if is_clean else self._unclean_rounds + 1
        if self._unclean_rounds == WARN_AFTER_ROUNDS:
            log.warning(
                "traces of what was deleted have stayed in the database for %.0f minutes: another program has it open",
                WARN_AFTER_ROUNDS * SHORT_ROUND_INTERVAL / 60,
            )
        return ROUND_INTERVAL if is_clean and left is Remaining.NOTHING else SHORT_ROUND_INTERVAL

    async def _rest(self, seconds: float) -> None:
        await self._sleep(seconds * REST_FACTOR)

    def erase_batch(self, tx: Transaction) -> Remaining:
        """Erase a portion of what is too old at this moment, and of what people have had deleted."""
        now = self._clock()
        ended = tx.erasure.list_ended_before(add_seconds(now, -self._keep))
        tx.erasure.erase_requests(ended, now)
        if ended:
            tx.log(log.info, "erased whose %d old edits were, their words and their references to pictures", len(ended))
        are_more = [
            len(ended) == DELETE_BATCH_SIZE,
            tx.erasure.continue_erasure(now),
            tx.erasure.erase_variations(),
            tx.inbox.delete_handled(
                add_seconds(now, -MESSAGE_RETENTION_DAYS * DAY_SECONDS), add_seconds(now, -self._keep)
            ),
            tx.fair_queue.delete_stale_lanes(),
            tx.daily_usage.delete_before(utc_day(now) - 1),
            tx.chats.delete_old_admins(add_seconds(now, -ROUND_INTERVAL)),
            tx.users.delete_all_except(self._admins),
            tx.menus.delete_expired(add_seconds(now, -self._keep)),
            tx.outbox.delete_ended(add_seconds(now, -self._remember)),
        ]
        if any(are_more):
            return Remaining.MORE
        return Remaining.UNDER_WAY if tx.erasure.has_pending() else Remaining.NOTHING
