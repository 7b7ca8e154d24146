"""The long poll: lets Telegram's updates in where we ask for them.

They are kept before the next question confirms them to Telegram. An update that cannot be
understood is kept like any other: intake sets it aside, and nothing behind it waits.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from bot.chat.errors import ChatError, Later, Rival, WrongToken
from bot.chat.updates import OVERDUE, POLL_TIMEOUT, Updates
from bot.doors.letters import Letters, has_id
from bot.doors.token_refusal import TokenRefusal
from bot.settings import MustRestart

log = logging.getLogger(__name__)

#: Seconds for which another poller is put up with: a predecessor that is shutting down, say.
RIVAL_PATIENCE = 60.0

LONGEST_PAUSE = 30.0

#: Seconds for which a good answer of Telegram holds: until the third question without one.
FRESH_FOR = 3.0 * POLL_TIMEOUT

#: Seconds for what else has to be done between two questions: storing, above all.
GRACE = 60.0

RIVAL = (
    "another program receives the updates of this bot (409 Conflict for {patience:.0f} s): "
    "stop it, or give this one a bot of its own"
)


class Poll:
    """Asks for updates, stores them, and asks on."""

    def __init__(
        self,
        updates: Updates,
        letters: Letters,
        token: TokenRefusal,
        *,
        monotonic: Callable[[], float],
        rival_patience: float = RIVAL_PATIENCE,
    ) -> None:
        self._updates = updates
        self._letters = letters
        self._token = token
        self._monotonic = monotonic
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
        """Receive until cancelled. Raises CannotRun for a token that stays wrong, MustRestart for a lasting rival."""
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
        self._token.accepted()
        return await self._store(answer)

    async def _store(self, answer: list[Any]) -> float:
        updates = [update for update in answer if has_id(update)]
        await self._letters.keep(updates)
        if updates:
            self._offset = max(each["update_id"] for each in updates) + 1
        if len(updates) < len(answer):
            log.error("Telegram sent %d updates without an id", len(answer) - len(updates))
        if answer and not updates:
            return self._next_pause()  # nothing of it can be confirmed: asking at once would bring the same again
        self._failures = 0
        return 0.0

    async def _failed(self, error: ChatError) -> float:
        if isinstance(error, WrongToken):
            await self._token.refused()
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
