"""When a refused bot token is final: when the refusal lasts, and getMe is refused as well.

Telegram, and gateways in front of it, answer 401 or 404 in passing now and then. Exit code 2, which no supervisor
restarts, is for a token that is wrong for good.
"""

import logging
from collections.abc import Awaitable, Callable

from bot.settings import CannotRun
from bot.telegram.errors import TelegramApiError, Unauthorized

log = logging.getLogger(__name__)

#: Seconds for which a refusal has to last.
REJECTION_TIMEOUT = 60.0

TOKEN_REJECTED_MESSAGE = "TELEGRAM_BOT_TOKEN is not known to Telegram: copy the token from @BotFather again"  # noqa: S105 - words


class TokenRejection:
    """Remembers since when Telegram refuses the token."""

    def __init__(
        self,
        get_me: Callable[[], Awaitable[object]],
        *,
        monotonic: Callable[[], float],
        patience: float = REJECTION_TIMEOUT,
    ) -> None:
        self._get_me = get_me
        self._monotonic = monotonic
        self._timeout = patience
        self._rejected_since: float | None = None

    def record_accepted(self) -> None:
        """Note that Telegram took the token."""
        self._rejected_since = None

    async def record_rejected(self) -> None:
        """Note that Telegram refused the token; raises CannotRun once that has lasted and getMe is refused as well."""
        now = self._monotonic()
        if self._rejected_since is None:
            self._rejected_since = now
            log.warning("%s (the bot ends if this lasts for %.0f s)", TOKEN_REJECTED_MESSAGE, self._timeout)
        if now - self._rejected_since >= self._timeout:
            await self._confirm_with_get_me()

    async def _confirm_with_get_me(self) -> None:
        try:
            await self._get_me()
        except Unauthorized:
            raise CannotRun(TOKEN_REJECTED_MESSAGE) from None
        except TelegramApiError:
            return  # not a no: it is asked again with the next refusal
        self.record_accepted()  # the token is good, so it is another question that is refused
