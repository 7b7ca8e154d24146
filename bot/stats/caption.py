"""The caption: the figures in words, as they also go out alone where no picture can be drawn."""

import math
from datetime import UTC, datetime

from bot.clock import Instant
from bot.i18n import Sentence, SentenceList, sentence
from bot.i18n.time_phrases import short_duration
from bot.stats.aggregates import EditOutcome, PeriodStatistics, WaitTimes
from bot.stats.period import Period, PeriodUnit


def render_caption(figures: PeriodStatistics) -> SentenceList:
    """Return what stands under the picture; without edits that is all there is."""
    head = SentenceList(
        (period_title(figures.period), sentence("stats-until", time=format_utc(figures.now))), separator=", "
    )
    if not figures.edits:
        return SentenceList((head, sentence("stats-none"), *_credits_line(figures)))
    return SentenceList((
        head,
        sentence("stats-edits", count=figures.edits),
        *(_outcome_line(figures, end) for end in outcomes_by_frequency(figures)),
        *_success_line(figures),
        *_wait_line(figures.wait_times),
        *_credits_line(figures),
        _busiest_hour(figures),
    ))  # fmt: skip


def period_title(period: Period) -> Sentence:
    """Name a period."""
    name = "stats-hours" if period.unit is PeriodUnit.HOURS else "stats-days"
    return sentence(name, count=period.count)


def format_utc(moment: Instant) -> str:
    """Write a moment so that it is read alike in every language."""
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M}"


def outcomes_by_frequency(figures: PeriodStatistics) -> list[EditOutcome]:
    """Return the ends that there were, what was made first, and then the most frequent first."""
    there = [end for end in EditOutcome if figures.outcomes[end]]
    return sorted(there, key=lambda end: (end is not EditOutcome.SUCCEEDED, -figures.outcomes[end]))


def percentage(share: float) -> float | int:
    """Return a share of 1 in percent, with a digit behind the point where it would else look like all or nothing."""
    exact = share * 100
    if 99 < exact < 100:
        return math.floor(exact * 10) / 10
    return math.ceil(exact * 10) / 10 if 0 < exact < 1 else round(exact)


def _outcome_line(figures: PeriodStatistics, end: EditOutcome) -> Sentence:
    count = figures.outcomes[end]
    share = percentage(count / figures.edits)
    return sentence("stats-end", what=sentence(end.sentence_name), count=count, share=share)


def _success_line(figures: PeriodStatistics) -> list[Sentence]:
    return [] if figures.success_rate is None else [sentence("stats-success", share=percentage(figures.success_rate))]


def _wait_line(waiting: WaitTimes | None) -> list[Sentence]:
    if waiting is None:
        return []
    half, most = short_duration(waiting.median / 1000), short_duration(waiting.p95 / 1000)
    return [sentence("stats-waits", half=half, most=most, share=percentage(waiting.kie_share))]


def _credits_line(figures: PeriodStatistics) -> list[Sentence]:
    return [sentence("stats-credits", credits=round(figures.credits_spent, 1))]


def _busiest_hour(figures: PeriodStatistics) -> Sentence:
    hour = figures.by_hour_of_day.index(max(figures.by_hour_of_day))
    return sentence("stats-busiest", start=f"{hour:02}:00", end=f"{hour + 1:02}:00")
