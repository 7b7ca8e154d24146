"""The long poll: lets Telegram's updates in.

What concerns us is committed to the inbox before the next question confirms it
to Telegram, so an update is in at least one of the two places at any instant.
An update that cannot be understood is kept like any other: intake sets it
aside, and nothing behind it waits.
"""

import asyncio
import json
import logging
import math
from collections.abc import Callable
from typing import Any

from bot.chat.errors import ChatError, Later, Rival, WrongToken
from bot.chat.updates import OVERDUE, Updates
from bot.job import Instant
from bot.settings import CannotRun, MustRestart
from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.store.transaction import Transaction
from bot.talk.address import Address

log = logging.getLogger(__name__)

#: Seconds for which another poller is put up with: a predecessor that is shutting down, say.
RIVAL_PATIENCE = 60.0

LONGEST_PAUSE = 30.0

#: Seconds for what else has to be done between two questions: storing, above all.
GRACE = 60.0

WRONG_TOKEN = "TELEGRAM_BOT_TOKEN is not known to Telegram: copy the token from @BotFather again"  # noqa: S105 - words
RIVAL = (
    "another program receives the updates of this bot (409 Conflict for {patience:.0f} s): "
    "stop it, or give this one a bot of its own"
)


class Poll:
    """Asks for updates, stores them, and asks on."""

    def __init__(
        self,
        db: Database,
        updates: Updates,
        address: Address,
        *,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
        wake_intake: Callable[[], None],
        rival_patience: float = RIVAL_PATIENCE,
    ) -> None:
        self._db = db
        self._updates = updates
        self._address = address
        self._clock = clock
        self._monotonic = monotonic
        self._wake_intake = wake_intake
        self._rival_patience = rival_patience
        self._offset = 0
        self._failures = 0
        self._rival_since = 0.0
        self._rival_seen: float | None = None
        #: when Telegram last answered well, on the monotonic clock
        self.fresh_at = monotonic()
        #: after which moment of that clock a lack of any answer, good or bad, means that this hangs
        self.late_at = math.inf

    async def run(self) -> None:
        """Receive until cancelled. Raises CannotRun for a wrong token, MustRestart for a lasting rival."""
        while True:
            pause = await self.once()
            self.late_at = self._monotonic() + pause + GRACE
            if pause:
                await asyncio.sleep(pause)

    async def once(self) -> float:
        """Ask once and store the answer; return the seconds to wait before asking again."""
        self.late_at = self._monotonic() + OVERDUE + GRACE
        try:
            answer = await self._updates.after(self._offset)
        except ChatError as error:
            return await self._failed(error)
        self.fresh_at = self._monotonic()
        return await self._store(answer)

    async def _store(self, answer: list[Any]) -> float:
        updates = [update for update in answer if _has_id(update)]
        candidates = [update for update in updates if self._address.may_concern(update)]
        if candidates:
            await self._db.unit(lambda tx: self._keep(tx, candidates))
            self._wake_intake()
        if updates:
            self._offset = max(each["update_id"] for each in updates) + 1
        if len(updates) < len(answer):
            log.error("Telegram sent %d updates without an id", len(answer) - len(updates))
        if answer and not updates:
            return self._next_pause()  # nothing of it can be confirmed: asking at once would bring the same again
        self._failures = 0
        return 0.0

    def _keep(self, tx: Transaction, candidates: list[Any]) -> None:
        now = self._clock()
        kept = self._address.concerning(tx, candidates, now)
        tx.inbox.keep(Letter(each["update_id"], json.dumps(each), now) for each in kept)

    async def _failed(self, error: ChatError) -> float:
        if isinstance(error, WrongToken):
            raise CannotRun(WRONG_TOKEN)
        if isinstance(error, Rival):
            self._bear_rival()
        pause = self._next_pause()
        log.warning("no updates from Telegram, again in %.0f s: %s", pause, error)
        if not isinstance(error, Rival):
            await self._updates.rebuild()
        wait = error.retry_after if isinstance(error, Later) else None
        return max(pause, wait or 0.0)

    def _bear_rival(self) -> None:
        """Note a rival; between two of its questions one of ours may well succeed, which proves nothing."""
        now = self._monotonic()
        if self._rival_seen is None or now - self._rival_seen > self._rival_patience:
            self._rival_since = now
        self._rival_seen = now
        if now - self._rival_since >= self._rival_patience:
            raise MustRestart(RIVAL.format(patience=self._rival_patience))

    def _next_pause(self) -> float:
        self._failures += 1
        return min(LONGEST_PAUSE, 2.0 ** (self._failures - 1))


def _has_id(update: object) -> bool:
    number = update.get("update_id") if isinstance(update, dict) else None
    return type(number) is int and abs(number) < 1 << 62  # which also fits into a column
