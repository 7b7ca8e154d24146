"""Retention: erases what is older than KEEP_DAYS, and overwrites what deleted rows leave in the file.

It works in short steps and pauses after each for much longer than the step took, so that nobody waits for the disk.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from enum import Enum

from bot.clock import Instant, add_seconds, utc_day
from bot.i18n import Sentence, sentence
from bot.kie.models import RECORD_RETENTION_MONTHS, RESULT_RETENTION_DAYS, UPLOAD_RETENTION_DAYS
from bot.pipeline.error_containment import ErrorContainment
from bot.settings import Settings
from bot.store.base_table import DELETE_BATCH_SIZE
from bot.store.database import Database, Transaction

log = logging.getLogger(__name__)

#: Seconds between two rounds.
ROUND_INTERVAL = 6 * 3600.0

#: The shortest interval between two rounds, for when something remains to be erased. Also the delay of the first round,
#: so that users who have waited for the bot come first.
SHORT_ROUND_INTERVAL = 60.0

#: The pause after a step, as a multiple of the time that the step took.
REST_FACTOR = 9.0

#: Seconds to pause after a round that failed because of a bug.
REST_AFTER_ERROR = 600.0

#: Failed rounds of overwriting after which a warning is logged; a backup has finished by then.
WARN_AFTER_ROUNDS = 30

DAY_SECONDS = 86_400.0

#: Days for which ids of handled updates and messages without an edit are kept; Telegram redelivers for at most a day.
MESSAGE_RETENTION_DAYS = 3.0


class Remaining(Enum):
    """What is left to erase."""

    #: more than fits into one transaction
    MORE = "more"
    #: data of unfinished edits, to be erased when those end
    UNDER_WAY = "under way"
    NOTHING = "nothing"


def message_retention_days(keep_days: float) -> float:
    """Return for how many days messages that belong to no edit are kept."""
    return min(keep_days, MESSAGE_RETENTION_DAYS)


class Retention:
    """Erases the data of old edits, and whatever else is no longer needed."""

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
        #: consecutive rounds that could not overwrite everything
        self._unclean_rounds = 0

    def wake(self) -> None:
        """Start a round soon, because a user has deleted their data."""
        self._woken.set()

    async def run(self) -> None:
        """Erase soon after startup, every few hours, and when woken, until cancelled."""
        await self._sleep(SHORT_ROUND_INTERVAL)
        while True:
            self._woken.clear()
            pause = await self._containment.run_step(
                self._db, "retention", "", self.run_once(), lambda _: REST_AFTER_ERROR
            )
            # repeated deletions must not keep the disk busy
            await self._sleep(min(pause, SHORT_ROUND_INTERVAL))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause - SHORT_ROUND_INTERVAL):
                    await self._woken.wait()

    async def run_once(self) -> float:
        """Erase what is too old, overwrite what was deleted, and return the seconds until the next round."""
        left = Remaining.MORE
        while left is Remaining.MORE:
            began = time.monotonic()
            left = await self._db.transact(self.erase_batch)
            await self._rest(time.monotonic() - began)
        is_clean = await self._db.scrub(self._rest)
        self._unclean_rounds = 0 if is_clean else self._unclean_rounds + 1
        if self._unclean_rounds == WARN_AFTER_ROUNDS:
            log.warning(
                "traces of deleted data have stayed in the database for %.0f minutes: another program has it open",
                WARN_AFTER_ROUNDS * SHORT_ROUND_INTERVAL / 60,
            )
        return ROUND_INTERVAL if is_clean and left is Remaining.NOTHING else SHORT_ROUND_INTERVAL

    async def _rest(self, seconds: float) -> None:
        await self._sleep(seconds * REST_FACTOR)

    def erase_batch(self, tx: Transaction) -> Remaining:
        """Erase one batch of what is too old or was deleted by its user, and return what remains."""
        now = self._clock()
        ended = tx.erasure.list_ended_before(add_seconds(now, -self._keep))
        tx.erasure.erase_requests(ended, now)
        if ended:
            tx.log(log.info, "erased the owners, prompts and image references of %d old edits", len(ended))
        has_more = [
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
        if any(has_more):
            return Remaining.MORE
        return Remaining.UNDER_WAY if tx.erasure.has_pending() else Remaining.NOTHING


def build_privacy_notice(settings: Settings) -> Sentence:
    """Return who receives an image, in which form, and who keeps what for how long."""
    return sentence(
        "privacy",
        transport=settings.image_transport,
        days=settings.keep_days,
        messages=message_retention_days(settings.keep_days),
        uploads=UPLOAD_RETENTION_DAYS,
        results=RESULT_RETENTION_DAYS,
        records=RECORD_RETENTION_MONTHS,
    )
