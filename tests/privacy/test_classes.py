"""Every column of the database is known for what it holds, and what leads to a person goes."""

import sqlite3
from pathlib import Path

from bot.store.connection import _prepare
from tests.house import a_house
from tests.privacy.classes import CLASSES, Fate
from tests.privacy.life import HER_ID, Life, left

DAY = 86_400.0

#: What a life of one person does not come to, because it needs a crash or a race.
SELDOM = {("inbox", "awaits")}


def test_every_column_is_classified() -> None:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    _prepare(raw)
    tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    schema = {table: {row[1] for row in raw.execute(f"PRAGMA table_info({table})")} for table in tables}
    raw.close()
    assert schema == {table: set(columns) for table, columns in CLASSES.items()}


async def test_when_its_days_are_over_nothing_is_left_that_leads_to_a_person(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=2, admin_ids=frozenset({HER_ID})) as house:
        life = Life(house)
        await life.is_lived()
        await life.asks()
        to_go = {
            (table, column)
            for table, columns in CLASSES.items()
            for column, fate in columns.items()
            if fate in (Fate.ERASED, Fate.CHOSEN)
        }
        assert to_go - life.filled == set(), "this life should have filled them"
        await house.pass_time(2 * DAY)
        await house.bot.retention.round()
        await house.pass_time(2 * DAY)
        await house.bot.retention.round()
        assert await left(house, Fate.ERASED) == set()
