"""Source: something that is read at each scrape, and may fail or hang without holding up the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds for which a source is waited for; Prometheus gives up after ten by default.
PATIENCE = 4.0


class Source(Generic[T]):
    """Reads by `read`, once at a time: what hangs is waited for again, and not asked once more."""

    def __init__(self, name: str, read: Callable[[], Awaitable[T]], *, patience: float = PATIENCE) -> None:
        self.name = name
        self._read = read
        self._patience = patience
        self._reading: asyncio.Task[T | None] | None = None

    async def get(self) -> T | None:
        """Return what there is to read, None if it cannot be had now."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._one_read(), name=f"read the {self.name} for a scrape")
        reading = self._reading
        done, _ = await asyncio.wait([reading], timeout=self._patience)
        if reading not in done:
            return None
        if self._reading is reading:
            self._reading = None
        return reading.result()

    async def _one_read(self) -> T | None:
        try:
            return await self._read()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other figures are wanted all the same
            log.warning("no figures from the %s: %s", self.name, error)
            return None
