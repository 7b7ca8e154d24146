"""The door for Prometheus: GET /metrics on METRICS_HOST and METRICS_PORT, and nothing else.

What was counted is there at once; what the database, the disk and the parts know is read for each scrape. Where one
of them fails or hangs the others are shown all the same, and `darkroom_source_up` says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web

from bot.inbound.http_server import HttpServer
from bot.metrics import Meters
from bot.store.snapshot import DiskSpace, Snapshot

PATH = "/metrics"


@dataclass(frozen=True)
class MetricsSources:
    """Where the figures come from that nobody counts."""

    conditions: Callable[[], Awaitable[Mapping[str, bool]]]
    database: Callable[[], Awaitable[Snapshot]]
    disk: Callable[[], Awaitable[DiskSpace]]
    #: since Telegram last answered the receiver, in seconds
    receiver_silence: Callable[[], float]
    #: what runs here: names of versions, and the model
    build: Mapping[str, str]


@dataclass(frozen=True)
class Scrape:
    """What one scrape has found; None in the place of what could not be read."""

    meters: Meters
    build: Mapping[str, str]
    conditions: Mapping[str, bool] | None
    snapshot: Snapshot | None
    disk_space: DiskSpace | None
    #: since Telegram last answered the receiver, in seconds
    receiver_silence: float
    #: whether each source could be read, by name
    sources: Mapping[str, bool]


#: Writes down what was found, in a format that an Accept header asks for; returns it with its content type.
MetricsRenderer = Callable[[Scrape, str], tuple[bytes, str]]


class MetricsEndpoint:
    """Answers scrapes, in the classic format or, where it is asked for, in that of OpenMetrics."""

    def __init__(self, meters: Meters, sources: MetricsSources, write: MetricsRenderer) -> None:
        self._meters = meters
        self._sources = sources
        self._render = write
        self._conditions = BoundedReader("parts", sources.conditions)
        self._database = BoundedReader("database", sources.database)
        self._disk = BoundedReader("disk", sources.disk)
        app = web.Application()
        app.router.add_get(PATH, self._handle, allow_head=False)
        self._server = HttpServer(app, prefix="METRICS_")

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
            snapshot=seen,
            disk_space=room,
            receiver_silence=self._sources.receiver_silence(),
            sources={name: found is not None for name, found in read.items()},
        )

    async def _handle(self, request: web.Request) -> web.Response:
        content, content_type = self._render(await self.scrape(), request.headers.get("Accept", ""))
        return web.Response(body=content, headers={"Content-Type": content_type})


T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds for which a source is waited for; Prometheus gives up after ten by default.
SOURCE_TIMEOUT = 4.0


class BoundedReader(Generic[T]):
    """Reads by `read`, once at a time: what hangs is waited for again, and not asked once more."""

    def __init__(self, name: str, read: Callable[[], Awaitable[T]], *, patience: float = SOURCE_TIMEOUT) -> None:
        self.name = name
        self._read = read
        self._timeout = patience
        self._pending_read: asyncio.Task[T | None] | None = None

    async def get(self) -> T | None:
        """Return what there is to read, None if it cannot be had now."""
        if self._pending_read is None:
            self._pending_read = asyncio.create_task(self._read_once(), name=f"read the {self.name} for a scrape")
        reading = self._pending_read
        done, _ = await asyncio.wait([reading], timeout=self._timeout)
        if reading not in done:
            return None
        if self._pending_read is reading:
            self._pending_read = None
        return reading.result()

    async def _read_once(self) -> T | None:
        try:
            return await self._read()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other figures are wanted all the same
            log.warning("no figures from the %s: %s", self.name, error)
            return None
