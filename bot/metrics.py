"""Meters: what this process has counted and timed since it started, for whoever watches the bot.

One object, made in `app` and passed to those who have something to count. It costs an addition each time, whether
somebody watches or not. Labels come from small closed sets: nothing here tells one person from another.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

#: Seconds. An edit waits for nothing on a quiet day, and for hours behind a halt.
WAITS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0)

#: Seconds. Kie mostly takes about ten, sometimes a minute, and now and then the better part of an hour.
WORKS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.5, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)

#: Seconds from the request to the answer: those of Kie and of the line, and an hour in which words are waited for.
ANSWERS = (1.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21_600.0)

#: Seconds from the finished picture to the answer: a callback brings half of one, a late look up to thirty.
DELIVERIES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 300.0, 3600.0)

#: Looks at a task; one is the least that there can be.
LOOKS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0)

Labels = tuple[str, ...]


class Count:
    """Something that only grows, by the values of its labels; shown with `_total` behind its name."""

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = labels
        self.values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count something; `by=0` shows that it can be counted, before it ever was."""
        self.values[values] = self.values.get(values, 0.0) + by


class Series:
    """How many figures lie between the bounds of a histogram, and what they sum up to."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, figure: float) -> None:
        """Sort a figure in; one on a bound is below it."""
        self._counts[bisect_left(self._bounds, figure)] += 1
        self.sum += figure

    def up_to_bounds(self) -> list[int]:
        """Return how many figures are not above each bound, and at the end how many there are."""
        return list(accumulate(self._counts))


class Histogram:
    """Figures by the bounds that they lie between, and by the values of labels."""

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], *labels: str) -> None:
        self.name = name
        self.meaning = meaning
        self.bounds = bounds
        self.labels = labels
        self.series: dict[Labels, Series] = {} if labels else {(): Series(bounds)}

    def show(self, *values: str) -> None:
        """Show that there can be figures, before there are any."""
        self.series.setdefault(values, Series(self.bounds))

    def observe(self, figure: float, *values: str) -> None:
        """Sort a figure in; below nothing, as a clock that was set can make it, counts as nothing."""
        if values not in self.series:
            self.show(*values)
        self.series[values].add(max(0.0, figure))


class Meters:
    """Everything that is counted and timed."""

    def __init__(self) -> None:
        self.accepted = Count("darkroom_requests_accepted", "Requests that were complete and got into the line.")
        self.finished = Count(
            "darkroom_requests_finished",
            "Requests that came to their end, and why without a picture.",
            "outcome",
            "reason",
        )
        self.answers = Count("darkroom_answers", "How it ended with the answers to people.", "ending")
        self.updates = Count("darkroom_updates", "Updates from Telegram that were taken in.")
        self.telegram_calls = Count(
            "darkroom_telegram_calls", "Calls to Telegram by HTTP status, none where no answer came.", "method", "code"
        )
        self.kie_calls = Count("darkroom_kie_calls", "Calls to Kie by what came of them.", "call", "outcome")
        self.callbacks = Count(
            "darkroom_kie_callbacks", "Callbacks from Kie, and tasks that were found finished without one.", "kind"
        )
        self.credits_spent = Count("darkroom_kie_credits_spent", "Credits that finished tasks cost.")
        self.waited = Histogram(
            "darkroom_queue_wait_seconds", "From the complete request to the order that Kie took.", WAITS
        )
        self.worked = Histogram("darkroom_kie_work_seconds", "What Kie took for a picture, by its own clock.", WORKS)
        self.answered = Histogram("darkroom_answer_seconds", "From the request to its answer.", ANSWERS, "outcome")
        self.delivered = Histogram(
            "darkroom_delivery_seconds",
            "From the moment at which Kie had a picture to that at which it was sent.",
            DELIVERIES,
        )
        self.looks = Histogram("darkroom_task_looks", "Looks at a task until it was over.", LOOKS)

    @property
    def counts(self) -> tuple[Count, ...]:
        """Everything that is counted."""
        return tuple(each for each in vars(self).values() if isinstance(each, Count))

    @property
    def histograms(self) -> tuple[Histogram, ...]:
        """Everything that is sorted in."""
        return tuple(each for each in vars(self).values() if isinstance(each, Histogram))
