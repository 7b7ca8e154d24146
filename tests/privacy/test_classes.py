"""Every column of the database is known for what it holds, and what leads to a person goes."""

import sqlite3
from pathlib import Path

from bot.store.connection import _prepare
from tests.house import a_house
from tests.privacy.classes import CLASSES, Fate
from tests.privacy.life import HER_ID, Life, left

DAY = 86_400.0

#: Tables whose rows stay, with some columns emptied.
STAYING = ("inbox", "jobs")

#: Filled like the others of their table, and not in this life.
LIKE_OTHERS = {("chats", "format"), ("chats", "shape"), ("chats", "answer_as")}

#: Filled only while somebody with very much is erased: see `tests/privacy/test_delete.py`.
PASSING = {("erasures", "user_id")}


def test_every_column_is_classified() -> None:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    _prepare(raw)
    tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    schema = {table: {row[1] for row in raw.execute(f"PRAGMA table_info({table})")} for table in tables}
    raw.close()
    assert schema == {table: set(columns) for table, columns in CLASSES.items()}


def _to_be_filled() -> set[tuple[str, str]]:
    """Return the columns that have to be emptied, and of the tables whose rows go the first one."""
    found: set[tuple[str, str]] = set()
    for table, columns in CLASSES.items():
        going = [column for column, fate in columns.items() if fate in (Fate.ERASED, Fate.CHOSEN)]
        if len(going) < len(columns) or table in STAYING:
            found |= {(table, column) for column in going}
        else:
            found |= {(table, column) for column in going[:1]}
    return found - LIKE_OTHERS - PASSING


async def test_when_its_days_are_over_nothing_is_left_that_leads_to_a_person(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=2, admin_ids=frozenset({HER_ID})) as house:
        life = Life(house)
        await life.has_a_picture_that_is_not_found()
        await life.is_lived()
        await life.asks()
        assert _to_be_filled() - life.filled == set(), "this life should have filled them"
        for _ in range(2):  # what was under way has to end first
            await house.pass_time(2.1 * DAY)
            await house.bot.retention.round()
        assert left(house, Fate.ERASED) == set()
