"""Flood control: how much a bot may send before Telegram says "retry after".

Telegram's advice to bots: about 30 messages a second overall, one a second in a
chat with short bursts, and 20 a minute in a group. What is refused counts nothing.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from bot.sandbox.telegram.refusals import flooded

OVERALL_PER_SECOND = 30
GROUP_PER_MINUTE = 20
#: Messages that a chat takes at once before one a second applies.
BURST = 5


@dataclass
class Window:
    """At most `most` messages within any `seconds`."""

    most: int
    seconds: float
    sent: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """Return the seconds until one more fits, 0 when it does already."""
        while self.sent and self.sent[0] <= now - self.seconds:
            self.sent.popleft()
        return self.sent[0] + self.seconds - now if len(self.sent) >= self.most else 0.0


class Floods:
    """Counts what was sent, over all and for each chat."""

    def __init__(self) -> None:
        self._overall = Window(OVERALL_PER_SECOND, 1)
        self._bursts: dict[int, Window] = {}
        self._groups: dict[int, Window] = {}

    def admit(self, chat_id: int, now: float) -> None:
        """Count one message, `now` in seconds; raise Refused (429) when it comes too soon."""
        windows = [self._overall, self._bursts.setdefault(chat_id, Window(BURST, BURST))]
        if chat_id < 0:
            windows.append(self._groups.setdefault(chat_id, Window(GROUP_PER_MINUTE, 60)))
        wait = max(window.wait(now) for window in windows)
        if wait > 0:
            raise flooded(math.ceil(wait))
        for window in windows:
            window.sent.append(now)
