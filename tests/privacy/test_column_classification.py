"""Every column of the database is classified, and personal data are erased."""

import sqlite3
from pathlib import Path

from bot.store.database import _prepare_connection
from tests.bot_harness import open_bot_harness
from tests.privacy.canary_user import CANARY_USER_ID, CanaryUser, columns_with_data
from tests.privacy.column_classification import COLUMN_CLASSES, ColumnClass

DAY = 86_400.0

#: Tables whose rows stay, while some of their columns are emptied.
TABLES_THAT_STAY = ("inbox", "jobs")

#: Columns that are erased like others of their table, and that the canary user does not fill.
SAME_FOR_OTHERS = {("chats", "format"), ("chats", "aspect_ratio"), ("chats", "answer_as")}

#: Filled only while the erasure of much data continues: see `tests/privacy/test_delete_my_data.py`.
TEMPORARY_COLUMNS = {("erasures", "user_id")}


def test_every_column_is_classified() -> None:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    _prepare_connection(raw)
    tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    schema = {table: {row[1] for row in raw.execute(f"PRAGMA table_info({table})")} for table in tables}
    raw.close()
    assert schema == {table: set(columns) for table, columns in COLUMN_CLASSES.items()}


def _columns_to_fill() -> set[tuple[str, str]]:
    """Return the columns to be emptied, and the first column of the tables whose rows are deleted."""
    found: set[tuple[str, str]] = set()
    for table, columns in COLUMN_CLASSES.items():
        erased = [
            column
            for column, column_class in columns.items()
            if column_class in (ColumnClass.ERASED, ColumnClass.PREFERENCE)
        ]
        if len(erased) < len(columns) or table in TABLES_THAT_STAY:
            found |= {(table, column) for column in erased}
        else:
            found |= {(table, column) for column in erased[:1]}
    return found - SAME_FOR_OTHERS - TEMPORARY_COLUMNS


async def test_when_its_days_are_over_nothing_is_left_that_leads_to_a_person(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, keep_days=2, admin_ids=frozenset({CANARY_USER_ID})) as house:
        life = CanaryUser(house)
        await life.receive_unreadable_result()
        await life.create_history()
        await life.ask_to_delete()
        assert _columns_to_fill() - life.filled_columns == set(), "this life should have filled them"
        for _ in range(2):  # work in progress must end first
            await house.advance_time(2.1 * DAY)
            await house.bot.retention.run_once()
        assert columns_with_data(house, ColumnClass.ERASED) == set()
