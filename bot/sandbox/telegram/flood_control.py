"""Flood control: how much a bot may send before Telegram says "retry after".

Telegram's advice to bots: about 30 messages a second overall, one a second in a
chat with short bursts, and 20 a minute in a group. What is refused counts nothing.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from bot.sandbox.telegram.errors import flood_control_error

OVERALL_PER_SECOND = 30
GROUP_PER_MINUTE = 20
#: Messages that a chat takes at once before one a second applies.
CHAT_BURST = 5


@dataclass
class RateWindow:
    """At most `most` messages within any `seconds`."""

    limit: int
    seconds: float
    sent_at: deque[float] = field(default_factory=deque)

    def seconds_until_free(self, now: float) -> float:
        """Return the seconds until one more fits, 0 when it does already."""
        while self.sent_at and self.sent_at[0] <= now - self.seconds:
            self.sent_at.popleft()
        return self.sent_at[0] + self.seconds - now if len(self.sent_at) >= self.limit else 0.0


class FloodControl:
    """Counts what was sent, over all and for each chat."""

    def __init__(self) -> None:
        self._overall = RateWindow(OVERALL_PER_SECOND, 1)
        self._bursts: dict[int, RateWindow] = {}
        self._groups: dict[int, RateWindow] = {}

    def count_message(self, chat_id: int, now: float) -> None:
        """Count one message, `now` in seconds; raise Refused (429) when it comes too soon."""
        windows = [self._overall, self._bursts.setdefault(chat_id, RateWindow(CHAT_BURST, CHAT_BURST))]
        if chat_id < 0:
            windows.append(self._groups.setdefault(chat_id, RateWindow(GROUP_PER_MINUTE, 60)))
        wait = max(window.seconds_until_free(now) for window in windows)
        if wait > 0:
            raise flood_control_error(math.ceil(wait))
        for window in windows:
            window.sent_at.append(now)
