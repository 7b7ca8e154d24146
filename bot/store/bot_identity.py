"""Whose database it is: message ids count per bot, so another bot's rows would be mistaken for ours."""

import sqlite3


class BotIdentity:
    """The one bot that a database belongs to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def claim(self, bot_id: int) -> int:
        """Return the id of the bot that the database belongs to, which is this one if it was nobody's."""
        self._db.execute("INSERT INTO bot_identity (id, bot_id) VALUES (1, ?) ON CONFLICT DO NOTHING", (bot_id,))
        return int(self._db.execute("SELECT bot_id FROM bot_identity").fetchone()["bot_id"])

    def get_command_menus_digest(self) -> str | None:
        """Return a digest of the menus of commands that Telegram has from us, None before there are any."""
        row = self._db.execute("SELECT command_menus_digest FROM bot_identity").fetchone()
        return None if row is None else row["command_menus_digest"]

    def set_command_menus_digest(self, digest: str) -> None:
        """Note which menus of commands Telegram has from us."""
        self._db.execute("UPDATE bot_identity SET command_menus_digest = ?", (digest,))
