"""What this process has learned about tasks: how long the latest took, and so when to look.

Nothing of it is stored. It is recalled from the jobs at the start, and each task
that finishes adds to it.
"""

from collections import deque
from collections.abc import Sequence

from bot.jobs.durations import REMEMBERED, Shares, believed, learned
from bot.jobs.timetable import Timetable, timetable
from bot.store.jobs import Took
from bot.wish import Shape

#: Tasks for which what was believed before counts: little, because it may be far off.
DOUBTED = 3.0

#: The same for what tasks of all shapes took, as long as little is known of one shape.
SHARED = 20.0

#: Tasks after which timetables are made anew; it takes a few milliseconds.
RENEWED = 5


class Learned:
    """The latest tasks, and the timetables that follow from them."""

    def __init__(self, usual: float) -> None:
        self._before = believed(usual)
        #: the last one first
        self._latest: deque[Took] = deque(maxlen=REMEMBERED)
        #: by shape and share of lost callbacks; no more than there are of both
        self._timetables: dict[tuple[Shape, float], Timetable] = {}
        self._since = 0

    def recall(self, latest: Sequence[Took]) -> None:
        """Start from the latest tasks, the last one first."""
        self._latest.clear()
        self._latest.extend(latest[:REMEMBERED])
        self._timetables.clear()

    def add(self, took: Took) -> None:
        """Learn from a task that has finished."""
        self._latest.appendleft(took)
        self._since += 1
        if self._since >= RENEWED:
            self._since = 0
            self._timetables.clear()

    def timetable(self, shape: Shape, lost: float) -> Timetable:
        """Return when to look at a task of this shape while this share of the callbacks gets lost (1: none come)."""
        known = self._timetables.get((shape, lost))
        if known is None:
            known = self._timetables[shape, lost] = timetable(self._shares(shape), lost)
        return known

    def _shares(self, shape: Shape) -> Shares:
        pooled = learned([each.seconds for each in self._latest], self._before, DOUBTED)
        return learned([each.seconds for each in self._latest if each.shape == shape], pooled, SHARED)
