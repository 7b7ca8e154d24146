"""Statistics aggregate the rows of all users: nothing is counted twice or left out."""

from functools import partial

import pytest

from bot.job import FailureReason, State
from bot.stats.aggregates import (
    DAY_MS,
    FAILED_OUTCOMES,
    HOUR_MS,
    EditOutcome,
    Period,
    PeriodStatistics,
    PeriodUnit,
    WaitTimes,
    aggregate_period,
    parse_period,
)
from bot.store.database import Database, Transaction
from tests.stats.synthetic_history import NOW, OUTAGE_DAYS
from tests.store.sample_requests import make_request


async def _read_statistics(db: Database, words: str) -> PeriodStatistics:
    period = parse_period(words)
    assert period is not None
    return await aggregate_period(db, period, NOW)


def _query_number(tx: Transaction, sql: str, *values: object) -> int:
    return int(tx.job_statistics._db.execute(sql, values).fetchone()[0])


@pytest.mark.parametrize("words", ["7d", "80d", "24h", "366d"])
async def test_every_edit_of_the_time_is_in_one_column_one_hour_and_one_end(past: Database, words: str) -> None:
    figures = await _read_statistics(past, words)
    begin = figures.period.start(NOW)
    asked = await past.transact(lambda tx: _query_number(tx, "SELECT count(*) FROM jobs WHERE received_at >= ?", begin))
    assert figures.edits == sum(column.edits for column in figures.buckets) == sum(figures.by_hour_of_day) == asked > 0


async def test_columns_follow_each_other_without_a_gap_to_the_end_of_today(past: Database) -> None:
    for words, number in (("7d", 7), ("62d", 62), ("63d", 9), ("365d", 53), ("72h", 72)):
        columns = (await _read_statistics(past, words)).buckets
        assert len(columns) == number
        ends = [column.start + round(column.days * DAY_MS) for column in columns]
        assert ends[:-1] == [column.start for column in columns[1:]]
        assert NOW < ends[-1] <= NOW + DAY_MS


async def test_an_outage_shows_in_the_column_of_its_days(past: Database) -> None:
    columns = (await aggregate_period(past, Period(62, PeriodUnit.DAYS), NOW)).buckets
    bad = [number for number, column in enumerate(columns) if column.failed > column.edits / 3]
    assert bad == [61 - ago for ago in reversed(OUTAGE_DAYS)]


async def test_every_way_in_which_a_job_can_end_is_told_apart(db: Database) -> None:
    ways: dict[tuple[State, FailureReason | None], EditOutcome] = {
        (State.FAILED, reason): EditOutcome(reason.value) for reason in FailureReason
    }
    ways |= {
        (State.SUCCEEDED, None): EditOutcome.SUCCEEDED,
        (State.CANCELLED, None): EditOutcome.CANCELLED,
        (State.QUEUED, None): EditOutcome.UNFINISHED,
    }
    for number, way in enumerate(ways):
        await db.transact(partial(_insert_ended_job, number=number, way=way))
    figures = await _read_statistics(db, "24h")
    assert figures.outcomes == dict.fromkeys(ways.values(), 1) == dict.fromkeys(EditOutcome, 1)
    assert figures.failed == len(FAILED_OUTCOMES)
    assert figures.success_rate == 1 / (1 + len(FAILED_OUTCOMES)), "what people chose themselves is no failure"


def _insert_ended_job(tx: Transaction, number: int, way: tuple[State, FailureReason | None]) -> None:
    state, reason = way
    job_id = tx.jobs.add(make_request(number), state, NOW)
    tx.jobs._db.execute("UPDATE jobs SET reason = ?, received_at = ? WHERE id = ?", (reason, NOW, job_id))


async def test_waiting_is_counted_from_the_complete_request_to_the_answer(db: Database) -> None:
    # the last job was ordered again, which set `queued_at` anew, so its wait counts from `received_at`
    rows = [(0, 10_000, 40_000, 20_000, 0), (0, 0, 50_000, 30_000, 0), (0, 90_000, 100_000, 10_000, 1)]
    for row in rows:
        await db.transact(partial(_insert_answered_job, row=row))
    waiting = (await _read_statistics(db, "24h")).wait_times
    assert waiting == WaitTimes(50_000, 100_000, 20_000, 30_000, kie_share=60 / 180)


def _insert_answered_job(tx: Transaction, row: tuple[int, int, int, int, int]) -> None:
    received, queued, answered, took, reorders = row
    job_id = tx.jobs.add(make_request(answered), State.SUCCEEDED, NOW)
    start = NOW - HOUR_MS
    tx.jobs._db.execute(
        "UPDATE jobs SET received_at = ?, queued_at = ?, answered_at = ?, kie_duration_ms = ?, reorders = ?"
        " WHERE id = ?",
        (start + received, start + queued, start + answered, took, reorders, job_id),
    )


async def test_credits_are_those_of_the_days_that_are_touched(db: Database) -> None:
    today = NOW // DAY_MS
    for ago in range(9):
        await db.transact(partial(_insert_spending, day=today - ago, credits_=2.0**ago))
    assert [(await _read_statistics(db, words)).credits_spent for words in ("1h", "1d", "7d")] == [1.0, 1.0, 127.0]
    assert (await _read_statistics(db, "24h")).credits_spent == 3.0, "yesterday evening was on another day"


def _insert_spending(tx: Transaction, day: int, credits_: float) -> None:
    tx.credits.add_spending(credits_, day)


async def test_without_a_past_there_is_nothing_to_tell(db: Database) -> None:
    figures = await _read_statistics(db, "7d")
    assert (figures.edits, figures.success_rate, figures.wait_times, figures.credits_spent) == (0, None, None, 0.0)
    assert {(column.succeeded, column.failed, column.others) for column in figures.buckets} == {(0, 0, 0)}
