"""Receiving updates by long polling, as raw JSON, on a connection of its own.

The connection can be thrown away and built anew: a half-closed one can wedge a
pool for hours without any error (reported for several bots, 2024 to 2026).
"""

import asyncio
import ssl
from typing import Any

from bot.chat.client import ALLOWED_UPDATES, bare_bot
from bot.chat.counted import NO_ANSWER, CountedRequest, Told, nobody_listens
from bot.chat.errors import Doubtful, in_our_words
from bot.redaction import Redact

#: Seconds that Telegram holds the request open when there is nothing new.
POLL_TIMEOUT = 30

#: Seconds after which an answer is overdue, whatever the connection says.
OVERDUE = POLL_TIMEOUT + 15


class Updates:
    """The stream of updates of one bot."""

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        tls: ssl.SSLContext,
        redact: Redact,
        poll_timeout: float = POLL_TIMEOUT,
        overdue: float = OVERDUE,
        told: Told = nobody_listens,
    ) -> None:
        self._token = token
        self._api_url = api_url
        self._tls = tls
        self._redact = redact
        self._poll_timeout = poll_timeout
        self._overdue = overdue
        self._told = told
        self._connect()

    def _connect(self) -> None:
        self._request = CountedRequest(
            self._told,
            connection_pool_size=4,
            connect_timeout=10,
            read_timeout=self._overdue,
            httpx_kwargs={"verify": self._tls},
        )
        self._bot = bare_bot(self._token, self._api_url, self._request)

    async def after(self, offset: int) -> list[Any]:
        """Wait for updates from `offset` on and return them raw; asking confirms all before it.

        Raises a ChatError: Doubtful when no answer came in time.
        """
        question = {"offset": offset, "timeout": self._poll_timeout, "allowed_updates": list(ALLOWED_UPDATES)}
        try:
            async with asyncio.timeout(self._overdue):
                with in_our_words(self._redact):
                    answer = await self._bot.do_api_request("getUpdates", api_kwargs=question)
        except TimeoutError:
            self._told("getUpdates", NO_ANSWER)
            raise Doubtful("the poll for updates stalled") from None
        if not isinstance(answer, list):
            raise Doubtful("the answer was not a list of updates")
        return answer

    async def rebuild(self) -> None:
        """Throw the connections away and use fresh ones."""
        old = self._request
        self._connect()
        await old.shutdown()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._request.shutdown()
