"""When a refused bot token is final: when the refusal lasts, and getMe is refused as well.

Telegram, and gateways in front of it, answer 401 or 404 in passing now and then. Exit code 2, which no supervisor
restarts, is for a token that is wrong for good.
"""

import logging
from collections.abc import Awaitable, Callable

from bot.chat.errors import ChatError, WrongToken
from bot.settings import CannotRun

log = logging.getLogger(__name__)

#: Seconds for which a refusal has to last.
PATIENCE = 60.0

WRONG_TOKEN = "TELEGRAM_BOT_TOKEN is not known to Telegram: copy the token from @BotFather again"  # noqa: S105 - words


class TokenRefusal:
    """Remembers since when Telegram refuses the token."""

    def __init__(
        self, get_me: Callable[[], Awaitable[object]], *, monotonic: Callable[[], float], patience: float = PATIENCE
    ) -> None:
        self._get_me = get_me
        self._monotonic = monotonic
        self._patience = patience
        self._since: float | None = None

    def accepted(self) -> None:
        """Note that Telegram took the token."""
        self._since = None

    async def refused(self) -> None:
        """Note that Telegram refused the token; raises CannotRun once that has lasted and getMe is refused as well."""
        now = self._monotonic()
        if self._since is None:
            self._since = now
            log.warning("%s (the bot ends if this lasts for %.0f s)", WRONG_TOKEN, self._patience)
        if now - self._since >= self._patience:
            await self._ask_again()

    async def _ask_again(self) -> None:
        try:
            await self._get_me()
        except WrongToken:
            raise CannotRun(WRONG_TOKEN) from None
        except ChatError:
            return  # not a no: it is asked again with the next refusal
        self.accepted()  # the token is good, so it is another question that is refused
