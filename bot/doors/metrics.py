"""The door for Prometheus: GET /metrics on METRICS_HOST and METRICS_PORT, and nothing else.

What was counted is there at once; what the database, the disk and the parts know is read for each scrape. Where one
of them fails or hangs the others are shown all the same, and `darkroom_source_up` says so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.doors.listening import Server
from bot.doors.source import Source
from bot.meters import Meters
from bot.store.room import Room
from bot.store.sight import Seen

PATH = "/metrics"


@dataclass(frozen=True)
class Sources:
    """Where the figures come from that nobody counts."""

    conditions: Callable[[], Awaitable[Mapping[str, bool]]]
    database: Callable[[], Awaitable[Seen]]
    disk: Callable[[], Awaitable[Room]]
    #: since Telegram last answered the receiver, in seconds
    silence: Callable[[], float]
    #: what runs here: names of versions, and the model
    build: Mapping[str, str]


@dataclass(frozen=True)
class Scrape:
    """What one scrape has found; None in the place of what could not be read."""

    meters: Meters
    build: Mapping[str, str]
    conditions: Mapping[str, bool] | None
    seen: Seen | None
    room: Room | None
    #: since Telegram last answered the receiver, in seconds
    silence: float
    #: whether each source could be read, by name
    sources: Mapping[str, bool]


#: Writes down what was found, in a format that an Accept header asks for; returns it with its content type.
Write = Callable[[Scrape, str], tuple[bytes, str]]


class Metrics:
    """Answers scrapes, in the classic format or, where it is asked for, in that of OpenMetrics."""

    def __init__(self, meters: Meters, sources: Sources, write: Write) -> None:
        self._meters = meters
        self._sources = sources
        self._write = write
        self._conditions = Source("parts", sources.conditions)
        self._database = Source("database", sources.database)
        self._disk = Source("disk", sources.disk)
        app = web.Application()
        app.router.add_get(PATH, self._handle, allow_head=False)
        self._server = Server(app, prefix="METRICS_")

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        return f"{await self._server.open(host, port)}{PATH}"

    async def close(self) -> None:
        """Stop listening."""
        await self._server.close()

    async def scrape(self) -> Scrape:
        """Read everything there is to read."""
        conditions, seen, room = await asyncio.gather(self._conditions.get(), self._database.get(), self._disk.get())
        read = {self._conditions.name: conditions, self._database.name: seen, self._disk.name: room}
        return Scrape(
            meters=self._meters,
            build=self._sources.build,
            conditions=conditions,
            seen=seen,
            room=room,
            silence=self._sources.silence(),
            sources={name: found is not None for name, found in read.items()},
        )

    async def _handle(self, request: web.Request) -> web.Response:
        content, content_type = self._write(await self.scrape(), request.headers.get("Accept", ""))
        return web.Response(body=content, headers={"Content-Type": content_type})
