"""The bell that wakes the worker."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from bot.store.database import Database
from bot.store.transaction import Transaction

T = TypeVar("T")


class Wakeup:
    """Rings when rows may have changed; whoever rings just before the commit has the worker plan within it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._has_changes = True

    def wake(self) -> None:
        """Say that something may be due."""
        self._has_changes = True
        self._event.set()

    def wake_without_changes(self) -> None:
        """Wake the worker without news: it may be time for something that it knows of."""
        self._event.set()

    async def commit_and_wake(self, db: Database, work: Callable[[Transaction], T]) -> T:
        """Commit a unit of work after which something is mostly due, and let the worker plan within the same commit."""
        self.wake()
        return await db.transact(work)

    def pop_changed(self) -> bool:
        """Say whether it rang since the last time that this was asked."""
        news, self._has_changes = self._has_changes, False
        return news

    def is_set(self) -> bool:
        """Say whether it rang, or stirred, since it was cleared."""
        return self._event.is_set()

    def clear(self) -> None:
        """Let `wait` wait again."""
        self._event.clear()

    async def wait(self) -> None:
        """Wait until it rings or stirs."""
        await self._event.wait()
