"""Scrapes a bot's metrics and parses them as Prometheus does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import aiohttp
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser

from tests.bot_harness import BotHarness

#: The Accept header that Prometheus sends.
OPENMETRICS_ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@dataclass(frozen=True)
class MetricsScrape:
    """The metrics of one scrape."""

    families: Mapping[str, Metric]
    content_type: str
    text: str = field(repr=False)

    def value(self, name: str, **labels: str) -> float:
        """Return a sample by its full name and all its labels; 0 where it is missing."""
        found = [value for sample, these, value in self.samples() if sample == name and these == labels]
        return found[0] if found else 0.0

    def values_by_labels(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the samples of a name that are not 0, by the values of some labels."""
        summed: dict[tuple[str, ...], float] = {}
        for sample, these, value in self.samples():
            if sample == name and value:
                key = tuple(these[label] for label in labels)
                summed[key] = summed.get(key, 0.0) + value
        return summed

    def samples(self) -> Iterable[tuple[str, dict[str, str], float]]:
        """Return every sample with its name and its labels."""
        for family in self.families.values():
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value


async def scrape_metrics(house: BotHarness, *, accept: str = "") -> MetricsScrape:
    """Open the metrics endpoint, scrape it once, and close it."""
    assert house.bot.metrics_endpoint is not None
    address = await house.bot.metrics_endpoint.open("127.0.0.1", 0)
    try:
        return await scrape_url(address, accept=accept)
    finally:
        await house.bot.metrics_endpoint.close()


async def scrape_url(address: str, *, accept: str = "") -> MetricsScrape:
    """Scrape a URL."""
    async with aiohttp.ClientSession() as http, http.get(address, headers={"Accept": accept}) as response:
        assert response.status == 200
        text = await response.text()
        content_type = response.headers["Content-Type"]
    parse = openmetrics_parser if content_type.startswith("application/openmetrics-text") else parser
    return MetricsScrape(
        {family.name: family for family in parse.text_string_to_metric_families(text)}, content_type, text
    )
