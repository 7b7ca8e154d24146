"""Who may use the bot: the one place where that is decided."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Access:
    """The ids of people and chats; an empty allow-list admits everyone, admins always come in."""

    allowed: frozenset[int]
    admins: frozenset[int]

    def admits(self, user_id: int, chat_id: int) -> bool:
        """Say whether this person may use the bot in this chat."""
        return not self.allowed or not {user_id, chat_id}.isdisjoint(self.allowed | self.admins)
