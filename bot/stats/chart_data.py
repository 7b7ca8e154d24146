"""Chooses which statistics the chart shows, and labels them in a language."""

import math
from datetime import UTC, datetime

from bot.clock import Instant
from bot.i18n import Sentence, sentence, short_duration
from bot.stats.aggregates import (
    DAYS_PER_WEEK,
    FAILED_OUTCOMES,
    EditOutcome,
    Period,
    PeriodStatistics,
    PeriodUnit,
    TimeBucket,
    WaitTimes,
)
from bot.stats.chart_types import ChartBar, ChartData, OutcomeRow, WaitRow

#: Labels below the bars, at most.
MAX_TICKS = 4


def build_chart_data(statistics: PeriodStatistics, language: str) -> ChartData:
    """Return the data of the chart, with labels in a language."""

    def translate(text: Sentence) -> str:
        return text.translate(language)

    is_hourly = statistics.period.unit is PeriodUnit.HOURS
    bars_title = {0: "stats-by-hour", 1: "stats-by-day", DAYS_PER_WEEK: "stats-by-week"}
    return ChartData(
        title=translate(period_title(statistics.period)),
        until=translate(sentence("stats-until", time=format_utc(statistics.now))),
        tiles=tuple((translate(value), translate(label)) for label, value in _tiles(statistics)),
        bars_title=translate(sentence(bars_title[statistics.period.days_per_bar])),
        bars=tuple(map(_build_bar, statistics.buckets)),
        ticks=_ticks(statistics),
        legend=_legend(statistics, language),
        hours_title="" if is_hourly else translate(sentence("stats-of-day")),
        hours=() if is_hourly else statistics.by_hour_of_day,
        outcomes_title=translate(sentence("stats-ends")),
        outcomes=_outcome_rows(statistics, language),
        waits_title=translate(sentence("stats-wait")),
        kie=translate(sentence("stats-of-it-kie")),
        waits=() if statistics.wait_times is None else _wait_rows(statistics.wait_times, language),
    )


def period_title(period: Period) -> Sentence:
    """Return the name of a period."""
    name = "stats-hours" if period.unit is PeriodUnit.HOURS else "stats-days"
    return sentence(name, count=period.count)


def format_utc(moment: Instant, pattern: str = "%Y-%m-%d %H:%M") -> str:
    """Return a time in UTC, in a format that reads alike in every language."""
    return datetime.fromtimestamp(moment / 1000, UTC).strftime(pattern)


def outcomes_by_frequency(statistics: PeriodStatistics) -> list[EditOutcome]:
    """Return the outcomes that occurred: success first, and then the most frequent ones first."""
    occurred = [outcome for outcome in EditOutcome if statistics.outcomes[outcome]]
    return sorted(occurred, key=lambda each: (each is not EditOutcome.SUCCEEDED, -statistics.outcomes[each]))


def percentage(share: float) -> float | int:
    """Return a share of 1 in percent, with one decimal where it would otherwise round to 0 or 100."""
    exact = share * 100
    if 99 < exact < 100:
        return math.floor(exact * 10) / 10
    return math.ceil(exact * 10) / 10 if 0 < exact < 1 else round(exact)


def _tiles(statistics: PeriodStatistics) -> list[tuple[Sentence, Sentence]]:
    tiles = [(sentence("stats-tile-edits"), _format_number(statistics.edits))]
    if statistics.success_rate is not None:
        rate = sentence("stats-percent", share=percentage(statistics.success_rate))
        tiles.append((sentence("stats-tile-success"), rate))
    if statistics.wait_times is not None:
        tiles.append((sentence("stats-tile-wait"), short_duration(statistics.wait_times.median / 1000)))
    return [*tiles, (sentence("stats-tile-credits"), _format_number(round(statistics.credits_spent)))]


def _format_number(count: int) -> Sentence:
    return sentence("stats-number", count=count)


def _build_bar(bucket: TimeBucket) -> ChartBar:
    days = max(1.0, bucket.days)
    return ChartBar(bucket.succeeded / days, bucket.failed / days, bucket.others / days)


def _ticks(statistics: PeriodStatistics) -> tuple[tuple[int, str], ...]:
    """Label evenly spaced bars, among them the last one, with the times at which they begin."""
    count = len(statistics.buckets)
    pattern = {0: "%H:%M", 1: "%m-%d", DAYS_PER_WEEK: "%Y-%m"}[statistics.period.days_per_bar]
    numbers = range(count - 1, -1, -math.ceil(count / MAX_TICKS))
    return tuple((number, format_utc(statistics.buckets[number].start, pattern)) for number in numbers)


def _legend(statistics: PeriodStatistics, language: str) -> tuple[tuple[str, str], ...]:
    parts = (
        ("made", "stats-end-made", any(each.succeeded for each in statistics.buckets)),
        ("not_made", "stats-failed", any(each.failed for each in statistics.buckets)),
        ("others", "stats-others", any(each.others for each in statistics.buckets)),
    )
    return tuple((kind, sentence(name).translate(language)) for kind, name, is_shown in parts if is_shown)


def _outcome_rows(statistics: PeriodStatistics, language: str) -> tuple[OutcomeRow, ...]:
    """Return a row for success, one for each cause of failure, and one for all other outcomes."""

    def row(label: Sentence, count: int, kind: str) -> OutcomeRow:
        share = sentence("stats-percent", share=percentage(count / statistics.edits))
        text = f"{_format_number(count).translate(language)} · {share.translate(language)}"
        return OutcomeRow(label.translate(language), count, text, kind)

    shown = [each for each in outcomes_by_frequency(statistics) if each in (EditOutcome.SUCCEEDED, *FAILED_OUTCOMES)]
    kinds = {EditOutcome.SUCCEEDED: "made"}
    rows = [row(sentence(each.sentence_name), statistics.outcomes[each], kinds.get(each, "not_made")) for each in shown]
    others = statistics.edits - sum(statistics.outcomes[each] for each in shown)
    return (*rows, row(sentence("stats-others"), others, "others")) if others else tuple(rows)


def _wait_rows(waits: WaitTimes, language: str) -> tuple[WaitRow, ...]:
    def row(label: Sentence, total_ms: int, kie_ms: int) -> WaitRow:
        total, at_kie = total_ms / 1000, min(total_ms, kie_ms) / 1000
        total_text, kie_text = (short_duration(seconds).translate(language) for seconds in (total, at_kie))
        return WaitRow(label.translate(language), total, total_text, at_kie, kie_text)

    half = row(sentence("stats-half"), waits.median, waits.median_at_kie)
    most = row(sentence("stats-most"), waits.p95, waits.p95_at_kie)
    return half, most
