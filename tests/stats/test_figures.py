"""The figures are those of the rows, whoever they were of: nothing is counted twice, or left out."""

from functools import partial

import pytest

from bot.job import Reason, State
from bot.stats.figures import FAILURES, End, Figures, Waiting, count
from bot.stats.period import DAY, HOUR, Period, Unit, read_period
from bot.store.connection import Database
from bot.store.transaction import Transaction
from tests.stats.past import NOW, OUTAGE
from tests.store.rows import a_request


async def _of(db: Database, words: str) -> Figures:
    period = read_period(words)
    assert period is not None
    return await count(db, period, NOW)


def _one(tx: Transaction, sql: str, *values: object) -> int:
    return int(tx.history._db.execute(sql, values).fetchone()[0])


@pytest.mark.parametrize("words", ["7d", "80d", "24h", "366d"])
async def test_every_edit_of_the_time_is_in_one_column_one_hour_and_one_end(past: Database, words: str) -> None:
    figures = await _of(past, words)
    begin = figures.period.begin(NOW)
    asked = await past.unit(lambda tx: _one(tx, "SELECT count(*) FROM jobs WHERE received_at >= ?", begin))
    assert figures.edits == sum(column.edits for column in figures.columns) == sum(figures.by_hour) == asked > 0


async def test_columns_follow_each_other_without_a_gap_to_the_end_of_today(past: Database) -> None:
    for words, number in (("7d", 7), ("62d", 62), ("63d", 9), ("365d", 53), ("72h", 72)):
        columns = (await _of(past, words)).columns
        assert len(columns) == number
        ends = [column.begin + round(column.days * DAY) for column in columns]
        assert ends[:-1] == [column.begin for column in columns[1:]]
        assert NOW < ends[-1] <= NOW + DAY


async def test_an_outage_shows_in_the_column_of_its_days(past: Database) -> None:
    columns = (await count(past, Period(62, Unit.DAYS), NOW)).columns
    bad = [number for number, column in enumerate(columns) if column.failed > column.edits / 3]
    assert bad == [61 - ago for ago in reversed(OUTAGE)]


async def test_every_way_in_which_a_job_can_end_is_told_apart(db: Database) -> None:
    ways: dict[tuple[State, Reason | None], End] = {(State.FAILED, reason): End(reason.value) for reason in Reason}
    ways |= {(State.SUCCEEDED, None): End.MADE, (State.CANCELLED, None): End.TAKEN_BACK, (State.QUEUED, None): End.OPEN}
    for number, way in enumerate(ways):
        await db.unit(partial(_ended, number=number, way=way))
    figures = await _of(db, "24h")
    assert figures.ends == dict.fromkeys(ways.values(), 1) == dict.fromkeys(End, 1)
    assert figures.failed == len(FAILURES)
    assert figures.success == 1 / (1 + len(FAILURES)), "what people chose themselves is no failure"


def _ended(tx: Transaction, number: int, way: tuple[State, Reason | None]) -> None:
    state, reason = way
    job_id = tx.jobs.add(a_request(number), state, NOW)
    tx.jobs._db.execute("UPDATE jobs SET reason = ?, received_at = ? WHERE id = ?", (reason, NOW, job_id))


async def test_waiting_is_counted_from_the_complete_request_to_the_answer(db: Database) -> None:
    # of one that broke and was ordered once more, from its beginning, as its place in the line was a new one
    rows = [(0, 10_000, 40_000, 20_000, 0), (0, 0, 50_000, 30_000, 0), (0, 90_000, 100_000, 10_000, 1)]
    for row in rows:
        await db.unit(partial(_answered, row=row))
    waiting = (await _of(db, "24h")).waiting
    assert waiting == Waiting(50_000, 100_000, 20_000, 30_000, share_of_kie=60 / 180)


def _answered(tx: Transaction, row: tuple[int, int, int, int, int]) -> None:
    received, queued, answered, took, reorders = row
    job_id = tx.jobs.add(a_request(answered), State.SUCCEEDED, NOW)
    start = NOW - HOUR
    tx.jobs._db.execute(
        "UPDATE jobs SET received_at = ?, queued_at = ?, answered_at = ?, took = ?, reorders = ? WHERE id = ?",
        (start + received, start + queued, start + answered, took, reorders, job_id),
    )


async def test_credits_are_those_of_the_days_that_are_touched(db: Database) -> None:
    today = NOW // DAY
    for ago in range(9):
        await db.unit(partial(_spent, day=today - ago, credits_=2.0**ago))
    assert [(await _of(db, words)).credits for words in ("1h", "1d", "7d")] == [1.0, 1.0, 127.0]
    assert (await _of(db, "24h")).credits == 3.0, "yesterday evening was on another day"


def _spent(tx: Transaction, day: int, credits_: float) -> None:
    tx.account.spend(credits_, day)


async def test_without_a_past_there_is_nothing_to_tell(db: Database) -> None:
    figures = await _of(db, "7d")
    assert (figures.edits, figures.success, figures.waiting, figures.credits) == (0, None, None, 0.0)
    assert {(column.made, column.failed, column.others) for column in figures.columns} == {(0, 0, 0)}
