"""Listening: an HTTP server of ours on a host and a port that settings name."""

import errno
import logging

from aiohttp import web
from aiohttp.http import HttpProcessingError

from bot.settings import CannotRun

#: aiohttp's words, in which a mistake of ours is an error.
server_log = logging.getLogger(f"{__name__}.server")


class Server:
    """Serves `app`; `prefix` is that of the settings HOST and PORT which an operator would have to change."""

    def __init__(self, app: web.Application, *, prefix: str = "") -> None:
        server_log.addFilter(_is_ours)
        # auto_decompress: unpacked, a small request can be of any size
        self._runner = web.AppRunner(app, access_log=None, logger=server_log, auto_decompress=False, shutdown_timeout=1)
        self._prefix = prefix

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            raise CannotRun(_cannot_listen(self._prefix, host, port, error)) from error
        address = self._runner.addresses[0]
        return f"http://{_bracketed(address[0])}:{address[1]}"

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out what is no HTTP at all: anybody can send that, as often as they like."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _cannot_listen(prefix: str, host: str, port: int, error: Exception) -> str:
    why = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        remedy = f"stop the program that has it, or choose another {prefix}PORT (0 picks a free one)"
    else:
        remedy = f"{prefix}HOST must be an address of this machine, like 127.0.0.1"
    return f"{prefix}PORT {port} on {prefix}HOST {host} cannot be used ({why}): {remedy}"
