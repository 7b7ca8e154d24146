"""HTTP connections: how errors are answered and logged.

Anybody can connect and send any bytes. By default aiohttp (3.14) logs a traceback for a header that it cannot decode.
"""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Any

from aiohttp import web
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
            return _closing(HTTPStatus.BAD_REQUEST)
        self.log_exception("a request could not be handled: a mistake in the bot", exc_info=exc)
        return _closing(status)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an unexpected error, at most once a minute and without its text: a stranger may have caused it."""
        error = kw.get("exc_info")
        if self._errors.admits(type(error).__name__, time.monotonic()):
            told = without_words(error) if isinstance(error, Exception) else None
            self.logger.error(*args, exc_info=told)


def _closing(status: int) -> web.Response:
    response = web.Response(status=status)
    response.force_close()
    return response


def _is_their_fault(error: BaseException | None, request: web.BaseRequest) -> bool:
    """Say whether a request is malformed, or has bytes in its headers that aiohttp cannot decode."""
    return isinstance(error, HttpProcessingError) or (isinstance(error, UnicodeError) and _is_garbled(request))


def _is_garbled(request: web.BaseRequest) -> bool:
    return any("\udc80" <= char <= "\udcff" for value in request.headers.values() for char in value)
