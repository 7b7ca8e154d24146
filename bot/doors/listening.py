"""Listening: an HTTP server of ours on a host and a port that settings name."""

import asyncio
import errno
import resource
from functools import partial

from aiohttp import web

from bot.doors.connections import HEAD_WITHIN, MOST_KINDS, Connections, RequestHandler, most_connections
from bot.doors.turnstile import Turnstile
from bot.settings import CannotRun

#: Connections that wait to be accepted.
BACKLOG = 128


class Server:
    """Serves `app`; `prefix` is that of the settings HOST and PORT which an operator would have to change.

    A connection is closed when no request has arrived on it within `head_within` seconds; at most `most` are open, by
    default as many as `most_connections` allows.
    """

    def __init__(
        self, app: web.Application, *, prefix: str = "", head_within: float = HEAD_WITHIN, most: int | None = None
    ) -> None:
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        app.on_response_prepare.append(self._answered)
        self._prefix = prefix
        self._head_within = head_within
        self._errors = Turnstile(1 / 60, 1, most_callers=MOST_KINDS)
        #: those that are open
        self.connections = Connections(most or most_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        self._listener: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        await self._runner.setup()
        try:
            self._listener = await self._listening(host, port)
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            raise CannotRun(_cannot_listen(self._prefix, host, port, error)) from error
        address = self._listener.sockets[0].getsockname()
        return f"http://{_bracketed(address[0])}:{address[1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    async def _listening(self, host: str, port: int) -> asyncio.Server:
        server = self._runner.server
        assert server is not None  # noqa: S101 - it is there after `setup`
        accept = partial(RequestHandler, server, self.connections, self._errors, head_within=self._head_within)
        return await asyncio.get_running_loop().create_server(accept, host, port, backlog=BACKLOG)

    async def _answered(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)  # it would name Python and aiohttp, with their versions
        self.connections.answered(request.transport)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _cannot_listen(prefix: str, host: str, port: int, error: Exception) -> str:
    why = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        remedy = f"stop the program that has it, or choose another {prefix}PORT (0 picks a free one)"
    else:
        remedy = f"{prefix}HOST must be an address of this machine, like 127.0.0.1"
    return f"{prefix}PORT {port} on {prefix}HOST {host} cannot be used ({why}): {remedy}"
