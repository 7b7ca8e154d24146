"""python-telegram-bot's HTTP transport, with a report of each call and a check that the Bot API itself answered.

The Bot API answers with a JSON object that has a result, or says why there is none. Anything else comes from a gateway
and says nothing about what Telegram did, whatever the HTTP status.
"""

import json
import ssl
import warnings
from collections.abc import Callable
from typing import Any

from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest
from telegram.warnings import PTBDeprecationWarning, PTBUserWarning

from bot.http_client import NoCookies, use_body_once

#: Called with the Bot API method (or FILE_DOWNLOAD) and the HTTP status of each call.
OnTelegramCall = Callable[[str, str], None]

#: The name for a file download, which is no method of the Bot API.
FILE_DOWNLOAD = "file"

#: The status if no response came.
NO_RESPONSE = "none"

#: The statuses that the Bot API and gateways use; any other is reported as "other".
COUNTED_STATUSES = frozenset({200, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504})


def ignore_call(_method: str, _status: str) -> None:
    """Report nothing."""


def status_label(status: int) -> str:
    """Return the metric label for an HTTP status."""
    return str(status) if status in COUNTED_STATUSES else "other"


class InvalidResponseError(TelegramError):
    """The response is not the Bot API's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status} without an answer of the Bot API")
        self.status = status


class TelegramRequest(HTTPXRequest):
    """A connection pool for Telegram; `options` are those of HTTPXRequest."""

    def __init__(self, on_call: OnTelegramCall, tls: ssl.SSLContext, **options: Any) -> None:
        httpx_options = {"verify": tls, "cookies": NoCookies(), "event_hooks": {"request": [use_body_once]}}
        super().__init__(connect_timeout=10, httpx_kwargs=httpx_options, **options)
        self._on_call = on_call

    async def do_request(self, url: str, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Make a call and report it, unless cancelled. Raises InvalidResponseError."""
        method = url.rpartition("/")[2]
        try:
            status, content = await super().do_request(url, *args, **kwargs)
        except Exception:
            self._on_call(method, NO_RESPONSE)
            raise
        self._on_call(method, status_label(status))
        if not _is_bot_api_response(status, content):
            raise InvalidResponseError(status)
        return status, content


def _is_bot_api_response(status: int, content: bytes) -> bool:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(answer, dict):
        return False
    return "result" in answer if 200 <= status <= 299 else answer.get("ok") is False


def create_bot(token: str, api_url: str, request: TelegramRequest, get_updates_request: TelegramRequest) -> Bot:
    """Return python-telegram-bot's Bot, with its warnings about raw calls turned off."""
    # calls are raw because an Update that cannot be parsed must not block those behind it,
    # the repr of a File contains the token, and only the id of a Message is read
    warnings.filterwarnings("ignore", r"Please use 'Bot\.", PTBUserWarning)
    # its classes warn about their own attributes, which we do not read (22.8)
    warnings.filterwarnings("ignore", r".*`datetime\.timedelta`", PTBDeprecationWarning)
    return Bot(
        token,
        base_url=f"{api_url}/bot",
        base_file_url=f"{api_url}/file/bot",
        request=request,
        get_updates_request=get_updates_request,
    )
