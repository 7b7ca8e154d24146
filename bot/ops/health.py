"""Readiness: whether the bot can serve and which conditions fail, without details, because anybody may ask.

The bot can serve when Telegram answered its receiver recently, its parts are alive and the database is writable. Only
writing shows that a disk is full or read-only.
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

#: The conditions, in the order in which they are reported.
CONDITIONS = RECEIVER, WORKER, DATABASE = "receiver", "worker", "database"

#: Seconds for which the result of a write check is cached, because anybody may ask.
WRITE_CHECK_TTL = 10.0

#: Seconds that a write check may take.
WRITE_CHECK_TIMEOUT = 3.0


class WriteCheck:
    """Checks whether `write` succeeds; all callers share one attempt at a time (single-flight)."""

    def __init__(
        self,
        write: Callable[[], Awaitable[object]],
        *,
        monotonic: Callable[[], float],
        timeout: float = WRITE_CHECK_TIMEOUT,
    ) -> None:
        self._write = write
        self._monotonic = monotonic
        self._timeout = timeout
        self._tried_at = -math.inf
        self._attempt: asyncio.Task[bool] | None = None

    async def __call__(self) -> bool:
        """Return whether writing works, as of the last few seconds; False when it takes too long."""
        if self._attempt is None or (self._attempt.done() and self._monotonic() - self._tried_at >= WRITE_CHECK_TTL):
            self._tried_at = self._monotonic()
            self._attempt = asyncio.create_task(self._try_write(), name="write check")
        done, _ = await asyncio.wait([self._attempt], timeout=self._timeout)
        return self._attempt in done and self._attempt.result()

    async def _try_write(self) -> bool:
        try:
            await self._write()
        except MustRestart as error:
            log.error("the database is not writable: %s", error)
            return False
        except Exception:
            log.exception("the write check failed because of a bug")
            return False
        return True


@dataclass(frozen=True)
class Health:
    """Evaluates the conditions."""

    monotonic: Callable[[], float]
    is_writable: Callable[[], Awaitable[bool]]
    #: by name of the part: the time of `monotonic` after which it counts as hanging
    deadlines: Mapping[str, Callable[[], float]]
    #: when Telegram last answered the receiver, and for how many seconds that counts as recent
    last_contact_at: Callable[[], float]
    max_silence: float
    #: the tasks of the parts; empty before the bot serves
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def conditions(self) -> dict[str, bool]:
        """Return each condition and whether it holds."""
        return {
            RECEIVER: self.silence() < self.max_silence,
            WORKER: self._are_parts_alive(),
            DATABASE: await self.is_writable(),
        }

    async def failed_conditions(self) -> list[str]:
        """Return the conditions that fail; empty if the bot can serve."""
        return [name for name, holds in (await self.conditions()).items() if not holds]

    def silence(self) -> float:
        """Return the seconds since Telegram last answered the receiver."""
        return self.monotonic() - self.last_contact_at()

    def _are_parts_alive(self) -> bool:
        now = self.monotonic()
        is_late = any(now > deadline() for deadline in self.deadlines.values())
        return bool(self.tasks) and not is_late and not any(task.done() for task in self.tasks)


def read_build_info(model: str) -> dict[str, str]:
    """Return the versions of the bot ("source" if not installed), of Python and of SQLite, and the image model."""
    try:
        own = version("darkroom-bot")
    except PackageNotFoundError:
        own = "source"
    return {"version": own, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "model": model}
