"""The bot as a process that can be killed and started again; its database outlives it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from bot.sandbox.child import BotStopped, Child, LogLine


class Life(StrEnum):
    """Where the process is."""

    STARTING = "starting"
    RUNNING = "running"
    #: killed, stopped, or ended by itself
    STOPPED = "stopped"


class Actor:
    """One process at a time, in the same folder in each of its lives; `variables` is its whole environment."""

    def __init__(
        self,
        words: Sequence[str],
        variables: Callable[[], Mapping[str, str]],
        folder: Path,
        on_line: Callable[[LogLine], None],
    ) -> None:
        self._words = words
        self._variables = variables
        self._folder = folder
        self._on_line = on_line
        self._child: Child | None = None
        # two clicks at once must not leave two bots on one database
        self._one_at_a_time = asyncio.Lock()

    @property
    def life(self) -> Life:
        """Where the process is at this moment."""
        if self._child is None:
            return Life.STOPPED
        try:
            self._child.check()
        except BotStopped:
            return Life.STOPPED
        return Life.RUNNING if self._child.is_ready else Life.STARTING

    @property
    def pid(self) -> int | None:
        """The id of the process that runs or ran last, None before the first."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Start it, unless it runs; whether it gets ready is seen by its `life`."""
        async with self._one_at_a_time:
            await self._start()

    async def kill(self) -> None:
        """End it as a power cut would."""
        async with self._one_at_a_time:
            if self._child is not None:
                await self._child.kill()

    async def restart(self) -> None:
        """End it as a supervisor would, and start it again."""
        async with self._one_at_a_time:
            await self._stop()
            await self._start()

    async def stop(self) -> None:
        """End it as a supervisor would."""
        async with self._one_at_a_time:
            await self._stop()

    async def _start(self) -> None:
        if self.life is Life.STOPPED:
            self._child = Child(self._on_line)
            await self._child.start(self._words, self._variables(), self._folder)

    async def _stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
