"""People: what has to be known of somebody beside their edits."""

import json
import sqlite3
from collections.abc import Iterable

from bot.store import DELETE_BATCH_SIZE


class Users:
    """Persons by their Telegram id."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def set_language(self, user_id: int, language: str) -> None:
        """Note in which language a person's app speaks."""
        self._db.execute(
            "INSERT INTO users (user_id, language) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET language = excluded.language WHERE language <> excluded.language",
            (user_id, language),
        )

    def delete_all_except(self, user_ids: Iterable[int]) -> bool:
        """Forget everybody else: nobody wants to tell them anything any more. Returns whether there may be more."""
        forgotten = self._db.execute(
            "DELETE FROM users WHERE user_id IN (SELECT user_id FROM users"
            " WHERE user_id NOT IN (SELECT value FROM json_each(?)) LIMIT ?)",
            (json.dumps(list(user_ids)), DELETE_BATCH_SIZE),
        )
        return forgotten.rowcount == DELETE_BATCH_SIZE

    def get_language(self, user_id: int) -> str:
        """Return a person's language, empty for one that was never heard."""
        row = self._db.execute("SELECT language FROM users WHERE user_id = ?", (user_id,)).fetchone()
        return "" if row is None else str(row["language"])
