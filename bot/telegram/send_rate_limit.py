"""Telegram's limits for sending, kept on our side: 30 messages a second in all,
one a second in a chat, 20 a minute in a group.

Times are seconds on any clock that never goes back. What is remembered is bounded:
when there are more than MOST_CHATS, those that may be written to again are forgotten.
"""

from collections import deque

CHAT_INTERVAL = 1.0
GROUP_WINDOW = 60.0
GROUP_WINDOW_LIMIT = 20

#: Messages that are sent in the time of one that is brought up to date: ten a second are enough for a hundred that
#: wait, and the ten thousand that may wait must not take all there is.
EDIT_COST = 3

#: Chats that are remembered before those that are open again are forgotten.
MAX_TRACKED_CHATS = 10_000


class SendRateLimiter:
    """Says when the next message to a chat may leave."""

    def __init__(self, messages_per_second: float) -> None:
        self._send_interval = 1 / messages_per_second
        self._global_open_at = 0.0
        self._edits_open_at = 0.0
        self._chats_open_at: dict[int, float] = {}
        self._group_sends: dict[int, deque[float]] = {}
        #: the latest chat for which Telegram asked for a pause, and until when
        self._last_pause: tuple[int, float] = (0, 0.0)

    def next_send_at(self, chat_id: int, now: float) -> float:
        """Return the moment, `now` at the earliest, at which this chat may be written to."""
        return max(self.global_next_send_at(now), self.chat_next_send_at(chat_id, now))

    def chat_next_send_at(self, chat_id: int, now: float) -> float:
        """Return the moment, `now` at the earliest, at which only this chat's own limits let it be written to."""
        return max(now, self._chats_open_at.get(chat_id, 0.0), self._group_next_send_at(chat_id))

    def global_next_send_at(self, now: float) -> float:
        """Return the moment, `now` at the earliest, at which any chat may be written to."""
        return max(now, self._global_open_at)

    def record_send(self, chat_id: int, now: float) -> None:
        """Count a message that leaves now."""
        self._global_open_at = max(self._global_open_at, now) + self._send_interval
        self._chats_open_at[chat_id] = now + CHAT_INTERVAL
        if chat_id < 0:
            self._group_sends.setdefault(chat_id, deque(maxlen=GROUP_WINDOW_LIMIT)).append(now)
        if len(self._chats_open_at) > MAX_TRACKED_CHATS:
            self._forget_idle_chats(now)

    def next_edit_at(self, now: float) -> float:
        """Return the moment, `now` at the earliest, at which any message may be brought up to date."""
        return max(now, self._edits_open_at)

    def record_edit(self, now: float) -> None:
        """Count a message that is brought up to date now; that keeps no other message waiting."""
        self._edits_open_at = now + self._send_interval * EDIT_COST

    def pause_chat(self, chat_id: int, until: float, now: float) -> None:
        """Leave a chat alone until a moment, as Telegram asked for.

        Telegram does not say whether it means the chat or the bot. Where it says so in a second chat while the first
        still has to wait, it means the bot: all wait until the first of the two may be written to again.
        """
        other, others_until = self._last_pause
        if other != chat_id and others_until > now:
            self.pause_all(min(until, others_until))
        self._last_pause = chat_id, until
        self._chats_open_at[chat_id] = max(until, self._chats_open_at.get(chat_id, 0.0))

    def pause_all(self, until: float) -> None:
        """Leave every chat alone until a moment."""
        self._global_open_at = max(self._global_open_at, until)

    def _group_next_send_at(self, chat_id: int) -> float:
        sent = self._group_sends.get(chat_id)
        return sent[0] + GROUP_WINDOW if sent is not None and len(sent) == GROUP_WINDOW_LIMIT else 0.0

    def _forget_idle_chats(self, now: float) -> None:
        self._chats_open_at = {chat: opens for chat, opens in self._chats_open_at.items() if opens > now}
        self._group_sends = {chat: sent for chat, sent in self._group_sends.items() if sent[-1] + GROUP_WINDOW > now}
