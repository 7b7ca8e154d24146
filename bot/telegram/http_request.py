"""Counted: python-telegram-bot's way to Telegram, which tells of each call what HTTP status it got.

It lets through only what the Bot API answers: a JSON object with a result, or with the reason why there is none. The
page of a gateway says nothing about what Telegram did, whatever its status.
"""

import json
from collections.abc import Callable
from typing import Any

import httpx
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.http_client import HttpClient

#: Is told the method of the Bot API (or FILE) and the HTTP status of each call.
OnTelegramCall = Callable[[str, str], None]

#: Stands for fetching a file, which is no method of the Bot API.
FILE_DOWNLOAD = "file"

#: In the place of a status: no answer came.
NO_RESPONSE = "none"

#: The statuses that the Bot API uses, and those of what may stand in front of it.
COUNTED_STATUSES = frozenset({200, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504})


def ignore_call(_method: str, _code: str) -> None:
    """Count nothing."""


def status_label(status: int) -> str:
    """Return a status as it is counted; whatever is unusual counts as one."""
    return str(status) if status in COUNTED_STATUSES else "other"


class InvalidResponseError(TelegramError):
    """What came back is no answer of the Bot API."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status} without an answer of the Bot API")
        self.status = status


def is_bot_api_response(status: int, content: bytes) -> bool:
    """Say whether a body is one that the Bot API answers with under this status."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(answer, dict):
        return False
    return "result" in answer if 200 <= status <= 299 else answer.get("ok") is False


class CountingRequest(HTTPXRequest):
    """A pool of connections to Telegram; `how` is what HTTPXRequest takes."""

    def __init__(self, told: OnTelegramCall, **how: Any) -> None:
        super().__init__(**how)
        self._on_call = told

    def _build_client(self) -> httpx.AsyncClient:
        # what HTTPXRequest makes its client with, each time that it opens
        return HttpClient(**self._client_kwargs)

    async def do_request(self, url: str, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Make a call; one that is cancelled counts as none. Raises NotTelegramsAnswer."""
        method = url.rpartition("/")[2]
        try:
            status, content = await super().do_request(url, *args, **kwargs)
        except Exception:
            self._on_call(method, NO_RESPONSE)
            raise
        self._on_call(method, status_label(status))
        if not is_bot_api_response(status, content):
            raise InvalidResponseError(status)
        return status, content
