"""Rate limiting of messages, to stay within Telegram's limits: 30 a second in all, one a second to a chat, 20 a minute
to a group.

Times are seconds on a monotonic clock. Beyond MAX_TRACKED_CHATS, chats that no longer have to wait are forgotten.
"""

from collections import deque

CHAT_INTERVAL = 1.0
GROUP_WINDOW = 60.0
GROUP_WINDOW_LIMIT = 20

#: Progress messages are throttled to one edit in the time of this many messages, so that thousands of waiting jobs
#: cannot use up the rate: ten edits a second at 30 messages a second.
EDIT_COST = 3

MAX_TRACKED_CHATS = 10_000


class SendRateLimiter:
    """Computes when the next message may be sent."""

    def __init__(self, messages_per_second: float) -> None:
        self._send_interval = 1 / messages_per_second
        self._global_open_at = 0.0
        self._edits_open_at = 0.0
        self._chats_open_at: dict[int, float] = {}
        self._group_sends: dict[int, deque[float]] = {}
        #: the last chat for which Telegram asked for a pause, and until when
        self._last_pause: tuple[int, float] = (0, 0.0)

    def next_send_at(self, chat_id: int, now: float) -> float:
        """Return when the next message to this chat may be sent, `now` at the earliest."""
        return max(self.global_next_send_at(now), self.chat_next_send_at(chat_id, now))

    def chat_next_send_at(self, chat_id: int, now: float) -> float:
        """Return the same, by the limits of this chat alone."""
        return max(now, self._chats_open_at.get(chat_id, 0.0), self._group_next_send_at(chat_id))

    def global_next_send_at(self, now: float) -> float:
        """Return the same, by the limit for all chats alone."""
        return max(now, self._global_open_at)

    def record_send(self, chat_id: int, now: float) -> None:
        """Count a message sent now."""
        self._global_open_at = max(self._global_open_at, now) + self._send_interval
        self._chats_open_at[chat_id] = now + CHAT_INTERVAL
        if chat_id < 0:
            self._group_sends.setdefault(chat_id, deque(maxlen=GROUP_WINDOW_LIMIT)).append(now)
        if len(self._chats_open_at) > MAX_TRACKED_CHATS:
            self._forget_idle_chats(now)

    def next_edit_at(self, now: float) -> float:
        """Return when the next progress message may be edited, `now` at the earliest."""
        return max(now, self._edits_open_at)

    def record_edit(self, now: float) -> None:
        """Count an edit sent now; it delays no message."""
        self._edits_open_at = now + self._send_interval * EDIT_COST

    def pause_chat(self, chat_id: int, until: float, now: float) -> None:
        """Send nothing to a chat before `until`, because Telegram asked for a pause (HTTP 429).

        Telegram does not say whether it limits the chat or the bot. If it asks for a second chat while the first still
        has to wait, it limits the bot: all chats then wait until the earlier of the two times.
        """
        other_chat_id, other_until = self._last_pause
        if other_chat_id != chat_id and other_until > now:
            self.pause_all(min(until, other_until))
        self._last_pause = chat_id, until
        self._chats_open_at[chat_id] = max(until, self._chats_open_at.get(chat_id, 0.0))

    def pause_all(self, until: float) -> None:
        """Send nothing to any chat before `until`."""
        self._global_open_at = max(self._global_open_at, until)

    def _group_next_send_at(self, chat_id: int) -> float:
        sent = self._group_sends.get(chat_id)
        return sent[0] + GROUP_WINDOW if sent is not None and len(sent) == GROUP_WINDOW_LIMIT else 0.0

    def _forget_idle_chats(self, now: float) -> None:
        self._chats_open_at = {chat: open_at for chat, open_at in self._chats_open_at.items() if open_at > now}
        self._group_sends = {chat: sent for chat, sent in self._group_sends.items() if sent[-1] + GROUP_WINDOW > now}
