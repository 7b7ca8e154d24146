"""Receiving updates by long polling, as raw JSON, on a connection of its own.

The connection can be thrown away and built anew: a half-closed one can wedge a
pool for hours without any error (reported for several bots, 2024 to 2026).
"""

import asyncio
import ssl
from typing import Any

from bot.logs import Redact
from bot.telegram.client import ALLOWED_UPDATES, create_bot
from bot.telegram.errors import DeliveryUncertain, translate_errors
from bot.telegram.http_request import NO_RESPONSE, CountingRequest, OnTelegramCall, ignore_call

#: Seconds that Telegram holds the request open when there is nothing new.
POLL_TIMEOUT = 30

#: Seconds after which an answer is overdue, whatever the connection says.
RESPONSE_DEADLINE = POLL_TIMEOUT + 15


class GetUpdatesClient:
    """The stream of updates of one bot."""

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        tls: ssl.SSLContext,
        redact: Redact,
        poll_timeout: float = POLL_TIMEOUT,
        overdue: float = RESPONSE_DEADLINE,
        told: OnTelegramCall = ignore_call,
    ) -> None:
        self._token = token
        self._api_url = api_url
        self._tls = tls
        self._redact = redact
        self._poll_timeout = poll_timeout
        self._response_deadline = overdue
        self._on_call = told
        self._connect()

    def _connect(self) -> None:
        self._request = CountingRequest(
            self._on_call,
            connection_pool_size=4,
            connect_timeout=10,
            read_timeout=self._response_deadline,
            httpx_kwargs={"verify": self._tls},
        )
        self._bot = create_bot(self._token, self._api_url, self._request)

    async def get_updates(self, offset: int) -> list[Any]:
        """Wait for updates from `offset` on and return them raw; asking confirms all before it.

        Raises a ChatError: Doubtful when no answer came in time.
        """
        question = {"offset": offset, "timeout": self._poll_timeout, "allowed_updates": list(ALLOWED_UPDATES)}
        try:
            async with asyncio.timeout(self._response_deadline):
                with translate_errors(self._redact):
                    answer = await self._bot.do_api_request("getUpdates", api_kwargs=question)
        except TimeoutError:
            self._on_call("getUpdates", NO_RESPONSE)
            raise DeliveryUncertain("the poll for updates stalled") from None
        if not isinstance(answer, list):
            raise DeliveryUncertain("the answer was not a list of updates")
        return answer

    async def reconnect(self) -> None:
        """Throw the connections away and use fresh ones."""
        old = self._request
        self._connect()
        await old.shutdown()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._request.shutdown()
