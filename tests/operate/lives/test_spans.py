"""Lengths of time as operators read them: two units, and no more exact than is of use."""

import pytest

from bot.operate.lives.spans import moment, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_it_is_written_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert span(5_000, 5_000 + round(seconds * 1000)) == words


def test_a_moment_is_written_with_its_milliseconds() -> None:
    assert moment(1_800_000_000_000) == "2027-01-15 08:00:00.000"
