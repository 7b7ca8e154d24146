"""The period after /stats: what is valid, and where it begins."""

from datetime import UTC, datetime

import pytest

from bot.stats.aggregates import DEFAULT_PERIOD, Period, PeriodUnit, parse_period

#: A Thursday, 14:25 UTC.
NOW = round(datetime(2026, 11, 26, 14, 25, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("words", "period"),
    [
        ("", DEFAULT_PERIOD),
        ("7d", Period(7, PeriodUnit.DAYS)),
        (" 30 D ", Period(30, PeriodUnit.DAYS)),
        ("24h", Period(24, PeriodUnit.HOURS)),
        ("366d", Period(366, PeriodUnit.DAYS)),
        *((words, None) for words in ("367d", "73h", "0d", "-1d", "07d", "7", "d", "week", "7d 8d", "9999999d", "٧d")),
    ],
)
def test_what_is_written_means_a_period_or_is_asked_about(words: str, period: Period | None) -> None:
    assert parse_period(words) == period


@pytest.mark.parametrize(
    ("words", "begin"),
    [("1d", "2026-11-26T00:00"), ("7d", "2026-11-20T00:00"), ("1h", "2026-11-26T14:00"), ("24h", "2026-11-25T15:00")],
)
def test_the_present_day_or_hour_is_one_of_them(words: str, begin: str) -> None:
    period = parse_period(words)
    assert period is not None
    assert datetime.fromtimestamp(period.start(NOW) / 1000, UTC).isoformat().startswith(begin)


def test_a_period_is_read_as_it_is_written() -> None:
    assert parse_period(str(Period(30, PeriodUnit.DAYS))) == Period(30, PeriodUnit.DAYS)
