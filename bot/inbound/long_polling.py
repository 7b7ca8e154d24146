"""Long polling: receives Telegram's updates with getUpdates.

Updates are stored before the next call confirms them, which makes their delivery at-least-once. An update that cannot
be parsed is stored like any other and does not block those behind it.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from bot.backoff import backoff
from bot.inbound.update_recorder import UpdateRecorder, has_update_id
from bot.settings import CannotRun, MustRestart
from bot.telegram.client import POLL_DEADLINE, POLL_TIMEOUT, TelegramClient
from bot.telegram.errors import PollingConflict, RetryableError, TelegramApiError, Unauthorized

log = logging.getLogger(__name__)

#: Seconds for which another poller is tolerated: it may be the previous process, shutting down.
CONFLICT_TIMEOUT = 60.0

#: Seconds for which Telegram has to reject the token before that is final.
REJECTION_TIMEOUT = 60.0

#: Seconds; the longest pause between two polls that fail.
MAX_PAUSE = 30.0

#: Seconds without a successful poll after which the receiver counts as not ready: three polls.
MAX_SILENCE = 3.0 * POLL_TIMEOUT

#: Seconds for what happens between two polls, mainly storing, before the receiver counts as hanging.
STALL_GRACE = 60.0

TOKEN_REJECTED_MESSAGE = "TELEGRAM_BOT_TOKEN is not known to Telegram: copy the token from @BotFather again"  # noqa: S105 - words

CONFLICT_MESSAGE = (
    "another program receives the updates of this bot (409 Conflict for {seconds:.0f} s): "
    "stop it, or give this one a bot of its own"
)


class TokenRejection:
    """Decides when a rejected bot token is final: when the rejection lasts, and getMe is rejected as well.

    Telegram, and gateways in front of it, sometimes answer 401 or 404 for a moment. Exit code 2, after which no
    supervisor restarts the bot, is for a token that is really wrong.
    """

    def __init__(self, get_me: Callable[[], Awaitable[object]], *, monotonic: Callable[[], float]) -> None:
        self._get_me = get_me
        self._monotonic = monotonic
        self._rejected_since: float | None = None

    def record_accepted(self) -> None:
        """Note that Telegram accepted the token."""
        self._rejected_since = None

    async def record_rejected(self) -> None:
        """Note that Telegram rejected the token. Raises CannotRun once that is final."""
        now = self._monotonic()
        if self._rejected_since is None:
            self._rejected_since = now
            log.warning("%s (the bot ends if this lasts for %.0f s)", TOKEN_REJECTED_MESSAGE, REJECTION_TIMEOUT)
        if now - self._rejected_since < REJECTION_TIMEOUT:
            return
        try:
            await self._get_me()
        except Unauthorized:
            raise CannotRun(TOKEN_REJECTED_MESSAGE) from None
        except TelegramApiError:
            return  # inconclusive: the next rejection calls getMe again
        self.record_accepted()  # the token is valid, and only the other method is rejected


class LongPoller:
    """Polls for updates and stores them."""

    def __init__(
        self,
        telegram: TelegramClient,
        recorder: UpdateRecorder,
        token_rejection: TokenRejection,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._telegram = telegram
        self._recorder = recorder
        self._token_rejection = token_rejection
        self._monotonic = monotonic
        self._offset = 0
        self._failures = 0
        self._conflict_since = 0.0
        self._conflict_seen_at: float | None = None
        #: when a poll last succeeded, on the monotonic clock
        self.last_contact_at = monotonic()
        #: for the watchdog, on the same clock: if no poll has ended by then, with or without success, this hangs
        self.hang_deadline = math.inf

    async def run(self) -> None:
        """Poll until cancelled. Raises CannotRun for a rejected token, MustRestart for a lasting conflict."""
        while True:
            pause = await self.poll_once()
            self.hang_deadline = self._monotonic() + pause + STALL_GRACE
            if pause:
                await asyncio.sleep(pause)

    async def poll_once(self) -> float:
        """Poll once and store the updates; return the seconds to wait before the next poll."""
        self.hang_deadline = self._monotonic() + POLL_DEADLINE + STALL_GRACE
        try:
            updates = await self._telegram.get_updates(self._offset)
        except TelegramApiError as error:
            return await self._handle_error(error)
        self.last_contact_at = self._monotonic()
        self._token_rejection.record_accepted()
        return await self._store(updates)

    async def _store(self, received: list[Any]) -> float:
        updates = [update for update in received if has_update_id(update)]
        await self._recorder.record(updates)
        if updates:
            self._offset = max(each["update_id"] for each in updates) + 1
        if len(updates) < len(received):
            log.error("Telegram sent %d updates without an id", len(received) - len(updates))
        if received and not updates:
            return self._next_pause()  # nothing can be confirmed, so an immediate poll would return the same
        self._failures = 0
        return 0.0

    async def _handle_error(self, error: TelegramApiError) -> float:
        if isinstance(error, Unauthorized):
            await self._token_rejection.record_rejected()
        if isinstance(error, PollingConflict):
            self._record_conflict()
        pause = self._next_pause()
        log.warning("no updates from Telegram, again in %.0f s: %s", pause, error)
        if not isinstance(error, PollingConflict):
            await self._telegram.reconnect_get_updates()
        retry_after = error.retry_after if isinstance(error, RetryableError) else None
        return max(pause, retry_after or 0.0)

    def _record_conflict(self) -> None:
        """Note a conflict. A poll that succeeds does not end it: it may have come between two of the other program."""
        now = self._monotonic()
        if self._conflict_seen_at is None or now - self._conflict_seen_at > CONFLICT_TIMEOUT:
            self._conflict_since = now
        self._conflict_seen_at = now
        if now - self._conflict_since >= CONFLICT_TIMEOUT:
            raise MustRestart(CONFLICT_MESSAGE.format(seconds=CONFLICT_TIMEOUT))

    def _next_pause(self) -> float:
        self._failures += 1
        return min(MAX_PAUSE, backoff(self._failures - 1))
