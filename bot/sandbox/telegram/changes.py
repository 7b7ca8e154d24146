"""A bell that rings whenever anything changes, so that nobody has to sleep and look again."""

import asyncio


class Changes:
    """Wakes everybody who waits, once per change."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()

    def notify(self) -> None:
        """Wake everybody who waits at this moment."""
        self._bell.set()
        self._bell = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next change."""
        await self._bell.wait()
