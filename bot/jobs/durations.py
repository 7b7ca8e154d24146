"""How long tasks take, by the latest that finished: the share of tasks that end at each age.

It is an estimate without a formula behind it: every task that finished counts for
ages around its own, the latest most, and what was believed before anything was known
counts for a few tasks more. So it follows whatever Kie does: two kinds of tasks, a long
tail, a day on which everything takes three times as long.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist

#: A share of tasks for each span between two of the AGES; together they are 1.
Shares = tuple[float, ...]

#: The width of a span, as a difference of natural logarithms: what is five per cent off costs nothing.
STEP = 0.05

#: Seconds since Kie made the task: zero, and from half a second on in equal ratios up to half an hour.
AGES = (0.0, *(0.5 * math.exp(STEP * number) for number in range(165)))

#: Tasks after which one counts half. Fewer would know less of what stays, more would be slower to see what changes.
HALF_LIFE = 30

#: Tasks that are remembered; what is older would count for less than a thousandth.
REMEMBERED = 10 * HALF_LIFE

#: One task in ten is believed to wait behind something, and to take about six times as long: recordings are few.
SLOW_SHARE, SLOW_RATIO = 0.1, 6.0

#: How far tasks spread, as standard deviations of the logarithm: most of them, and those that wait.
SPREAD, SLOW_SPREAD = 0.5, 0.8

#: The least width, in logarithms, for which one task counts, and the most.
NARROWEST, WIDEST = 0.06, 0.25


def believed(median: float) -> Shares:
    """Return what is believed before anything is known but that half of the tasks take less than `median` seconds."""
    ended = [
        (1 - SLOW_SHARE) * _ended(age, median, SPREAD) + SLOW_SHARE * _ended(age, SLOW_RATIO * median, SLOW_SPREAD)
        for age in AGES[:-1]
    ]
    return tuple(until - since for since, until in pairwise([*ended, 1.0]))


def learned(latest: Sequence[float], prior: Shares, weight: float) -> Shares:
    """Return what follows from the seconds that the latest tasks took, the last one first.

    `prior` counts for as many tasks as `weight` says.
    """
    if not latest:
        return prior
    counts = [0.0] * len(prior)
    for place, seconds in enumerate(latest):
        counts[_span(seconds)] += 0.5 ** (place / HALF_LIFE)
    number, before = sum(counts), [weight * share for share in prior]
    width = _width([old + new for old, new in zip(before, counts, strict=True)], number)
    smoothed = _smoothed(counts, width)
    return tuple((old + new) / (weight + number) for old, new in zip(before, smoothed, strict=True))


def _ended(age: float, median: float, spread: float) -> float:
    """Return the share that ended by an age, where the logarithm is normal."""
    return NormalDist(math.log(median), spread).cdf(math.log(age)) if age > 0 else 0.0


def _span(seconds: float) -> int:
    return min(bisect_right(AGES, max(0.0, seconds)) - 1, len(AGES) - 2)


def _width(counts: list[float], number: float) -> float:
    """Return the width, in logarithms, for which each of `number` tasks counts, by Silverman's rule (1986, 3.30)."""
    all_of_them = sum(counts)
    middle_half = STEP * max(1, _quantile(counts, 0.75 * all_of_them) - _quantile(counts, 0.25 * all_of_them))
    return min(WIDEST, max(NARROWEST, 0.9 * middle_half / 1.34 * math.pow(number, -0.2)))


def _quantile(counts: list[float], number: float) -> int:
    """Return the span up to which `number` tasks ended."""
    seen = 0.0
    for span, count in enumerate(counts):
        seen += count
        if seen >= number:
            return span
    return len(counts) - 1


def _smoothed(counts: list[float], width: float) -> list[float]:
    """Spread each task over the spans around its own; what would fall off the ends stays in the last ones."""
    reach = math.ceil(3 * width / STEP)
    bell = [math.exp(-0.5 * (STEP * away / width) ** 2) for away in range(-reach, reach + 1)]
    whole, last = sum(bell), len(counts) - 1
    smoothed = [0.0] * len(counts)
    for span, count in enumerate(counts):
        if count:
            for away, height in enumerate(bell, -reach):
                smoothed[min(last, max(0, span + away))] += count * height / whole
    return smoothed
