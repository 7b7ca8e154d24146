"""A hardened HTTP server: limits on connections and on the time for a request, and nothing revealed in error responses.

Anyone can connect and send any bytes. By default aiohttp (3.14) waits an hour for the rest of a request (slowloris),
sends its version with every response, and logs a traceback for a header that it cannot decode.
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
from aiohttp.http import HttpProcessingError

from bot.inbound.rate_limiter import RateLimiter
from bot.logs import hide_message
from bot.settings import CannotRun

log = logging.getLogger(__name__)

#: Seconds for the head of a request, from the connection or the last response on; so it is the keep-alive timeout too.
REQUEST_HEAD_TIMEOUT = 30.0

#: Open connections of one server. Telegram opens 40 at most by default, and Kie calls back about twice a second.
MAX_CONNECTIONS = 200

#: File descriptors of the process for each connection that one server may have open.
DESCRIPTORS_PER_CONNECTION = 4

#: Kinds of errors; each is logged once a minute at most.
MAX_ERROR_KINDS = 100

#: Connections that may wait to be accepted.
BACKLOG = 128


class OpenConnections:
    """The open connections of one server, the least recently used first.

    A new connection is always accepted, so no client can keep others out by holding many. Above `max_total`, the least
    recently used connection is dropped; above half of that for one address, the least recently used of that address.
    """

    def __init__(self, max_total: int) -> None:
        self._max_total = max_total
        self._max_per_address = max(1, max_total // 2)
        self._open: dict[asyncio.Transport, str] = {}

    def add(self, transport: asyncio.Transport) -> None:
        """Add a connection; drop another if there are too many."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        self._open[transport] = address
        same_address = [each for each, other in self._open.items() if other == address]
        if len(same_address) > self._max_per_address:
            self._drop(same_address[0])
        elif len(self._open) > self._max_total:
            self._drop(next(iter(self._open)))

    def touch(self, transport: asyncio.Transport | None) -> None:
        """Mark a connection as the most recently used one, after a response."""
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
    """Return how many connections a server may have if the process may open `files` (RLIMIT_NOFILE)."""
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(2, min(MAX_CONNECTIONS, files // DESCRIPTORS_PER_CONNECTION))


class LimitedRequestHandler(web.RequestHandler):
    """aiohttp's handler of one connection, with our limits."""

    def __init__(
        self, server: web.Server, connections: OpenConnections, error_log_limiter: RateLimiter, head_timeout: float
    ) -> None:
        # keepalive_timeout: aiohttp takes a connection with half a head for idle, and closes it as well
        # auto_decompress: a small request could expand to any size (decompression bomb)
        options: dict[str, Any] = {"access_log": None, "auto_decompress": False, "keepalive_timeout": head_timeout}
        super().__init__(server, loop=asyncio.get_running_loop(), logger=log, **options)
        self._connections = connections
        self._error_log_limiter = error_log_limiter
        #: kept because aiohttp's own `transport` is None once the connection is closing
        self._opened_transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and start to serve it."""
        self._opened_transport = cast("asyncio.Transport", transport)  # a TCP server has no other kind
        self._connections.add(self._opened_transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._connections.remove(self._opened_transport)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the error response when the handler raised, or aiohttp could not parse the request."""
        if _is_client_error(exc, request):
            status = HTTPStatus.BAD_REQUEST
        else:
            self.log_exception("a request could not be handled: a mistake in the bot", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of another response was sent already")
        response = web.Response(status=status, headers={"Server": ""})
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an unexpected error, each type at most once a minute, without its text, which the client may control."""
        error = kw.get("exc_info")
        if self._error_log_limiter.try_acquire(type(error).__name__, time.monotonic()):
            self.logger.error(*args, exc_info=hide_message(error) if isinstance(error, Exception) else None)


def _is_client_error(error: BaseException | None, request: web.BaseRequest) -> bool:
    """Tell whether a request is malformed, or has headers that aiohttp cannot decode."""
    return isinstance(error, HttpProcessingError) or (
        isinstance(error, UnicodeError)
        and any("\udc80" <= char <= "\udcff" for value in request.headers.values() for char in value)
    )


class HttpServer:
    """Serves `app`; error messages name the settings HOST and PORT with `setting_prefix`.

    A connection is closed if the head of a request takes more than `head_timeout` seconds. `connection_limit` defaults
    to `max_connections`.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        setting_prefix: str = "",
        head_timeout: float = REQUEST_HEAD_TIMEOUT,
        connection_limit: int | None = None,
    ) -> None:
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        app.on_response_prepare.append(self._on_response)
        self._setting_prefix = setting_prefix
        self._head_timeout = head_timeout
        self._error_log_limiter = RateLimiter(1 / 60, 1, max_callers=MAX_ERROR_KINDS)
        self.connections = OpenConnections(
            connection_limit or max_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        )
        self._listener: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> str:
        """Start listening and return the URL. Raises CannotRun if the port cannot be used."""
        await self._runner.setup()
        try:
            self._listener = await self._listen(host, port)
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            raise CannotRun(_describe_listen_error(self._setting_prefix, host, port, error)) from error
        address, actual_port = self._listener.sockets[0].getsockname()[:2]
        return f"http://[{address}]:{actual_port}" if ":" in address else f"http://{address}:{actual_port}"

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        server = self._runner.server
        assert server is not None  # noqa: S101 - set by `setup`
        handler = partial(LimitedRequestHandler, server, self.connections, self._error_log_limiter, self._head_timeout)
        return await asyncio.get_running_loop().create_server(handler, host, port, backlog=BACKLOG)

    async def _on_response(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)  # names the versions of Python and aiohttp
        self.connections.touch(request.transport)


def _describe_listen_error(prefix: str, host: str, port: int, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        remedy = f"stop the program that has it, or choose another {prefix}PORT (0 picks a free one)"
    else:
        remedy = f"{prefix}HOST must be an address of this machine, like 127.0.0.1"
    return f"{prefix}PORT {port} on {prefix}HOST {host} cannot be used ({reason}): {remedy}"


async def read_body(request: web.Request, *, max_bytes: int, max_seconds: float) -> bytes | None:
    """Return the request body; None if it is truncated or takes more than `max_seconds`.

    Raises HTTPRequestEntityTooLarge as soon as more than `max_bytes` have arrived, whatever Content-Length says.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(max_seconds):
            async for chunk in request.content.iter_any():
                content += chunk
                if len(content) > max_bytes:
                    raise web.HTTPRequestEntityTooLarge(max_size=max_bytes, actual_size=len(content))
    except (TimeoutError, web.RequestPayloadError, ConnectionError):
        return None
    return bytes(content)
