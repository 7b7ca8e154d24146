"""The long poll: lets Telegram's updates in where we ask for them.

They are kept before the next question confirms them to Telegram. An update that cannot be
understood is kept like any other: intake sets it aside, and nothing behind it waits.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from bot.inbound.token_rejection import TokenRejection
from bot.inbound.update_recorder import UpdateRecorder, has_update_id
from bot.settings import MustRestart
from bot.telegram.errors import PollingConflict, RetryableError, TelegramApiError, Unauthorized
from bot.telegram.get_updates import POLL_TIMEOUT, RESPONSE_DEADLINE, GetUpdatesClient

log = logging.getLogger(__name__)

#: Seconds for which another poller is put up with: a predecessor that is shutting down, say.
CONFLICT_TIMEOUT = 60.0

MAX_BACKOFF = 30.0

#: Seconds for which a good answer of Telegram holds: until the third question without one.
MAX_SILENCE = 3.0 * POLL_TIMEOUT

#: Seconds for what else has to be done between two questions: storing, above all.
STALL_GRACE = 60.0

CONFLICT_MESSAGE = (
    "another program receives the updates of this bot (409 Conflict for {patience:.0f} s): "
    "stop it, or give this one a bot of its own"
)


class LongPoller:
    """Asks for updates, stores them, and asks on."""

    def __init__(
        self,
        updates: GetUpdatesClient,
        letters: UpdateRecorder,
        token: TokenRejection,
        *,
        monotonic: Callable[[], float],
        rival_patience: float = CONFLICT_TIMEOUT,
    ) -> None:
        self._client = updates
        self._recorder = letters
        self._token_rejection = token
        self._monotonic = monotonic
        self._conflict_timeout = rival_patience
        self._offset = 0
        self._failures = 0
        self._conflict_since = 0.0
        self._conflict_seen_at: float | None = None
        #: when Telegram last answered well, on the monotonic clock
        self.last_contact_at = monotonic()
        #: after which moment of that clock a lack of any answer, good or bad, means that this hangs
        self.hang_deadline = math.inf

    async def run(self) -> None:
        """Receive until cancelled. Raises CannotRun for a token that stays wrong, MustRestart for a lasting rival."""
        while True:
            pause = await self.poll_once()
            self.hang_deadline = self._monotonic() + pause + STALL_GRACE
            if pause:
                await asyncio.sleep(pause)

    async def poll_once(self) -> float:
        """Ask once and store the answer; return the seconds to wait before asking again."""
        self.hang_deadline = self._monotonic() + RESPONSE_DEADLINE + STALL_GRACE
        try:
            answer = await self._client.get_updates(self._offset)
        except TelegramApiError as error:
            return await self._handle_error(error)
        self.last_contact_at = self._monotonic()
        self._token_rejection.record_accepted()
        return await self._store_updates(answer)

    async def _store_updates(self, answer: list[Any]) -> float:
        updates = [update for update in answer if has_update_id(update)]
        await self._recorder.record(updates)
        if updates:
            self._offset = max(each["update_id"] for each in updates) + 1
        if len(updates) < len(answer):
            log.error("Telegram sent %d updates without an id", len(answer) - len(updates))
        if answer and not updates:
            return self._next_backoff()  # nothing of it can be confirmed: asking at once would bring the same again
        self._failures = 0
        return 0.0

    async def _handle_error(self, error: TelegramApiError) -> float:
        if isinstance(error, Unauthorized):
            await self._token_rejection.record_rejected()
        if isinstance(error, PollingConflict):
            self._note_conflict()
        pause = self._next_backoff()
        log.warning("no updates from Telegram, again in %.0f s: %s", pause, error)
        if not isinstance(error, PollingConflict):
            await self._client.reconnect()
        wait = error.retry_after if isinstance(error, RetryableError) else None
        return max(pause, wait or 0.0)

    def _note_conflict(self) -> None:
        """Note a rival; between two of its questions one of ours may well succeed, which proves nothing."""
        now = self._monotonic()
        if self._conflict_seen_at is None or now - self._conflict_seen_at > self._conflict_timeout:
            self._conflict_since = now
        self._conflict_seen_at = now
        if now - self._conflict_since >= self._conflict_timeout:
            raise MustRestart(CONFLICT_MESSAGE.format(patience=self._conflict_timeout))

    def _next_backoff(self) -> float:
        self._failures += 1
        return min(MAX_BACKOFF, 2.0 ** (self._failures - 1))
