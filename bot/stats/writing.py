"""Writing a sheet: which figures stand in the picture, and in which words."""

from datetime import UTC, datetime

from bot.job import Instant
from bot.stats import figures as counted
from bot.stats.caption import ends_by_size, percent, title, utc
from bot.stats.figures import FAILURES, End, Figures, Waiting
from bot.stats.period import WEEK, Period, Unit
from bot.stats.sheet import Column, Row, Sheet, Span
from bot.texts import Sentence, sentence
from bot.texts.times import briefly

#: Labels below the columns, at most.
MOST_TICKS = 4


def written(figures: Figures, language: str) -> Sheet:
    """Return what is drawn of figures, in the words of a language."""
    by_hours = figures.period.unit is Unit.HOURS
    return Sheet(
        title=title(figures.period).into(language),
        until=sentence("stats-until", time=utc(figures.now)).into(language),
        tiles=tuple((value.into(language), label.into(language)) for label, value in _tiles(figures)),
        columns_title=_columns_title(figures.period).into(language),
        columns=tuple(map(_column, figures.columns)),
        ticks=_ticks(figures),
        legend=_legend(figures, language),
        hours_title="" if by_hours else sentence("stats-of-day").into(language),
        hours=() if by_hours else figures.by_hour,
        ends_title=sentence("stats-ends").into(language),
        ends=_ends(figures, language),
        waits_title=sentence("stats-wait").into(language),
        kie=sentence("stats-of-it-kie").into(language),
        waits=() if figures.waiting is None else _spans(figures.waiting, language),
    )


def _tiles(figures: Figures) -> list[tuple[Sentence, Sentence]]:
    tiles = [(sentence("stats-tile-edits"), _number(figures.edits))]
    if figures.success is not None:
        tiles.append((sentence("stats-tile-success"), sentence("stats-percent", share=percent(figures.success))))
    if figures.waiting is not None:
        tiles.append((sentence("stats-tile-wait"), briefly(figures.waiting.half / 1000)))
    return [*tiles, (sentence("stats-tile-credits"), _number(round(figures.credits)))]


def _number(count: int) -> Sentence:
    return sentence("stats-number", count=count)


def _columns_title(period: Period) -> Sentence:
    names = {0: "stats-by-hour", 1: "stats-by-day", WEEK: "stats-by-week"}
    return sentence(names[period.column_days])


def _column(part: counted.Column) -> Column:
    days = max(1.0, part.days)
    return Column(part.made / days, part.failed / days, part.others / days)


def _ticks(figures: Figures) -> tuple[tuple[int, str], ...]:
    """Label some columns by their beginnings, evenly, the last one among them."""
    gap = -(-len(figures.columns) // MOST_TICKS)
    numbers = range(len(figures.columns) - 1, -1, -gap)
    form = {0: "%H:%M", 1: "%m-%d", WEEK: "%Y-%m"}[figures.period.column_days]
    return tuple((number, _when(figures.columns[number].begin, form)) for number in numbers)


def _when(moment: Instant, form: str) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime(form)


def _legend(figures: Figures, language: str) -> tuple[tuple[str, str], ...]:
    there = {
        "made": any(each.made for each in figures.columns),
        "not_made": any(each.failed for each in figures.columns),
        "others": any(each.others for each in figures.columns),
    }
    names = {"made": "stats-end-made", "not_made": "stats-failed", "others": "stats-others"}
    return tuple((kind, sentence(names[kind]).into(language)) for kind, is_there in there.items() if is_there)


def _ends(figures: Figures, language: str) -> tuple[Row, ...]:
    """Say how much was made, what failed for which reason, and in one row what was the people's own choice."""
    shown = [end for end in ends_by_size(figures) if end is End.MADE or end in FAILURES]
    rows = [_row(sentence(end.sentence), figures.ends[end], _kind(end), figures, language) for end in shown]
    others = figures.edits - sum(figures.ends[end] for end in shown)
    if others:
        rows.append(_row(sentence("stats-others"), others, "others", figures, language))
    return tuple(rows)


def _kind(end: End) -> str:
    return "made" if end is End.MADE else "not_made"


def _row(label: Sentence, count: int, kind: str, figures: Figures, language: str) -> Row:
    share = sentence("stats-percent", share=percent(count / figures.edits))
    text = f"{_number(count).into(language)} · {share.into(language)}"
    return Row(label.into(language), count, text, kind)


def _spans(waiting: Waiting, language: str) -> tuple[Span, ...]:
    return (
        _span("stats-half", waiting.half, waiting.half_at_kie, language),
        _span("stats-most", waiting.most, waiting.most_at_kie, language),
    )


def _span(name: str, whole: int, at_kie: int, language: str) -> Span:
    at_kie = min(whole, at_kie)
    return Span(
        sentence(name).into(language),
        whole / 1000,
        briefly(whole / 1000).into(language),
        at_kie / 1000,
        briefly(at_kie / 1000).into(language),
    )
