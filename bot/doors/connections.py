"""HTTP connections: how many may be open, how long a request may take, how errors are answered and logged.

Anybody can connect and send any bytes. By default aiohttp (3.14) waits an hour for the rest of a request, sends its
version with every answer, and logs a traceback for a header that it cannot decode.
"""

import asyncio
import logging
import resource
import time
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError

from bot.doors.turnstile import Turnstile
from bot.logs import without_words

log = logging.getLogger(f"{__name__}.server")

#: Seconds that a request's head may take to arrive, counted from the start of the connection or from the last answer.
#: It is the idle timeout as well: a proxy that keeps connections open notices, and opens another one.
HEAD_WITHIN = 30.0

#: Open connections of one server. Telegram opens 40 at most by default, and Kie calls twice a second.
MOST_CONNECTIONS = 200

#: One server's connections take at most one in so many of the file descriptors that the process may have.
DESCRIPTORS_PER_CONNECTION = 4

#: Kinds of errors that are told apart; each is logged once a minute.
MOST_KINDS = 100


class Connections:
    """The open connections of one server, least recently answered first.

    A new connection is always accepted, so that nobody can keep others out by holding many. When there are more than
    `most`, or one address has more than half of that, the first in this order is dropped: of all, or of that address.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_one = max(1, most // 2)
        self._open: dict[asyncio.Transport, str] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        """Add a connection; drop another one if there are too many."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        self._open[transport] = address
        of_one = [each for each, other in self._open.items() if other == address]
        if len(of_one) > self._most_of_one:
            self._drop(of_one[0])
        elif len(self._open) > self._most:
            self._drop(next(iter(self._open)))

    def answered(self, transport: asyncio.Transport | None) -> None:
        """Note that a request was answered: the connection becomes the last one to be dropped."""
        if transport is not None and transport in self._open:
            self._open[transport] = self._open.pop(transport)

    def closed(self, transport: asyncio.Transport | None) -> None:
        """Remove a connection."""
        if transport is not None:
            self._open.pop(transport, None)

    def __len__(self) -> int:
        return len(self._open)

    def _drop(self, transport: asyncio.Transport) -> None:
        self.closed(transport)
        transport.abort()


def most_connections(files: int) -> int:
    """Return how many connections a server may have when the process may have `files` open (RLIMIT_NOFILE)."""
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(2, min(MOST_CONNECTIONS, files // DESCRIPTORS_PER_CONNECTION))


class RequestHandler(web.RequestHandler):
    """aiohttp's handler of one connection, with our limits; `errors` limits how often each kind of error is logged."""

    def __init__(self, server: web.Server, connections: Connections, errors: Turnstile, *, head_within: float) -> None:
        # keepalive_timeout: aiohttp also closes a connection that has sent half a head, which it takes for idle
        # auto_decompress: unpacked, a small request can be of any size
        how: dict[str, Any] = {"access_log": None, "auto_decompress": False, "keepalive_timeout": head_within}
        super().__init__(server, loop=asyncio.get_running_loop(), logger=log, **how)
        self._connections = connections
        self._errors = errors
        #: aiohttp's own `transport` is None as soon as the connection is to be closed
        self._opened: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and begin."""
        self._opened = cast("asyncio.Transport", transport)  # a TCP server gives no other kind
        self._connections.opened(self._opened)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it no more and end."""
        self._connections.closed(self._opened)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that no handler has answered."""
        if _is_their_fault(exc, request):
            status = HTTPStatus.BAD_REQUEST
        else:
            self.log_exception("a request could not be handled: a mistake in the bot", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of another answer was sent already")
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
