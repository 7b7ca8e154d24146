"""A seeded Monte Carlo simulation of tasks whose callbacks arrive or get lost, and of the cost of polling them."""

import math
import random
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from bot.pipeline.callback_tracker import CallbackLossRate
from bot.pipeline.poll_schedule import POLL_COST, DurationDistribution, compute_poll_schedule
from tests.poll_schedule.poll_cost_model import DurationModel, poll_ages

#: Mean latency of a callback in seconds.
CALLBACK_LATENCY = 0.3


@dataclass(frozen=True)
class CallbackSimulationResult:
    """For each task in order: the seconds until its end was found, and the number of polls."""

    delays: list[float]
    polls: list[int]

    @property
    def polls_per_task(self) -> float:
        """The mean number of polls."""
        return sum(self.polls) / len(self.polls)

    @property
    def total(self) -> float:
        """The mean cost of delay and polls per task, in seconds."""
        return sum(self.delays) / len(self.delays) + POLL_COST * self.polls_per_task

    def delay(self, quantile: float) -> float:
        """Return a quantile of the delay, in seconds."""
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
    """Simulate tasks whose callbacks get lost, that of task n with a probability of `loses(n)`.

    The schedule learns the loss rate, or assumes it to be `fixed`. The poll after a callback is counted too.
    """
    chance, loss_rate = random.Random(seed), CallbackLossRate()  # noqa: S311 - no secret depends on it
    delays, polls = list[float](), list[int]()
    ages: dict[float, list[float]] = {}
    for number in range(tasks):
        rate = loss_rate.expected if fixed is None else fixed
        if rate not in ages:
            ages[rate] = poll_ages(compute_poll_schedule(known, rate))
        ends = durations.draw(chance)
        is_lost = chance.random() < loses(number)
        calls = math.inf if is_lost else ends + chance.expovariate(1 / CALLBACK_LATENCY)
        found = ages[rate][bisect_left(ages[rate], ends)]
        loss_rate = loss_rate.updated(lost=found < calls)
        delays.append(min(found, calls) - ends)
        polls.append(bisect_left(ages[rate], min(found, calls)) + 1)
    return CallbackSimulationResult(delays, polls)
