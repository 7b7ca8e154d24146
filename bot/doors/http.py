"""The HTTP door: says whether the bot is alive and whether it can serve."""

import logging
from collections.abc import Callable

from aiohttp import web

from bot.settings import CannotRun

log = logging.getLogger(__name__)


class Door:
    """The server on HOST and PORT."""

    def __init__(self, *, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None)

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, shutdown_timeout=1)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            raise CannotRun(
                f"PORT {port} on HOST {host} cannot be used ({_why(error)}): "
                "stop the program that has it, or choose another PORT (0 picks a free one)"
            ) from error
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


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
