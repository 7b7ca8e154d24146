"""The bot that the database belongs to, and the languages of its users."""

import json
from collections.abc import Iterable

from bot.store.table import DELETE_BATCH_SIZE, Table


class BotIdentity(Table):
    """The bot that a database belongs to: message ids count per bot, so another bot's would mean other messages."""

    def claim(self, bot_id: int) -> int:
        """Return the id of the bot that the database belongs to; a new database is claimed for `bot_id`."""
        self._change("INSERT INTO bot_identity (id, bot_id) VALUES (1, ?) ON CONFLICT DO NOTHING", (bot_id,))
        return self._count("SELECT bot_id FROM bot_identity")

    def get_command_menus_digest(self) -> str | None:
        """Return a digest of the command menus that Telegram has from us, None before there are any."""
        row = self._row("SELECT command_menus_digest FROM bot_identity")
        return None if row is None else row["command_menus_digest"]

    def set_command_menus_digest(self, digest: str) -> None:
        """Store which command menus Telegram has from us."""
        self._change("UPDATE bot_identity SET command_menus_digest = ?", (digest,))


class Users(Table):
    """The language of each user's app, by Telegram's user id."""

    def set_language(self, user_id: int, language: str) -> None:
        """Store the language of a user's app."""
        self._change(
            "INSERT INTO users (user_id, language) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET language = excluded.language WHERE language <> excluded.language",
            (user_id, language),
        )

    def get_language(self, user_id: int) -> str:
        """Return a user's language, empty where it is unknown."""
        row = self._row("SELECT language FROM users WHERE user_id = ?", (user_id,))
        return "" if row is None else str(row["language"])

    def delete_all_except(self, user_ids: Iterable[int]) -> bool:
        """Delete some of the other users; return whether there may be more."""
        deleted = self._change(
            "DELETE FROM users WHERE user_id IN (SELECT user_id FROM users"
            " WHERE user_id NOT IN (SELECT value FROM json_each(?)) LIMIT ?)",
            (json.dumps(list(user_ids)), DELETE_BATCH_SIZE),
        )
        return deleted == DELETE_BATCH_SIZE
