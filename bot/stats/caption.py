"""The caption: the figures in words, as they also go out alone where no picture can be drawn."""

import math
from datetime import UTC, datetime

from bot.job import Instant
from bot.stats.figures import End, Figures, Waiting
from bot.stats.period import Period, Unit
from bot.texts import Lines, Sentence, sentence
from bot.texts.times import briefly


def caption(figures: Figures) -> Lines:
    """Return what stands under the picture; without edits that is all there is."""
    head = Lines((title(figures.period), sentence("stats-until", time=utc(figures.now))), between=", ")
    if not figures.edits:
        return Lines((head, sentence("stats-none"), *_spent(figures)))
    return Lines((
        head,
        sentence("stats-edits", count=figures.edits),
        *(_end(figures, end) for end in ends_by_size(figures)),
        *_success(figures),
        *_waits(figures.waiting),
        *_spent(figures),
        _busiest(figures),
    ))  # fmt: skip


def title(period: Period) -> Sentence:
    """Name a period."""
    name = "stats-hours" if period.unit is Unit.HOURS else "stats-days"
    return sentence(name, count=period.count)


def utc(moment: Instant) -> str:
    """Write a moment so that it is read alike in every language."""
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M}"


def ends_by_size(figures: Figures) -> list[End]:
    """Return the ends that there were, what was made first, and then the most frequent first."""
    there = [end for end in End if figures.ends[end]]
    return sorted(there, key=lambda end: (end is not End.MADE, -figures.ends[end]))


def percent(share: float) -> float | int:
    """Return a share of 1 in percent, with a digit behind the point where it would else look like all or nothing."""
    exact = share * 100
    if 99 < exact < 100:
        return math.floor(exact * 10) / 10
    return math.ceil(exact * 10) / 10 if 0 < exact < 1 else round(exact)


def _end(figures: Figures, end: End) -> Sentence:
    count = figures.ends[end]
    share = percent(count / figures.edits)
    return sentence("stats-end", what=sentence(end.sentence), count=count, share=share)


def _success(figures: Figures) -> list[Sentence]:
    return [] if figures.success is None else [sentence("stats-success", share=percent(figures.success))]


def _waits(waiting: Waiting | None) -> list[Sentence]:
    if waiting is None:
        return []
    half, most = briefly(waiting.half / 1000), briefly(waiting.most / 1000)
    return [sentence("stats-waits", half=half, most=most, share=percent(waiting.share_of_kie))]


def _spent(figures: Figures) -> list[Sentence]:
    return [sentence("stats-credits", credits=round(figures.credits, 1))]


def _busiest(figures: Figures) -> Sentence:
    hour = figures.by_hour.index(max(figures.by_hour))
    return sentence("stats-busiest", start=f"{hour:02}:00", end=f"{hour + 1:02}:00")
