"""The bot that the database belongs to, its users' languages, and the access rules for users and chats."""

import json
from collections.abc import Iterable
from enum import StrEnum

from bot.clock import Instant
from bot.store.base_table import DELETE_BATCH_SIZE, Table


class BotIdentity(Table):
    """The bot that the database belongs to: message ids are valid for one bot only."""

    def claim(self, bot_id: int) -> int:
        """Return the id of the bot that the database belongs to; a new database is claimed for `bot_id`."""
        self._change("INSERT INTO bot_identity (id, bot_id) VALUES (1, ?) ON CONFLICT DO NOTHING", (bot_id,))
        return self._count("SELECT bot_id FROM bot_identity")

    def get_command_menus_digest(self) -> str | None:
        """Return a digest of the command menus last sent to Telegram, None if there were none."""
        row = self._row("SELECT command_menus_digest FROM bot_identity")
        return None if row is None else row["command_menus_digest"]

    def set_command_menus_digest(self, digest: str) -> None:
        """Store the digest of the command menus last sent to Telegram."""
        self._change("UPDATE bot_identity SET command_menus_digest = ?", (digest,))


class Users(Table):
    """The language (locale) of each user's app, by Telegram's user id."""

    def set_language(self, user_id: int, language: str) -> None:
        """Store the language of a user's app."""
        self._change(
            "INSERT INTO users (user_id, language) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET language = excluded.language WHERE language <> excluded.language",
            (user_id, language),
        )

    def get_language(self, user_id: int) -> str:
        """Return a user's language, '' if unknown."""
        row = self._row("SELECT language FROM users WHERE user_id = ?", (user_id,))
        return "" if row is None else str(row["language"])

    def delete_all_except(self, user_ids: Iterable[int]) -> bool:
        """Delete some users, except these; return whether there may be more."""
        deleted = self._change(
            "DELETE FROM users WHERE user_id IN (SELECT user_id FROM users"
            " WHERE user_id NOT IN (SELECT value FROM json_each(?)) LIMIT ?)",
            (json.dumps(list(user_ids)), DELETE_BATCH_SIZE),
        )
        return deleted == DELETE_BATCH_SIZE


class AccessRule(StrEnum):
    """What an admin decided about a user, a group or a channel."""

    #: may use the bot, whatever the settings say
    ALLOWED = "allowed"
    #: may not use the bot, and is notified
    DENIED = "denied"
    #: may not use the bot, and gets no reply
    BLOCKED = "blocked"


class AccessRules(Table):
    """The rules by the id of a user or a chat."""

    def get(self, principal: int | None) -> AccessRule | None:
        """Return the rule for a user or a chat, None if no admin has decided."""
        row = self._row("SELECT rule FROM access_rules WHERE principal_id = ?", (principal,))
        return None if row is None else AccessRule(row["rule"])

    def set_rule(self, principal: int, rule: AccessRule, decided_by: int, now: Instant) -> None:
        """Store what an admin decided, replacing an earlier decision."""
        self._change(
            "INSERT OR REPLACE INTO access_rules (principal_id, rule, decided_by, decided_at) VALUES (?, ?, ?, ?)",
            (principal, rule, decided_by, now),
        )

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Apply the rule for a group to the supergroup that it became."""
        self._change("UPDATE OR IGNORE access_rules SET principal_id = ? WHERE principal_id = ?", (new_id, old_id))
        self._change("DELETE FROM access_rules WHERE principal_id = ?", (old_id,))
