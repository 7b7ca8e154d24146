"""Tasks about which Kie calls back, or does not: what looks cost meanwhile. Drawn with a seed, no process is run."""

import math
import random
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from bot.pipeline.callback_tracker import CallbackLossRate
from bot.pipeline.poll_schedule import POLL_COST, DurationDistribution, compute_poll_schedule
from tests.poll_schedule.poll_cost_model import DurationModel, poll_ages

#: Seconds that a callback takes on average.
CALLBACK_LATENCY = 0.3


@dataclass(frozen=True)
class CallbackSimulationResult:
    """What some tasks cost, one after the other: seconds until a look found the end, and looks."""

    delays: list[float]
    polls: list[int]

    @property
    def polls_per_task(self) -> float:
        """The mean number of looks."""
        return sum(self.polls) / len(self.polls)

    @property
    def total(self) -> float:
        """Delay and looks together, per task, in seconds."""
        return sum(self.delays) / len(self.delays) + POLL_COST * self.polls_per_task

    def delay(self, quantile: float) -> float:
        """Return the seconds that so large a share of the tasks waits at most."""
        return sorted(self.delays)[math.floor(quantile * (len(self.delays) - 1))]


def simulate_callbacks(
    durations: DurationModel,
    known: DurationDistribution,
    *,
    tasks: int,
    loses: Callable[[int], float],
    seed: int,
    fixed: float | None = None,
) -> CallbackSimulationResult:
    """Play tasks that take so long while the callback of task number n gets lost with a probability of `loses(n)`.

    How many get lost is learned, or believed to be `fixed`. The look after a callback is counted.
    """
    chance, losses = random.Random(seed), CallbackLossRate()  # noqa: S311 - no secret depends on it
    delays, looks = list[float](), list[int]()
    ages: dict[float, list[float]] = {}
    for number in range(tasks):
        share = losses.expected if fixed is None else fixed
        if share not in ages:
            ages[share] = poll_ages(compute_poll_schedule(known, share))
        ends = durations.draw(chance)
        is_lost = chance.random() < loses(number)
        calls = math.inf if is_lost else ends + chance.expovariate(1 / CALLBACK_LATENCY)
        found = ages[share][bisect_left(ages[share], ends)]
        losses = losses.updated(lost=found < calls)
        delays.append(min(found, calls) - ends)
        looks.append(bisect_left(ages[share], min(found, calls)) + 1)
    return CallbackSimulationResult(delays, looks)
