"""The metrics endpoint: GET /metrics on METRICS_HOST and METRICS_PORT, for Prometheus.

Counters and histograms are in memory; gauges are read from the database, the disk and the bot's parts at each scrape.
If one of these sources fails or hangs, `darkroom_source_up` shows it, and the other metrics are served all the same.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from bot.clock import seconds_between
from bot.inbound.http_server import HttpServer
from bot.pipeline.circuit_breakers import BREAKER_PAUSES
from bot.settings import METRICS_PATH
from bot.store.backlog_snapshot import DiskSpace, Snapshot

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds to wait for a source; Prometheus gives up after ten by default.
SOURCE_TIMEOUT = 4.0


@dataclass(frozen=True)
class MetricsSources:
    """Where the gauges come from."""

    conditions: Callable[[], Awaitable[Mapping[str, bool]]]
    database: Callable[[], Awaitable[Snapshot]]
    disk: Callable[[], Awaitable[DiskSpace]]
    #: seconds since Telegram last answered the receiver of updates
    receiver_silence: Callable[[], float]
    #: versions by name, and the model
    build: Mapping[str, str]


class MetricsEndpoint:
    """Answers scrapes in Prometheus' text format or, if the client accepts it, in OpenMetrics."""

    def __init__(self, registry: CollectorRegistry, sources: MetricsSources) -> None:
        self._registry = registry
        Info("darkroom_build", "What runs here.", registry=registry).info(dict(sources.build))
        Gauge(
            "darkroom_receiver_silence_seconds", "Since Telegram last answered the receiver.", registry=registry
        ).set_function(sources.receiver_silence)
        ProcessCollector(registry=registry)
        self._conditions = BoundedReader("parts", sources.conditions)
        self._database = BoundedReader("database", sources.database)
        self._disk = BoundedReader("disk", sources.disk)
        app = web.Application()
        app.router.add_get(METRICS_PATH, self._handle, allow_head=False)
        self._server = HttpServer(app, setting_prefix="METRICS_")

    async def open(self, host: str, port: int) -> str:
        """Start listening and return the URL. Raises CannotRun if the port cannot be used."""
        return f"{await self._server.open(host, port)}{METRICS_PATH}"

    async def close(self) -> None:
        """Stop listening."""
        await self._server.close()

    async def _handle(self, request: web.Request) -> web.Response:
        conditions, snapshot, disk_space = await asyncio.gather(
            self._conditions.read(), self._database.read(), self._disk.read()
        )
        scrape = _Scrape(self._registry, conditions, snapshot, disk_space)
        try:
            encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        except TypeError:  # for a version that is not a number (prometheus-client 0.26)
            encode, content_type = choose_encoder("")
        return web.Response(body=encode(scrape), headers={"Content-Type": content_type})


class BoundedReader(Generic[T]):
    """Reads a source with a timeout; the next call waits for a read that hangs and does not start a second one."""

    def __init__(self, name: str, read: Callable[[], Awaitable[T]]) -> None:
        self._name = name
        self._read = read
        self._timeout = SOURCE_TIMEOUT
        self._pending_read: asyncio.Task[T | None] | None = None

    async def read(self) -> T | None:
        """Return the source's value; None if it fails or does not answer in time."""
        if self._pending_read is None:
            self._pending_read = asyncio.create_task(self._read_once(), name=f"read the {self._name} for a scrape")
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
        except Exception as error:  # noqa: BLE001 - a broken source must not hide the others
            log.warning("metrics cannot be read from the %s: %s", self._name, error)
            return None


@dataclass(frozen=True)
class _Scrape(Collector):
    """Collects the registry and the gauges of one scrape; a source that could not be read is None."""

    registry: CollectorRegistry
    conditions: Mapping[str, bool] | None
    snapshot: Snapshot | None
    disk_space: DiskSpace | None

    def collect(self) -> Iterator[Metric]:
        yield from self.registry.collect()
        if self.conditions is not None:
            yield _flags("darkroom_ready", "Whether each condition for serving holds.", "condition", self.conditions)
        if self.snapshot is not None:
            yield from _snapshot_metrics(self.snapshot)
        if self.disk_space is not None:
            yield _gauge("darkroom_database_size_bytes", "What the database takes on its disk.", self.disk_space.used)
            yield _gauge("darkroom_disk_free_bytes", "What is left on the disk of the database.", self.disk_space.free)
        sources = {"parts": self.conditions, "database": self.snapshot, "disk": self.disk_space}
        is_up = {name: value is not None for name, value in sources.items()}
        yield _flags("darkroom_source_up", "Whether each source of metrics could be read.", "source", is_up)


def _snapshot_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("darkroom_jobs", "Unfinished or unanswered edits in each state.", labels=["state"])
    for state, number in snapshot.jobs.items():
        jobs.add_metric([state], number)
    yield jobs
    yield _gauge("darkroom_oldest_queued_seconds", "Age of the oldest queued edit.", snapshot.oldest_queued_seconds)
    yield _gauge("darkroom_oldest_at_kie_seconds", "Age of the oldest order at Kie.", snapshot.oldest_at_kie_seconds)
    yield _gauge("darkroom_outbox_messages", "Messages that wait to be sent.", snapshot.outbox_size)
    yield _gauge("darkroom_outbox_late_seconds", "Delay of the most overdue message.", snapshot.outbox_delay_seconds)
    yield _gauge("darkroom_inbox_updates", "Updates that wait to be handled.", snapshot.inbox_size)
    is_open = {name: name in snapshot.open_breakers for name in sorted(BREAKER_PAUSES)}
    yield _flags("darkroom_breaker_open", "Whether a circuit breaker stops or slows orders.", "breaker", is_open)
    if snapshot.balance is not None:
        yield _gauge("darkroom_kie_credits_left", "Credits, as Kie said last.", snapshot.balance.credits)
        asked_at = seconds_between(0, snapshot.balance.asked_at)
        yield _gauge("darkroom_kie_credits_asked_timestamp_seconds", "When the credits were last read.", asked_at)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _flags(name: str, documentation: str, label: str, values: Mapping[str, bool]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, is_set in values.items():
        family.add_metric([value], float(is_set))
    return family
