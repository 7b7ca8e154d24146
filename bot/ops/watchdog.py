"""The watchdog: ends a process in which a part hangs, so that the supervisor starts a fresh one.

A part that fails ends the process by itself, but a part can also hang, on a disk or a dead connection. So each part
sets a deadline for its next heartbeat. The restart loses nothing, because everything that counts is stored.

The watchdog also checks that the database files still exist: a program does not notice that a file it has open was
deleted.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping

from bot.settings import MustRestart

log = logging.getLogger(__name__)

#: Seconds between two checks.
CHECK_INTERVAL = 10.0

#: Seconds after which the process ends even if its shutdown hangs.
FORCED_EXIT_SECONDS = 20.0


class Watchdog:
    """Checks the parts, by name, against their deadlines."""

    def __init__(
        self,
        deadlines: Mapping[str, Callable[[], float]],
        *,
        monotonic: Callable[[], float],
        check_files: Callable[[], Awaitable[None]] | None = None,
        force_exit: Callable[[], None] | None = None,
    ) -> None:
        self._deadlines = deadlines
        self._check_files = check_files
        self._checking: asyncio.Future[None] | None = None
        self._monotonic = monotonic
        self._force_exit = force_exit or _schedule_forced_exit

    async def run(self) -> None:
        """Check every few seconds until cancelled.

        Raises MustRestart for a part that hangs, and what `check_files` raises.
        """
        try:
            while True:
                await asyncio.sleep(CHECK_INTERVAL)
                self.check_parts()
                await self.check_files(CHECK_INTERVAL)
        finally:
            if self._checking is not None:
                self._checking.cancel()

    async def check_files(self, seconds: float) -> None:
        """Raise what the file check raises; if it takes more than `seconds`, let it run on until the next call."""
        if self._check_files is None:
            return
        if self._checking is None:
            self._checking = asyncio.ensure_future(self._check_files())
        done, _ = await asyncio.wait([self._checking], timeout=seconds)
        if done:
            checking, self._checking = self._checking, None
            checking.result()

    def check_parts(self) -> None:
        """Raise MustRestart if a part missed its deadline."""
        now = self._monotonic()
        for name, deadline in self._deadlines.items():
            if now > deadline():
                self._force_exit()
                raise MustRestart(f"the {name} hangs: restart the bot, nothing is lost")


def _schedule_forced_exit() -> None:
    """End the process from a timer thread, in case the shutdown hangs as well."""
    timer = threading.Timer(FORCED_EXIT_SECONDS, os._exit, [1])
    timer.daemon = True
    timer.start()
