"""A synthetic history, the same each time: growth, weekends, evenings, an outage of two days, refusals."""

import math
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bot.clock import Instant, utc_day
from bot.job import FailureReason, State
from bot.stats.aggregates import DAY_MS, HOUR_MS

#: Relative number of edits in each hour of the day, UTC.
WEIGHT_BY_HOUR = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 13, 12, 11, 11, 13, 16, 20, 24, 26, 22, 14, 7)

#: Days of Kie's outage, counted back from the last day.
OUTAGE_DAYS = range(17, 19)

#: How many of a thousand edits end in each way; the others succeed.
OUTCOME_WEIGHTS = {
    (State.FAILED, FailureReason.REFUSED): 52,
    (State.FAILED, FailureReason.TASK_FAILED): 11,
    (State.FAILED, FailureReason.UNUSABLE_IMAGE): 14,
    (State.FAILED, FailureReason.ORDER_UNCERTAIN): 3,
    (State.FAILED, FailureReason.OVERDUE): 1,
    (State.FAILED, FailureReason.DELETED): 1,
    (State.CANCELLED, FailureReason.NO_PROMPT): 24,
    (State.CANCELLED, None): 31,
}

#: The end of the history, in milliseconds: a Friday, 11:46 UTC.
NOW = 1_795_780_000_000

JobRow = tuple[str, str | None, int, int, int | None, int | None, int | None]


def insert_history(path: Path, now: Instant, *, days: int, edits: int) -> None:
    """Insert a history of `days` days with about `edits` edits into an existing database."""
    db = sqlite3.connect(path)
    db.executemany(
        "INSERT INTO jobs (state, reason, received_at, queued_at, finished_at, answered_at, kie_duration_ms, chat_id,"
        " user_id,"
        " prompt, erased_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '', 1)",
        _job_rows(now, days, edits),
    )
    db.execute(
        "INSERT INTO daily_spending SELECT received_at / ?, count(*) * 4.0 FROM jobs WHERE state = ? GROUP BY 1",
        (DAY_MS, State.SUCCEEDED),
    )
    db.commit()
    db.close()


def _job_rows(now: Instant, days: int, edits: int) -> Iterator[JobRow]:
    chance = random.Random(1)  # noqa: S311 - test data, not a secret
    weights = [_day_weight(utc_day(now) - ago, ago, days) for ago in range(days)]
    for ago, weight in enumerate(weights):
        for hour, part in enumerate(WEIGHT_BY_HOUR):
            expected = edits * weight / sum(weights) * part / sum(WEIGHT_BY_HOUR)
            for _ in range(_random_count(expected, chance)):
                moment = (utc_day(now) - ago) * DAY_MS + hour * HOUR_MS + chance.randrange(HOUR_MS)
                if moment <= now:
                    yield _job_row(moment, chance, is_outage=ago in OUTAGE_DAYS)


def _day_weight(day: int, ago: int, days: int) -> float:
    """Return the relative weight of a day: it grows threefold, plus a half on Saturdays and Sundays."""
    is_weekend = (day + 3) % 7 >= 5  # the first day of 1970 was a Thursday
    return (1.5 if is_weekend else 1.0) * (3.0 - 2.0 * ago / days)


def _random_count(expected: float, chance: random.Random) -> int:
    return max(0, round(chance.gauss(expected, math.sqrt(expected))))


def _job_row(moment: Instant, chance: random.Random, *, is_outage: bool) -> JobRow:
    state, reason = _random_outcome(chance, is_outage=is_outage)
    queued = moment + chance.randrange(2_000)
    if state is not State.SUCCEEDED:
        return state, reason, moment, queued, queued + 20_000, queued + 21_000, None
    took = round(1000 * chance.lognormvariate(math.log(140 if is_outage else 24), 0.45))
    answered = queued + took + round(1000 * chance.lognormvariate(math.log(7), 0.6))
    return state, None, moment, queued, answered - 2_000, answered, took


def _random_outcome(chance: random.Random, *, is_outage: bool) -> tuple[State, FailureReason | None]:
    if is_outage and chance.random() < 0.55:
        return State.FAILED, FailureReason.TASK_FAILED
    drawn = chance.randrange(1000)
    for end, share in OUTCOME_WEIGHTS.items():
        drawn -= share
        if drawn < 0:
            return end
    return State.SUCCEEDED, None
