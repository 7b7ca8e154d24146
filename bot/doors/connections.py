"""HTTP connections: how errors are answered and logged.

Anybody can connect and send any bytes. By default aiohttp (3.14) sends its version with every answer, and logs a
traceback for a header that it cannot decode.
"""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError

from bot.doors.turnstile import Turnstile
from bot.logs import without_words

log = logging.getLogger(f"{__name__}.server")

#: Kinds of errors that are told apart; each is logged once a minute.
MOST_KINDS = 100


class RequestHandler(web.RequestHandler):
    """aiohttp's handler of one connection; `errors` limits how often each kind of error is logged."""

    def __init__(self, server: web.Server, errors: Turnstile) -> None:
        # auto_decompress: unpacked, a small request can be of any size
        how: dict[str, Any] = {"access_log": None, "auto_decompress": False}
        super().__init__(server, loop=asyncio.get_running_loop(), logger=log, **how)
        self._errors = errors

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that no handler has answered."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of another answer was sent already")
        if _is_their_fault(exc, request):
            return StatusOnly(HTTPStatus.BAD_REQUEST)
        self.log_exception("a request could not be handled: a mistake in the bot", exc_info=exc)
        return StatusOnly(status)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an unexpected error, at most once a minute and without its text: a stranger may have caused it."""
        error = kw.get("exc_info")
        if self._errors.admits(type(error).__name__, time.monotonic()):
            told = without_words(error) if isinstance(error, Exception) else None
            self.logger.error(*args, exc_info=told)


class StatusOnly(web.StreamResponse):
    """An error answer without a body, and without the version of aiohttp that aiohttp would add."""

    def __init__(self, status: int) -> None:
        super().__init__(status=status, headers={"Content-Length": "0", "Connection": "close"})
        self.force_close()
        self._writer: AbstractStreamWriter | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send the head."""
        self._writer = request.writer
        await self._writer.write_headers(f"HTTP/1.1 {self.status} {self.reason}", self.headers)
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the end."""
        if self._writer is not None:
            await self._writer.write_eof()


def _is_their_fault(error: BaseException | None, request: web.BaseRequest) -> bool:
    """Say whether a request is malformed, or has bytes in its headers that aiohttp cannot decode."""
    return isinstance(error, HttpProcessingError) or (isinstance(error, UnicodeError) and _is_garbled(request))


def _is_garbled(request: web.BaseRequest) -> bool:
    return any("\udc80" <= char <= "\udcff" for value in request.headers.values() for char in value)
