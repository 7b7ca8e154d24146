"""Telegram's limits for sending, kept on our side: 30 messages a second in all,
one a second in a chat, 20 a minute in a group.

Times are seconds on any clock that never goes back. What is remembered is bounded:
when there are more than MOST_CHATS, those that may be written to again are forgotten.
"""

from collections import deque

CHAT_GAP = 1.0
GROUP_WINDOW = 60.0
GROUP_MOST = 20

#: Messages that are sent in the time of one that is brought up to date: ten a second are enough for a hundred that
#: wait, and the ten thousand that may wait must not take all there is.
CHANGES_TAKE = 3

#: Chats that are remembered before those that are open again are forgotten.
MOST_CHATS = 10_000


class Pacing:
    """Says when the next message to a chat may leave."""

    def __init__(self, messages_per_second: float) -> None:
        self._gap = 1 / messages_per_second
        self._overall = 0.0
        self._changes = 0.0
        self._chats: dict[int, float] = {}
        self._groups: dict[int, deque[float]] = {}
        #: the latest chat for which Telegram asked for a pause, and until when
        self._paused: tuple[int, float] = (0, 0.0)

    def opens(self, chat_id: int, now: float) -> float:
        """Return the moment, `now` at the earliest, at which this chat may be written to."""
        return max(self.next_opens(now), self.chat_opens(chat_id, now))

    def chat_opens(self, chat_id: int, now: float) -> float:
        """Return the moment, `now` at the earliest, at which only this chat's own limits let it be written to."""
        return max(now, self._chats.get(chat_id, 0.0), self._group_opens(chat_id))

    def next_opens(self, now: float) -> float:
        """Return the moment, `now` at the earliest, at which any chat may be written to."""
        return max(now, self._overall)

    def sent(self, chat_id: int, now: float) -> None:
        """Count a message that leaves now."""
        self._overall = max(self._overall, now) + self._gap
        self._chats[chat_id] = now + CHAT_GAP
        if chat_id < 0:
            self._groups.setdefault(chat_id, deque(maxlen=GROUP_MOST)).append(now)
        if len(self._chats) > MOST_CHATS:
            self._forget(now)

    def changes_open(self, now: float) -> float:
        """Return the moment, `now` at the earliest, at which any message may be brought up to date."""
        return max(now, self._changes)

    def changed(self, now: float) -> None:
        """Count a message that is brought up to date now; that keeps no other message waiting."""
        self._changes = now + self._gap * CHANGES_TAKE

    def pause(self, chat_id: int, until: float, now: float) -> None:
        """Leave a chat alone until a moment, as Telegram asked for.

        Telegram does not say whether it means the chat or the bot. Where it says so in a second chat while the first
        still has to wait, it means the bot: all wait until the first of the two may be written to again.
        """
        other, others_until = self._paused
        if other != chat_id and others_until > now:
            self.pause_all(min(until, others_until))
        self._paused = chat_id, until
        self._chats[chat_id] = max(until, self._chats.get(chat_id, 0.0))

    def pause_all(self, until: float) -> None:
        """Leave every chat alone until a moment."""
        self._overall = max(self._overall, until)

    def _group_opens(self, chat_id: int) -> float:
        sent = self._groups.get(chat_id)
        return sent[0] + GROUP_WINDOW if sent is not None and len(sent) == GROUP_MOST else 0.0

    def _forget(self, now: float) -> None:
        self._chats = {chat: opens for chat, opens in self._chats.items() if opens > now}
        self._groups = {chat: sent for chat, sent in self._groups.items() if sent[-1] + GROUP_WINDOW > now}
