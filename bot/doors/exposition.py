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

from bot.doors.metrics import Scrape
from bot.job import seconds_between
from bot.jobs.trouble import PAUSES
from bot.meters import Count, Histogram
from bot.store.sight import Seen


def written(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    """Write figures down, in OpenMetrics' format where an Accept header asks for it; return them with their type."""
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:  # of a version that is no number (prometheus-client 0.26)
        encode, content_type = choose_encoder("")
    return encode(_Figures(scrape)), content_type


class _Figures(Collector):
    """What one scrape has found, to be collected once."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterator[Metric]:
        """Return the figures."""
        scrape = self._scrape
        yield InfoMetricFamily("darkroom_build", "What runs here.", value=dict(scrape.build))
        yield from map(_count, scrape.meters.counts)
        yield from map(_histogram, scrape.meters.histograms)
        yield _gauge("darkroom_receiver_silence_seconds", "Since Telegram last answered the receiver.", scrape.silence)
        if scrape.conditions is not None:
            yield _flags("darkroom_ready", "Whether what has to be there is there.", "condition", scrape.conditions)
        if scrape.seen is not None:
            yield from _seen(scrape.seen)
        if scrape.room is not None:
            yield _gauge("darkroom_database_size_bytes", "What the database takes on its disk.", scrape.room.taken)
            yield _gauge("darkroom_disk_free_bytes", "What is left on the disk of the database.", scrape.room.free)
        yield _flags("darkroom_source_up", "Whether these figures could be read.", "source", scrape.sources)
        yield from ProcessCollector(registry=None).collect()


def _seen(seen: Seen) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("darkroom_jobs", "Edits in each state in which something is left to do.", labels=["state"])
    for state, number in seen.jobs.items():
        jobs.add_metric([state], number)
    yield jobs
    yield _gauge("darkroom_oldest_queued_seconds", "Age of the oldest edit in the line.", seen.oldest_queued)
    yield _gauge("darkroom_oldest_at_kie_seconds", "Age of the oldest order at Kie.", seen.oldest_at_kie)
    yield _gauge("darkroom_outbox_messages", "Messages to people that wait to be sent.", seen.outbox)
    yield _gauge("darkroom_outbox_late_seconds", "By how much the most overdue of them is late.", seen.outbox_late)
    yield _gauge("darkroom_inbox_updates", "Updates that wait to be handled.", seen.inbox)
    is_open = {name: name in seen.breakers for name in sorted(PAUSES)}
    yield _flags("darkroom_breaker_open", "Whether nothing is ordered, or one at a time, for this.", "breaker", is_open)
    if seen.balance is not None:
        yield _gauge("darkroom_kie_credits_left", "Credits, as Kie said last.", seen.balance.credits)
        asked_at = seconds_between(0, seen.balance.asked_at)
        yield _gauge("darkroom_kie_credits_asked_timestamp_seconds", "When it was asked for them.", asked_at)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _flags(name: str, meaning: str, label: str, values: Mapping[str, bool]) -> Metric:
    flags = GaugeMetricFamily(name, meaning, labels=[label])
    for value, is_set in values.items():
        flags.add_metric([value], float(is_set))
    return flags


def _count(count: Count) -> Metric:
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
