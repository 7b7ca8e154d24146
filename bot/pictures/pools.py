"""Pools: connections to the hosts of the latest pictures, kept for the next one, apart for each name.

Two names at the same address (a CDN) must never share a connection, because its
certificate was checked for one of them only.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

#: Names for which connections are kept; Kie's pictures come from one or two.
MOST_NAMES = 4

#: Seconds for which a connection is kept, below what servers and what stands before them allow.
KEPT_FOR = 30.0

#: What a name's pool may keep.
KEPT = httpx.Limits(max_keepalive_connections=2, keepalive_expiry=KEPT_FOR)


@dataclass
class _Pool:
    client: httpx.AsyncClient
    users: int = 0


class Pools:
    """A client for each of the latest names; `make` makes another one."""

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        #: by name, the latest last
        self._pools: dict[str, _Pool] = {}

    @asynccontextmanager
    async def to(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        """Lend the client of a name."""
        pool = self._pools.pop(name, None) or _Pool(self._make())
        self._pools[name] = pool
        pool.users += 1
        try:
            yield pool.client
        finally:
            pool.users -= 1
            await self._forget()

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.client.aclose()

    async def _forget(self) -> None:
        """Close the connections to all but the latest names, unless they are in use."""
        older = list(self._pools)[: max(0, len(self._pools) - MOST_NAMES)]
        for name in [name for name in older if not self._pools[name].users]:
            await self._pools.pop(name).client.aclose()
