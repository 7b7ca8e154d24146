"""Writing a sheet: which figures stand in the picture, and in which words."""

from datetime import UTC, datetime

from bot.clock import Instant
from bot.i18n import Sentence, sentence
from bot.i18n.time_phrases import short_duration
from bot.stats import aggregates as counted
from bot.stats.aggregates import FAILED_OUTCOMES, EditOutcome, PeriodStatistics, WaitTimes
from bot.stats.caption import format_utc, outcomes_by_frequency, percentage, period_title
from bot.stats.chart_data import ChartBar, ChartData, OutcomeRow, WaitRow
from bot.stats.period import DAYS_PER_WEEK, Period, PeriodUnit

#: Labels below the columns, at most.
MAX_TICKS = 4


def build_chart_data(figures: PeriodStatistics, language: str) -> ChartData:
    """Return what is drawn of figures, in the words of a language."""
    by_hours = figures.period.unit is PeriodUnit.HOURS
    return ChartData(
        title=period_title(figures.period).translate(language),
        until=sentence("stats-until", time=format_utc(figures.now)).translate(language),
        tiles=tuple((value.translate(language), label.translate(language)) for label, value in _tiles(figures)),
        columns_title=_bars_title(figures.period).translate(language),
        columns=tuple(map(_build_bar, figures.buckets)),
        ticks=_ticks(figures),
        legend=_legend(figures, language),
        hours_title="" if by_hours else sentence("stats-of-day").translate(language),
        hours=() if by_hours else figures.by_hour_of_day,
        ends_title=sentence("stats-ends").translate(language),
        ends=_outcome_rows(figures, language),
        waits_title=sentence("stats-wait").translate(language),
        kie=sentence("stats-of-it-kie").translate(language),
        waits=() if figures.wait_times is None else _wait_rows(figures.wait_times, language),
    )


def _tiles(figures: PeriodStatistics) -> list[tuple[Sentence, Sentence]]:
    tiles = [(sentence("stats-tile-edits"), _format_number(figures.edits))]
    if figures.success_rate is not None:
        tiles.append(
            (sentence("stats-tile-success"), sentence("stats-percent", share=percentage(figures.success_rate)))
        )
    if figures.wait_times is not None:
        tiles.append((sentence("stats-tile-wait"), short_duration(figures.wait_times.median / 1000)))
    return [*tiles, (sentence("stats-tile-credits"), _format_number(round(figures.credits_spent)))]


def _format_number(count: int) -> Sentence:
    return sentence("stats-number", count=count)


def _bars_title(period: Period) -> Sentence:
    names = {0: "stats-by-hour", 1: "stats-by-day", DAYS_PER_WEEK: "stats-by-week"}
    return sentence(names[period.days_per_bar])


def _build_bar(part: counted.TimeBucket) -> ChartBar:
    days = max(1.0, part.days)
    return ChartBar(part.succeeded / days, part.failed / days, part.others / days)


def _ticks(figures: PeriodStatistics) -> tuple[tuple[int, str], ...]:
    """Label some columns by their beginnings, evenly, the last one among them."""
    gap = -(-len(figures.buckets) // MAX_TICKS)
    numbers = range(len(figures.buckets) - 1, -1, -gap)
    form = {0: "%H:%M", 1: "%m-%d", DAYS_PER_WEEK: "%Y-%m"}[figures.period.days_per_bar]
    return tuple((number, _format_time(figures.buckets[number].start, form)) for number in numbers)


def _format_time(moment: Instant, form: str) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime(form)


def _legend(figures: PeriodStatistics, language: str) -> tuple[tuple[str, str], ...]:
    there = {
        "made": any(each.succeeded for each in figures.buckets),
        "not_made": any(each.failed for each in figures.buckets),
        "others": any(each.others for each in figures.buckets),
    }
    names = {"made": "stats-end-made", "not_made": "stats-failed", "others": "stats-others"}
    return tuple((kind, sentence(names[kind]).translate(language)) for kind, is_there in there.items() if is_there)


def _outcome_rows(figures: PeriodStatistics, language: str) -> tuple[OutcomeRow, ...]:
    """Say how much was made, what failed for which reason, and in one row what was the people's own choice."""
    shown = [end for end in outcomes_by_frequency(figures) if end is EditOutcome.SUCCEEDED or end in FAILED_OUTCOMES]
    rows = [
        _outcome_row(sentence(end.sentence_name), figures.outcomes[end], _outcome_kind(end), figures, language)
        for end in shown
    ]
    others = figures.edits - sum(figures.outcomes[end] for end in shown)
    if others:
        rows.append(_outcome_row(sentence("stats-others"), others, "others", figures, language))
    return tuple(rows)


def _outcome_kind(end: EditOutcome) -> str:
    return "made" if end is EditOutcome.SUCCEEDED else "not_made"


def _outcome_row(label: Sentence, count: int, kind: str, figures: PeriodStatistics, language: str) -> OutcomeRow:
    share = sentence("stats-percent", share=percentage(count / figures.edits))
    text = f"{_format_number(count).translate(language)} · {share.translate(language)}"
    return OutcomeRow(label.translate(language), count, text, kind)


def _wait_rows(waiting: WaitTimes, language: str) -> tuple[WaitRow, ...]:
    return (
        _wait_row("stats-half", waiting.median, waiting.median_at_kie, language),
        _wait_row("stats-most", waiting.p95, waiting.p95_at_kie, language),
    )


def _wait_row(name: str, whole: int, at_kie: int, language: str) -> WaitRow:
    at_kie = min(whole, at_kie)
    return WaitRow(
        sentence(name).translate(language),
        whole / 1000,
        short_duration(whole / 1000).translate(language),
        at_kie / 1000,
        short_duration(at_kie / 1000).translate(language),
    )
