"""How long tasks take: spread as the real ones are, and as slow or quick as somebody likes."""

import math
import random

#: seconds; half of the real tasks take less
MEDIAN = 10.0
SIGMA = 0.5
#: one in ten waits behind something, for about a minute
SLOW_SHARE, SLOW_MEDIAN, SLOW_SIGMA = 0.1, 60.0, 0.8
#: seconds; no recorded task that succeeded took longer (September 2025)
LONGEST = 333.0


class Durations:
    """A log-normal core with a heavy tail, in seconds; call it for the next one.

    `scale` may be changed at any time and counts for tasks ordered from then
    on: 1 is as slow as the real service, 0 is at once. The same `seed` gives
    the same durations.
    """

    def __init__(self, scale: float = 1.0, seed: int | None = None) -> None:
        self.scale = scale
        self._chance = random.Random(seed)  # noqa: S311 - no secret depends on it

    def __call__(self) -> float:
        slow = self._chance.random() < SLOW_SHARE
        median, sigma = (SLOW_MEDIAN, SLOW_SIGMA) if slow else (MEDIAN, SIGMA)
        return self.scale * min(LONGEST, self._chance.lognormvariate(math.log(median), sigma))

    @property
    def scale(self) -> float:
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        """Take another scale; raises `ValueError` for one that is negative or no number."""
        if not 0 <= scale < math.inf:
            raise ValueError(f"a scale is a number from 0 on, not {scale}")
        self._scale = scale


def longest(median: float) -> float:
    """No task takes longer, in seconds, where half of them take less than `median`."""
    return median / MEDIAN * LONGEST
