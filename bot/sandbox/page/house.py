"""The house: holds the scene that is played, and puts another one in its place."""

import asyncio
from contextlib import AsyncExitStack, suppress

from bot.sandbox.page.scene import Options, Scene, a_scene

#: how long it takes at most until something shows that rings no bell, in seconds: a task's progress, a line of the log
TICK_SECONDS = 0.25
#: at most so often is told what changed, in seconds
PACE_SECONDS = 0.04


class House:
    """One scene at a time; `closing` is set when there will be no other."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._scene: Scene | None = None
        self._one_at_a_time = asyncio.Lock()
        self.closing = asyncio.Event()

    @property
    def scene(self) -> Scene:
        """The scene that is played; raises LookupError while there is none."""
        if self._scene is None:
            raise LookupError("everything is being set up anew, one moment")
        return self._scene

    async def reset(self) -> None:
        """Begin anew: chats, people, Kie, the bot and its database."""
        async with self._one_at_a_time:
            await self._close()
            self._scene = await self._stack.enter_async_context(a_scene(self._options))

    async def close(self) -> None:
        """Take everything down."""
        self.closing.set()
        async with self._one_at_a_time:
            await self._close()

    async def change(self) -> None:
        """Return when something may have changed, soon at the latest."""
        await asyncio.sleep(PACE_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                if self._scene is None:
                    await self.closing.wait()
                else:
                    await self._scene.telegram.cloud.changes.wait()

    async def _close(self) -> None:
        self._scene = None
        await self._stack.aclose()
