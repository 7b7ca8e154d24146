"""Health: whether the bot can serve, and if not, what is missing, in words that tell a stranger nothing else.

It can serve when Telegram has answered its receiver lately, when its parts live and move, and when its database can
be written to. The last is tried by writing, because a disk tells in no other way that it is full or read-only.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bot.settings import MustRestart

log = logging.getLogger(__name__)

RECEIVER, WORKER, DATABASE = "receiver", "worker", "database"

#: What has to be there, in the order in which it is told.
CONDITIONS = (RECEIVER, WORKER, DATABASE)

#: Seconds for which it is believed that the database can be written to, or cannot: strangers may ask, too.
BELIEVED = 10.0

#: Seconds that writing may take.
PATIENCE = 3.0


class Writable:
    """Tries now and then whether anything can be written; `write` raises MustRestart when it cannot."""

    def __init__(
        self, write: Callable[[], Awaitable[object]], *, monotonic: Callable[[], float], patience: float = PATIENCE
    ) -> None:
        self._write = write
        self._monotonic = monotonic
        self._patience = patience
        self._tried_at = -math.inf
        self._trying: asyncio.Task[bool] | None = None

    async def __call__(self) -> bool:
        """Say whether it can be written to, as of the last few seconds; one try at a time, however many ask."""
        if self._trying is None or (self._trying.done() and self._monotonic() - self._tried_at >= BELIEVED):
            self._tried_at = self._monotonic()
            self._trying = asyncio.create_task(self._try(), name="try to write")
        done, _ = await asyncio.wait([self._trying], timeout=self._patience)
        return self._trying in done and self._trying.result()

    async def _try(self) -> bool:
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
    writable: Callable[[], Awaitable[bool]]
    #: for each part the moment after which it is to be taken for dead, by name
    late_at: Mapping[str, Callable[[], float]]
    #: when the receiver last had a good answer of Telegram, and for how many seconds that holds
    fresh_at: Callable[[], float]
    fresh_for: float
    #: the tasks of the parts; empty before the bot serves
    parts: list[asyncio.Task[None]] = field(default_factory=list)

    async def conditions(self) -> dict[str, bool]:
        """Return what has to be there, and whether it is."""
        return {RECEIVER: self._is_fresh(), WORKER: self._lives(), DATABASE: await self.writable()}

    async def missing(self) -> list[str]:
        """Return what is missing; nothing if the bot can serve."""
        return [name for name, is_there in (await self.conditions()).items() if not is_there]

    def silence(self) -> float:
        """Return the seconds since Telegram last answered the receiver."""
        return self.monotonic() - self.fresh_at()

    def _is_fresh(self) -> bool:
        return self.silence() < self.fresh_for

    def _lives(self) -> bool:
        now = self.monotonic()
        is_late = any(now > late_at() for late_at in self.late_at.values())
        return bool(self.parts) and not is_late and not any(part.done() for part in self.parts)
