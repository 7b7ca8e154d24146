"""The HTTP door: says whether the bot is alive and whether it can serve, and lets callbacks and updates in."""

import errno
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http import HttpProcessingError

from bot.doors import callback, proof, webhook
from bot.settings import CannotRun, Settings

log = logging.getLogger(__name__)


#: aiohttp's words, in which a mistake of ours is an error.
server_log = logging.getLogger(f"{__name__}.server")


class Door:
    """The server on HOST and PORT; without `nudges` and `hook` there is nothing that others could want of it."""

    def __init__(
        self,
        *,
        is_ready: Callable[[], bool],
        prove: Callable[[str], str],
        nudges: callback.Callback | None = None,
        hook: webhook.Hook | None = None,
    ) -> None:
        self._is_ready = is_ready
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        for path in proof.PATHS:
            app.router.add_get(path, proof.Proof(prove).handle)
        if nudges is not None:
            app.router.add_post(callback.PATH, nudges.handle)
        if hook is not None:
            app.router.add_post(webhook.PATH, hook.handle)
        server_log.addFilter(_is_ours)
        # auto_decompress: unpacked, a small request can be of any size
        self._runner = web.AppRunner(app, access_log=None, logger=server_log, auto_decompress=False, shutdown_timeout=1)

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            raise CannotRun(_cannot_listen(host, port, error)) from error
        address = self._runner.addresses[0]
        return f"http://{_bracketed(address[0])}:{address[1]}"

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)


@asynccontextmanager
async def open_alone(settings: Settings) -> AsyncIterator[str]:
    """Open the door with no bot behind it: it proves whose it is, and takes nothing in; gives its address.

    Raises CannotRun when the port cannot be had.
    """
    door = Door(is_ready=lambda: False, prove=settings.proof)
    address = await door.open(settings.host, settings.port)
    try:
        yield address
    finally:
        await door.close()


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out what is no HTTP at all: anybody can send that, as often as they like."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _cannot_listen(host: str, port: int, error: Exception) -> str:
    why = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        remedy = "stop the program that has it, or choose another PORT (0 picks a free one)"
    else:
        remedy = "HOST must be an address of this machine, like 127.0.0.1"
    return f"PORT {port} on HOST {host} cannot be used ({why}): {remedy}"
