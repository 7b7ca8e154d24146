"""The watchdog: ends a process in which a part no longer moves, so that the supervisor starts a fresh one.

A part that dies ends the process by itself. This is for one that hangs: on a
disk that does not answer, on a connection that is open and dead. Each part says
by when it will be heard of again; whoever is late is taken for dead. Nothing is
lost by it, because everything that counts is stored.

And it looks whether the files are still there that everything is stored in: of
one that was deleted, an open program notices nothing until it is opened anew.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping

from bot.settings import MustRestart

log = logging.getLogger(__name__)

#: Seconds between two looks.
CHECK_INTERVAL = 10.0

#: Seconds after which the process is over even if it cannot be ended in an orderly way.
FORCED_EXIT_SECONDS = 20.0


class Watchdog:
    """Knows the parts by name, and for each the moment after which it is to be taken for dead."""

    def __init__(
        self,
        parts: Mapping[str, Callable[[], float]],
        *,
        monotonic: Callable[[], float],
        check_files: Callable[[], Awaitable[None]] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        self._parts = parts
        self._check_files = check_files
        self._checking: asyncio.Future[None] | None = None
        self._monotonic = monotonic
        self._force_exit = end or _schedule_forced_exit

    async def run(self) -> None:
        """Look every few seconds until cancelled.

        Raises MustRestart for a part that is late, and what `check_files` raises.
        """
        try:
            while True:
                await asyncio.sleep(CHECK_INTERVAL)
                self.check_parts()
                await self.check_files(CHECK_INTERVAL)
        finally:
            if self._checking is not None:
                self._checking.cancel()

    async def check_files(self, patience: float) -> None:
        """Raise what there is to raise about the files; on a disk that hangs, leave it to those who wait for that."""
        if self._check_files is None:
            return
        if self._checking is None:
            self._checking = asyncio.ensure_future(self._check_files())
        done, _ = await asyncio.wait([self._checking], timeout=patience)
        if done:
            checking, self._checking = self._checking, None
            checking.result()

    def check_parts(self) -> None:
        """Raise MustRestart if a part is late."""
        now = self._monotonic()
        for name, late_at in self._parts.items():
            if now > late_at():
                self._force_exit()
                raise MustRestart(f"the {name} does not move any more: a restart is needed, and loses nothing")


def _schedule_forced_exit() -> None:
    """End the process from outside in a while: what hangs may hang in the orderly end as well."""
    ending = threading.Timer(FORCED_EXIT_SECONDS, os._exit, [1])
    ending.daemon = True
    ending.start()
