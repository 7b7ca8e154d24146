"""Flood control: the limits beyond which Telegram answers 429 with `retry_after`.

Documented: about 30 messages per second overall, 1 per second in a chat with
short bursts, and 20 per minute in a group. Refused messages do not count.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from bot.sandbox.telegram.errors import flood_control_error

OVERALL_PER_SECOND = 30
GROUP_PER_MINUTE = 20
#: messages that a chat takes at once before the limit of one per second applies
CHAT_BURST = 5


@dataclass
class RateWindow:
    """A sliding window: at most `limit` messages within any `seconds`."""

    limit: int
    seconds: float
    sent_at: deque[float] = field(default_factory=deque)

    def seconds_until_free(self, now: float) -> float:
        """Return the seconds until one more message is allowed, or 0."""
        while self.sent_at and self.sent_at[0] <= now - self.seconds:
            self.sent_at.popleft()
        return self.sent_at[0] + self.seconds - now if len(self.sent_at) >= self.limit else 0.0


class FloodControl:
    """Counts the messages sent, overall and per chat."""

    def __init__(self) -> None:
        self._overall = RateWindow(OVERALL_PER_SECOND, 1)
        self._bursts: dict[int, RateWindow] = {}
        self._groups: dict[int, RateWindow] = {}

    def count_message(self, chat_id: int, now: float) -> None:
        """Count one message; `now` in seconds. Raises BotApiError (429) above a limit."""
        windows = [self._overall, self._bursts.setdefault(chat_id, RateWindow(CHAT_BURST, CHAT_BURST))]
        if chat_id < 0:
            windows.append(self._groups.setdefault(chat_id, RateWindow(GROUP_PER_MINUTE, 60)))
        wait = max(window.seconds_until_free(now) for window in windows)
        if wait > 0:
            raise flood_control_error(math.ceil(wait))
        for window in windows:
            window.sent_at.append(now)
