"""Exposition: the figures in the shapes of Prometheus' client library, which writes them down for a scrape."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bot.clock import seconds_between
from bot.inbound.metrics_endpoint import Scrape
from bot.metrics import Count, Histogram
from bot.pipeline.circuit_breakers import BREAKER_PAUSES
from bot.store.snapshot import Snapshot


def render_metrics(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    """Write figures down, in OpenMetrics' format where an Accept header asks for it; return them with their type."""
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:  # of a version that is no number (prometheus-client 0.26)
        encode, content_type = choose_encoder("")
    return encode(_ScrapeCollector(scrape)), content_type


class _ScrapeCollector(Collector):
    """What one scrape has found, to be collected once."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterator[Metric]:
        """Return the figures."""
        scrape = self._scrape
        yield InfoMetricFamily("darkroom_build", "What runs here.", value=dict(scrape.build))
        yield from map(_counter, scrape.meters.counts)
        yield from map(_histogram, scrape.meters.histograms)
        yield _gauge(
            "darkroom_receiver_silence_seconds", "Since Telegram last answered the receiver.", scrape.receiver_silence
        )
        if scrape.conditions is not None:
            yield _flag_gauges(
                "darkroom_ready", "Whether what has to be there is there.", "condition", scrape.conditions
            )
        if scrape.snapshot is not None:
            yield from _snapshot_metrics(scrape.snapshot)
        if scrape.disk_space is not None:
            yield _gauge("darkroom_database_size_bytes", "What the database takes on its disk.", scrape.disk_space.used)
            yield _gauge(
                "darkroom_disk_free_bytes", "What is left on the disk of the database.", scrape.disk_space.free
            )
        yield _flag_gauges("darkroom_source_up", "Whether these figures could be read.", "source", scrape.sources)
        yield from ProcessCollector(registry=None).collect()


def _snapshot_metrics(seen: Snapshot) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("darkroom_jobs", "Edits in each state in which something is left to do.", labels=["state"])
    for state, number in seen.jobs.items():
        jobs.add_metric([state], number)
    yield jobs
    yield _gauge("darkroom_oldest_queued_seconds", "Age of the oldest edit in the line.", seen.oldest_queued_seconds)
    yield _gauge("darkroom_oldest_at_kie_seconds", "Age of the oldest order at Kie.", seen.oldest_at_kie_seconds)
    yield _gauge("darkroom_outbox_messages", "Messages to people that wait to be sent.", seen.outbox_size)
    yield _gauge(
        "darkroom_outbox_late_seconds", "By how much the most overdue of them is late.", seen.outbox_delay_seconds
    )
    yield _gauge("darkroom_inbox_updates", "Updates that wait to be handled.", seen.inbox_size)
    is_open = {name: name in seen.open_breakers for name in sorted(BREAKER_PAUSES)}
    yield _flag_gauges(
        "darkroom_breaker_open", "Whether nothing is ordered, or one at a time, for this.", "breaker", is_open
    )
    if seen.balance is not None:
        yield _gauge("darkroom_kie_credits_left", "Credits, as Kie said last.", seen.balance.credits)
        asked_at = seconds_between(0, seen.balance.asked_at)
        yield _gauge("darkroom_kie_credits_asked_timestamp_seconds", "When it was asked for them.", asked_at)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _flag_gauges(name: str, meaning: str, label: str, values: Mapping[str, bool]) -> Metric:
    flags = GaugeMetricFamily(name, meaning, labels=[label])
    for value, is_set in values.items():
        flags.add_metric([value], float(is_set))
    return flags


def _counter(count: Count) -> Metric:
    family = CounterMetricFamily(count.name, count.meaning, labels=count.labels)
    for values, number in count.values.items():
        family.add_metric(values, number)
    return family


def _histogram(histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(histogram.name, histogram.meaning, labels=histogram.labels)
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    for values, series in histogram.series.items():
        family.add_metric(values, _buckets(bounds, series.up_to_bounds()), series.sum)
    return family


def _buckets(bounds: Iterable[str], numbers: Iterable[int]) -> list[tuple[str, float]]:
    return [(bound, float(number)) for bound, number in zip(bounds, numbers, strict=True)]
