"""Standings: what an admin decided about a person, a group or a channel."""

import sqlite3
from enum import StrEnum

from bot.clock import Instant


class AccessRule(StrEnum):
    """What somebody may do by the word of an admin."""

    #: may use the bot, whatever the settings say
    ALLOWED = "allowed"
    #: may not use it, and is told so
    DENIED = "denied"
    #: may not use it, and is not answered
    BLOCKED = "blocked"


class AccessRules:
    """The standings by id; whom nobody decided about has none."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, principal: int | None) -> AccessRule | None:
        """Return the standing of a person or a chat, None where nobody has decided."""
        row = self._db.execute("SELECT rule FROM access_rules WHERE principal_id = ?", (principal,)).fetchone()
        return None if row is None else AccessRule(row["rule"])

    def set_rule(self, principal: int, standing: AccessRule, decided_by: int, now: Instant) -> None:
        """Write down what an admin decided, in place of what was decided before."""
        self._db.execute(
            "INSERT OR REPLACE INTO access_rules (principal_id, rule, decided_by, decided_at) VALUES (?, ?, ?, ?)",
            (principal, standing, decided_by, now),
        )

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Let what was decided about a group hold for the supergroup that it became."""
        self._db.execute("UPDATE OR IGNORE access_rules SET principal_id = ? WHERE principal_id = ?", (new_id, old_id))
        self._db.execute("DELETE FROM access_rules WHERE principal_id = ?", (old_id,))
