"""A past that is made up, the same each time: growth, weekends, evenings, an outage of two days, refusals."""

import math
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bot.job import Instant, Reason, State, day_of
from bot.stats.period import DAY, HOUR

#: Edits in each hour of the day, UTC, as parts of a whole.
BY_HOUR = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 13, 12, 11, 11, 13, 16, 20, 24, 26, 22, 14, 7)

#: Days before the last one on which Kie was in trouble.
OUTAGE = range(17, 19)

#: How many of a thousand come to which end; the others are made.
ENDS = {
    (State.FAILED, Reason.REFUSED): 52,
    (State.FAILED, Reason.BROKE): 11,
    (State.FAILED, Reason.PICTURE): 14,
    (State.FAILED, Reason.DOUBT): 3,
    (State.FAILED, Reason.OVERDUE): 1,
    (State.FAILED, Reason.DELETED): 1,
    (State.CANCELLED, Reason.NO_PROMPT): 24,
    (State.CANCELLED, None): 31,
}

#: The moment up to which there is a past: a Friday, 11:46 UTC.
NOW = 1_795_780_000_000

Row = tuple[str, str | None, int, int, int | None, int | None, int | None]


def fill(path: Path, now: Instant, *, days: int, edits: int) -> None:
    """Put a past of so many days, with about so many edits, into a database that is there."""
    db = sqlite3.connect(path)
    db.executemany(
        "INSERT INTO jobs (state, reason, received_at, queued_at, finished_at, answered_at, took, chat_id, user_id,"
        " prompt, erased_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '', 1)",
        _rows(now, days, edits),
    )
    db.execute(
        "INSERT INTO spending SELECT received_at / ?, count(*) * 4.0 FROM jobs WHERE state = ? GROUP BY 1",
        (DAY, State.SUCCEEDED),
    )
    db.commit()
    db.close()


def _rows(now: Instant, days: int, edits: int) -> Iterator[Row]:
    chance = random.Random(1)  # noqa: S311 - a past, not a secret
    weights = [_weight(day_of(now) - ago, ago, days) for ago in range(days)]
    for ago, weight in enumerate(weights):
        for hour, part in enumerate(BY_HOUR):
            expected = edits * weight / sum(weights) * part / sum(BY_HOUR)
            for _ in range(_about(expected, chance)):
                moment = (day_of(now) - ago) * DAY + hour * HOUR + chance.randrange(HOUR)
                if moment <= now:
                    yield _row(moment, chance, is_outage=ago in OUTAGE)


def _weight(day: int, ago: int, days: int) -> float:
    """Growth to three times as much, and half as much again on Saturdays and Sundays."""
    is_weekend = (day + 3) % 7 >= 5  # the first day of 1970 was a Thursday
    return (1.5 if is_weekend else 1.0) * (3.0 - 2.0 * ago / days)


def _about(expected: float, chance: random.Random) -> int:
    return max(0, round(chance.gauss(expected, math.sqrt(expected))))


def _row(moment: Instant, chance: random.Random, *, is_outage: bool) -> Row:
    state, reason = _end(chance, is_outage=is_outage)
    queued = moment + chance.randrange(2_000)
    if state is not State.SUCCEEDED:
        return state, reason, moment, queued, queued + 20_000, queued + 21_000, None
    took = round(1000 * chance.lognormvariate(math.log(140 if is_outage else 24), 0.45))
    answered = queued + took + round(1000 * chance.lognormvariate(math.log(7), 0.6))
    return state, None, moment, queued, answered - 2_000, answered, took


def _end(chance: random.Random, *, is_outage: bool) -> tuple[State, Reason | None]:
    if is_outage and chance.random() < 0.55:
        return State.FAILED, Reason.BROKE
    drawn = chance.randrange(1000)
    for end, share in ENDS.items():
        drawn -= share
        if drawn < 0:
            return end
    return State.SUCCEEDED, None
