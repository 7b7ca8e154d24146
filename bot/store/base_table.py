"""The base class of every class with SQL: short methods for queries and changes."""

import sqlite3
from collections.abc import Sequence

#: Rows, or requests with all that belongs to them, that one transaction deletes at most, so that others need not wait.
DELETE_BATCH_SIZE = 100

Value = int | float | str | None


class Table:
    """One or more tables, on the connection of the current transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def _change(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Run a statement; return how many rows it changed."""
        return self._db.execute(sql, values).rowcount

    def _row(self, sql: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return row

    def _rows(self, sql: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        return self._db.execute(sql, values).fetchall()

    def _exists(self, sql: str, values: Sequence[Value] = ()) -> bool:
        return self._row(sql, values) is not None

    def _int(self, sql: str, values: Sequence[Value] = ()) -> int | None:
        """Return the first column of the first row, None if there is no row or the column is NULL."""
        row = self._row(sql, values)
        return None if row is None else row[0]

    def _count(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Return what a `SELECT count(*)` counts."""
        return self._int(sql, values) or 0

    def _ints(self, sql: str, values: Sequence[Value] = ()) -> list[int]:
        """Return the first column of every row."""
        return [row[0] for row in self._rows(sql, values)]
