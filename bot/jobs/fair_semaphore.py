"""A semaphore of which nobody alone can hold all places, however much of his is to be done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class FairSemaphore:
    """So many places for all persons together, and one less for each of them; who waits is served in turn."""

    def __init__(self, places: int) -> None:
        self._of_all = asyncio.Semaphore(places)
        self._most_of_one = places - 1
        #: of the persons who hold a place, or wait for one
        self._of_each: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def place_of(self, person: int) -> AsyncIterator[None]:
        """Hold a place for somebody."""
        of_one = self._of_each.setdefault(person, asyncio.Semaphore(self._most_of_one))
        async with of_one, self._of_all:
            yield
