"""Health: whether the bot can serve, and if not, what is missing, in words that tell a stranger nothing else.

It can serve when Telegram has answered its receiver lately, when its parts live and move, and when its database can
be written to. The last is tried by writing, because a disk tells in no other way that it is full or read-only.
"""

import asyncio
import logging
import math
import platform
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from bot.settings import MustRestart

log = logging.getLogger(__name__)

RECEIVER, WORKER, DATABASE = "receiver", "worker", "database"

#: What has to be there, in the order in which it is told.
CONDITIONS = (RECEIVER, WORKER, DATABASE)

#: Seconds for which it is believed that the database can be written to, or cannot: strangers may ask, too.
WRITE_CHECK_TTL = 10.0

#: Seconds that writing may take.
WRITE_CHECK_TIMEOUT = 3.0


class WriteCheck:
    """Tries now and then whether anything can be written; `write` raises MustRestart when it cannot."""

    def __init__(
        self,
        write: Callable[[], Awaitable[object]],
        *,
        monotonic: Callable[[], float],
        patience: float = WRITE_CHECK_TIMEOUT,
    ) -> None:
        self._write = write
        self._monotonic = monotonic
        self._timeout = patience
        self._tried_at = -math.inf
        self._attempt: asyncio.Task[bool] | None = None

    async def __call__(self) -> bool:
        """Say whether it can be written to, as of the last few seconds; one try at a time, however many ask."""
        if self._attempt is None or (self._attempt.done() and self._monotonic() - self._tried_at >= WRITE_CHECK_TTL):
            self._tried_at = self._monotonic()
            self._attempt = asyncio.create_task(self._try_write(), name="try to write")
        done, _ = await asyncio.wait([self._attempt], timeout=self._timeout)
        return self._attempt in done and self._attempt.result()

    async def _try_write(self) -> bool:
        try:
            await self._write()
        except MustRestart as error:
            log.error("nothing can be written: %s", error)
            return False
        except Exception:
            log.exception("nothing can be written: a mistake in the bot")
            return False
        return True


@dataclass(frozen=True)
class Health:
    """What has to be there, and whether it is."""

    monotonic: Callable[[], float]
    is_writable: Callable[[], Awaitable[bool]]
    #: for each part the moment after which it is to be taken for dead, by name
    deadlines: Mapping[str, Callable[[], float]]
    #: when the receiver last had a good answer of Telegram, and for how many seconds that holds
    last_contact_at: Callable[[], float]
    max_silence: float
    #: the tasks of the parts; empty before the bot serves
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def conditions(self) -> dict[str, bool]:
        """Return what has to be there, and whether it is."""
        return {
            RECEIVER: self._is_receiver_fresh(),
            WORKER: self._are_parts_alive(),
            DATABASE: await self.is_writable(),
        }

    async def failed_conditions(self) -> list[str]:
        """Return what is missing; nothing if the bot can serve."""
        return [name for name, is_there in (await self.conditions()).items() if not is_there]

    def silence(self) -> float:
        """Return the seconds since Telegram last answered the receiver."""
        return self.monotonic() - self.last_contact_at()

    def _is_receiver_fresh(self) -> bool:
        return self.silence() < self.max_silence

    def _are_parts_alive(self) -> bool:
        now = self.monotonic()
        is_late = any(now > late_at() for late_at in self.deadlines.values())
        return bool(self.tasks) and not is_late and not any(part.done() for part in self.tasks)


#: In the place of a version, where the bot runs from its source and is not installed.
VERSION_FROM_SOURCE = "source"


def read_build_info(model: str) -> dict[str, str]:
    """Return the versions of the bot, of Python and of SQLite, and the model that edits."""
    try:
        own = version("darkroom-bot")
    except PackageNotFoundError:
        own = VERSION_FROM_SOURCE
    return {"version": own, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "model": model}
