"""The figures in words: all that the picture shows, short enough to stand under it, in every language."""

from collections import Counter

import pytest

from bot.stats.caption import caption, percent
from bot.stats.figures import Column, End, Figures, Waiting
from bot.stats.period import Period, Unit
from bot.texts import languages
from tests.stats.past import NOW

#: More than anybody has, of every kind.
HUGE = 98_765_432


def _figures(ends: Counter[End], waiting: Waiting | None) -> Figures:
    columns = (Column(NOW, 1.0, ends[End.MADE], 0, 0),)
    return Figures(Period(366, Unit.DAYS), NOW, columns, (*[0] * 23, ends.total()), ends, waiting, 123_456_789.5)


@pytest.mark.parametrize("language", languages())
def test_it_fits_under_a_picture_whatever_there_is_to_tell(language: str) -> None:
    waiting = Waiting(5_950_000, 360_000_000, 5_900_000, 350_000_000, 0.995)
    said = caption(_figures(Counter(dict.fromkeys(End, HUGE)), waiting)).into(language)
    assert len(said.encode("utf-16-le")) // 2 <= 1024
    assert said.count("\n") == len(End) + 5, "a line for everything"
    assert "2026-11-27 11:46 UTC" in said


def test_without_edits_it_says_so_and_what_was_spent() -> None:
    said = caption(_figures(Counter(), None)).into("en")
    assert said.splitlines()[1:] == [
        "Nobody asked for an edit in this time.",
        "Credits spent on these UTC days: 123,456,789.5",
    ]


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, 0), (0.0001, 0.1), (0.005, 0.5), (0.333, 33), (0.9999, 99.9), (1.0, 100)]
)
def test_a_few_are_never_shown_as_none_nor_almost_all_as_all(share: float, shown: float) -> None:
    assert percent(share) == shown
