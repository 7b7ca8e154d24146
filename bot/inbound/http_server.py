"""HTTP connections: how many may be open, how long a request may take, how errors are answered and logged.

Anybody can connect and send any bytes. By default aiohttp (3.14) waits an hour for the rest of a request, sends its
version with every answer, and logs a traceback for a header that it cannot decode.
"""

import asyncio
import errno
import logging
import resource
import time
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError

from bot.inbound.rate_limiter import RateLimiter
from bot.logs import hide_message
from bot.settings import CannotRun

log = logging.getLogger(f"{__name__}.server")

#: Seconds that a request's head may take to arrive, counted from the start of the connection or from the last answer.
#: It is the idle timeout as well: a proxy that keeps connections open notices, and opens another one.
REQUEST_HEAD_TIMEOUT = 30.0

#: Open connections of one server. Telegram opens 40 at most by default, and Kie calls twice a second.
MAX_CONNECTIONS = 200

#: One server's connections take at most one in so many of the file descriptors that the process may have.
DESCRIPTORS_PER_CONNECTION = 4

#: Kinds of errors that are told apart; each is logged once a minute.
MAX_ERROR_KINDS = 100


class OpenConnections:
    """The open connections of one server, least recently answered first.

    A new connection is always accepted, so that nobody can keep others out by holding many. When there are more than
    `most`, or one address has more than half of that, the first in this order is dropped: of all, or of that address.
    """

    def __init__(self, most: int) -> None:
        self._max_total = most
        self._max_per_address = max(1, most // 2)
        self._open: dict[asyncio.Transport, str] = {}

    def add(self, transport: asyncio.Transport) -> None:
        """Add a connection; drop another one if there are too many."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        self._open[transport] = address
        of_one = [each for each, other in self._open.items() if other == address]
        if len(of_one) > self._max_per_address:
            self._drop(of_one[0])
        elif len(self._open) > self._max_total:
            self._drop(next(iter(self._open)))

    def touch(self, transport: asyncio.Transport | None) -> None:
        """Note that a request was answered: the connection becomes the last one to be dropped."""
        if transport is not None and transport in self._open:
            self._open[transport] = self._open.pop(transport)

    def remove(self, transport: asyncio.Transport | None) -> None:
        """Remove a connection."""
        if transport is not None:
            self._open.pop(transport, None)

    def __len__(self) -> int:
        return len(self._open)

    def _drop(self, transport: asyncio.Transport) -> None:
        self.remove(transport)
        transport.abort()


def max_connections(files: int) -> int:
    """Return how many connections a server may have when the process may have `files` open (RLIMIT_NOFILE)."""
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(2, min(MAX_CONNECTIONS, files // DESCRIPTORS_PER_CONNECTION))


class LimitedRequestHandler(web.RequestHandler):
    """aiohttp's handler of one connection, with our limits; `errors` limits how often each kind of error is logged."""

    def __init__(
        self, server: web.Server, connections: OpenConnections, errors: RateLimiter, *, head_within: float
    ) -> None:
        # keepalive_timeout: aiohttp also closes a connection that has sent half a head, which it takes for idle
        # auto_decompress: unpacked, a small request can be of any size
        how: dict[str, Any] = {"access_log": None, "auto_decompress": False, "keepalive_timeout": head_within}
        super().__init__(server, loop=asyncio.get_running_loop(), logger=log, **how)
        self._connections = connections
        self._error_log_limiter = errors
        #: aiohttp's own `transport` is None as soon as the connection is to be closed
        self._opened_transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and begin."""
        self._opened_transport = cast("asyncio.Transport", transport)  # a TCP server gives no other kind
        self._connections.add(self._opened_transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it no more and end."""
        self._connections.remove(self._opened_transport)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that no handler has answered."""
        if _is_client_error(exc, request):
            status = HTTPStatus.BAD_REQUEST
        else:
            self.log_exception("a request could not be handled: a mistake in the bot", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of another answer was sent already")
        return StatusOnlyResponse(status)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an unexpected error, at most once a minute and without its text: a stranger may have caused it."""
        error = kw.get("exc_info")
        if self._error_log_limiter.try_acquire(type(error).__name__, time.monotonic()):
            told = hide_message(error) if isinstance(error, Exception) else None
            self.logger.error(*args, exc_info=told)


class StatusOnlyResponse(web.StreamResponse):
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


def _is_client_error(error: BaseException | None, request: web.BaseRequest) -> bool:
    """Say whether a request is malformed, or has bytes in its headers that aiohttp cannot decode."""
    return isinstance(error, HttpProcessingError) or (
        isinstance(error, UnicodeError) and _has_undecodable_headers(request)
    )


def _has_undecodable_headers(request: web.BaseRequest) -> bool:
    return any("\udc80" <= char <= "\udcff" for value in request.headers.values() for char in value)


#: Connections that wait to be accepted.
BACKLOG = 128


class HttpServer:
    """Serves `app`; `prefix` is that of the settings HOST and PORT which an operator would have to change.

    A connection is closed when no request has arrived on it within `head_within` seconds; at most `most` are open, by
    default as many as `most_connections` allows.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        prefix: str = "",
        head_within: float = REQUEST_HEAD_TIMEOUT,
        most: int | None = None,
    ) -> None:
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        app.on_response_prepare.append(self._on_response)
        self._setting_prefix = prefix
        self._head_timeout = head_within
        self._error_log_limiter = RateLimiter(1 / 60, 1, most_callers=MAX_ERROR_KINDS)
        #: those that are open
        self.connections = OpenConnections(most or max_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        self._listener: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        await self._runner.setup()
        try:
            self._listener = await self._listen(host, port)
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            raise CannotRun(_describe_listen_error(self._setting_prefix, host, port, error)) from error
        address = self._listener.sockets[0].getsockname()
        return f"http://{_bracket_ipv6(address[0])}:{address[1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        server = self._runner.server
        assert server is not None  # noqa: S101 - it is there after `setup`
        accept = partial(
            LimitedRequestHandler, server, self.connections, self._error_log_limiter, head_within=self._head_timeout
        )
        return await asyncio.get_running_loop().create_server(accept, host, port, backlog=BACKLOG)

    async def _on_response(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)  # it would name Python and aiohttp, with their versions
        self.connections.touch(request.transport)


def _bracket_ipv6(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _describe_listen_error(prefix: str, host: str, port: int, error: Exception) -> str:
    why = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        remedy = f"stop the program that has it, or choose another {prefix}PORT (0 picks a free one)"
    else:
        remedy = f"{prefix}HOST must be an address of this machine, like 127.0.0.1"
    return f"{prefix}PORT {port} on {prefix}HOST {host} cannot be used ({why}): {remedy}"


async def read_body(request: web.Request, *, most: int, within: float) -> bytes | None:
    """Return what was sent; None if it broke off or took more than `within` seconds.

    Raises aiohttp's answer to what has more than `most` bytes, however many it claims to have.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.content.iter_any():
                content += chunk
                if len(content) > most:
                    raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(content))
    except (TimeoutError, web.RequestPayloadError, ConnectionError):
        return None
    return bytes(content)
