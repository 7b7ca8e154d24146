"""The caption has every number of the chart, and is short enough for Telegram in every language."""

from collections import Counter

import pytest

from bot.i18n import languages
from bot.stats.aggregates import EditOutcome, Period, PeriodStatistics, PeriodUnit, TimeBucket, WaitTimes
from bot.stats.chart_data import percentage
from bot.stats.report import render_caption
from tests.stats.synthetic_history import NOW

#: More edits than anybody has, with every outcome.
HUGE = 98_765_432


def _make_statistics(ends: Counter[EditOutcome], waiting: WaitTimes | None) -> PeriodStatistics:
    columns = (TimeBucket(NOW, 1.0, ends[EditOutcome.SUCCEEDED], 0, 0),)
    return PeriodStatistics(
        Period(366, PeriodUnit.DAYS), NOW, columns, (*[0] * 23, ends.total()), ends, waiting, 123_456_789.5
    )


@pytest.mark.parametrize("language", languages())
def test_it_fits_under_a_picture_whatever_there_is_to_tell(language: str) -> None:
    waiting = WaitTimes(5_950_000, 360_000_000, 5_900_000, 350_000_000, 0.995)
    said = render_caption(_make_statistics(Counter(dict.fromkeys(EditOutcome, HUGE)), waiting)).translate(language)
    assert len(said.encode("utf-16-le")) // 2 <= 1024
    assert said.count("\n") == len(EditOutcome) + 5, "a line for everything"
    assert "2026-11-27 11:46 UTC" in said


def test_without_edits_it_says_so_and_what_was_spent() -> None:
    said = render_caption(_make_statistics(Counter(), None)).translate("en")
    assert said.splitlines()[1:] == [
        "Nobody asked for an edit in this time.",
        "Credits spent on these UTC days: 123,456,789.5",
    ]


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, 0), (0.0001, 0.1), (0.005, 0.5), (0.333, 33), (0.9999, 99.9), (1.0, 100)]
)
def test_a_few_are_never_shown_as_none_nor_almost_all_as_all(share: float, shown: float) -> None:
    assert percentage(share) == shown
