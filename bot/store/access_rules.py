"""Access rules: what an admin decided about a user, a group or a channel."""

from enum import StrEnum

from bot.clock import Instant
from bot.store.table import Table


class AccessRule(StrEnum):
    """What an admin decided about somebody."""

    #: may use the bot, whatever the settings say
    ALLOWED = "allowed"
    #: may not use it, and is told so
    DENIED = "denied"
    #: may not use it, and is not answered
    BLOCKED = "blocked"


class AccessRules(Table):
    """The rules by the id of a user or a chat."""

    def get(self, principal: int | None) -> AccessRule | None:
        """Return the rule for a user or a chat, None where no admin has decided."""
        row = self._row("SELECT rule FROM access_rules WHERE principal_id = ?", (principal,))
        return None if row is None else AccessRule(row["rule"])

    def set_rule(self, principal: int, rule: AccessRule, decided_by: int, now: Instant) -> None:
        """Store what an admin decided, in place of an earlier decision."""
        self._change(
            "INSERT OR REPLACE INTO access_rules (principal_id, rule, decided_by, decided_at) VALUES (?, ?, ?, ?)",
            (principal, rule, decided_by, now),
        )

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Apply the rule for a group to the supergroup that it became."""
        self._change("UPDATE OR IGNORE access_rules SET principal_id = ? WHERE principal_id = ?", (new_id, old_id))
        self._change("DELETE FROM access_rules WHERE principal_id = ?", (old_id,))
