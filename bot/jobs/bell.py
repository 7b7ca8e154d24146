"""The bell that wakes the worker."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from bot.store.connection import Database
from bot.store.transaction import Transaction

T = TypeVar("T")


class Bell:
    """Rings when rows may have changed; whoever rings just before the commit has the worker plan within it."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._has_news = True

    def ring(self) -> None:
        """Say that something may be due."""
        self._has_news = True
        self._woken.set()

    def stir(self) -> None:
        """Wake the worker without news: it may be time for something that it knows of."""
        self._woken.set()

    async def commit(self, db: Database, work: Callable[[Transaction], T]) -> T:
        """Commit a unit of work after which something is mostly due, and let the worker plan within the same commit."""
        self.ring()
        return await db.unit(work)

    def takes_news(self) -> bool:
        """Say whether it rang since the last time that this was asked."""
        news, self._has_news = self._has_news, False
        return news

    def is_set(self) -> bool:
        """Say whether it rang, or stirred, since it was cleared."""
        return self._woken.is_set()

    def clear(self) -> None:
        """Let `wait` wait again."""
        self._woken.clear()

    async def wait(self) -> None:
        """Wait until it rings or stirs."""
        await self._woken.wait()
