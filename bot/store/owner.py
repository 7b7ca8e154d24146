"""Whose database it is: message ids count per bot, so another bot's rows would be mistaken for ours."""

import sqlite3


class Owner:
    """The one bot that a database belongs to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def claim(self, bot_id: int) -> int:
        """Return the id of the bot that the database belongs to, which is this one if it was nobody's."""
        self._db.execute("INSERT INTO owner (only, bot_id) VALUES (1, ?) ON CONFLICT DO NOTHING", (bot_id,))
        return int(self._db.execute("SELECT bot_id FROM owner").fetchone()["bot_id"])
