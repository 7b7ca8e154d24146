"""`make figures`: what looks cost, ours and those of others, as a picture for the documentation."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bot.jobs.learned import Learned
from bot.store.jobs import Took
from bot.wish import Shape
from tests.looks.calling import called
from tests.looks.inspection import ADVISED, A, B, Cost, Durations, ages_of, best, cost, fixed, growing

FILE = Path(__file__).parents[2] / "docs" / "images" / "schedule.png"
SEEDS = range(20)

#: Seconds that a look is worth, along the curve of what is possible; the bot's own price stands out.
PRICES = (0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)

#: Told apart by everybody (Okabe and Ito, 2008), and by the shape of the marks as well.
POSSIBLE, OURS, OTHERS = "#000000", "#D55E00", "#0072B2"


@dataclass(frozen=True)
class Mark:
    """A point with its words, which stand `away` points from it, or end at `till` (in looks and seconds)."""

    cost: Cost
    words: str
    away: tuple[float, float] = (8, -3)
    till: tuple[float, float] | None = None


def draw() -> None:
    """Draw it and write the file."""
    mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _panel(left, A, "Durations A: half of the tasks take less than 10 s")
    _panel(right, B, "Durations B: the same, but one in ten waits for about a minute")
    left.set_ylabel("Seconds from the end of a task to the look that finds it (mean)")
    figure.savefig(FILE, dpi=110, metadata={"Software": None})


def _panel(axes: Axes, durations: Durations, title: str) -> None:
    axes.set(xscale="log", yscale="log", xlim=(0.8, 26), ylim=(0.4, 6), xlabel="Looks per task (mean)")
    axes.set_title(title, loc="left", fontsize=10.5)
    for axis, ticks in ((axes.xaxis, (1, 2, 3, 5, 10, 20)), (axes.yaxis, (0.5, 1, 2, 3, 5))):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    _possible(axes, durations)
    _marks(axes, _of_others(durations), OTHERS, "s")
    _marks(axes, _ours(durations), OURS, "o")


def _possible(axes: Axes, durations: Durations) -> None:
    costs = [cost(best(durations, price), durations) for price in PRICES]
    axes.plot([each.looks for each in costs], [each.delay for each in costs], color=POSSIBLE, linewidth=1.6)
    axes.annotate(
        "the best possible\nwithout callbacks,\nfor any price of a look",
        (costs[2].looks, costs[2].delay),
        xytext=(3.4, 0.74),
        ha="right",
        va="center",
        arrowprops={"arrowstyle": "-", "color": POSSIBLE, "linewidth": 0.6},
    )


def _of_others(durations: Durations) -> list[Mark]:
    return [
        Mark(cost(fixed(1.0), durations), "every second", (-24, 8)),
        Mark(cost(fixed(2.0), durations), "every 2 s", (7, 4)),
        Mark(cost(fixed(5.0), durations), "every 5 s", (6, 5) if durations == A else (6, -12)),
        Mark(cost(growing(2.0, 1.5, 30.0), durations), "2 s, then ×1.5, at most 30 s"),
        Mark(cost(ADVISED, durations), "Kie's advice", (7, -12) if durations == A else (8, 1)),
    ]


def _ours(durations: Durations) -> list[Mark]:
    plays = [called(durations, durations.shares(), tasks=2000, loses=lambda _: 0.01, seed=seed) for seed in SEEDS[:5]]
    with_calls = Cost(mean(mean(each.delays) for each in plays), mean(each.looks_per_task for each in plays))
    learned = {"the bot at first": 0, "after 20 tasks": 20, "after 100 tasks": 100}
    costs = sorted(
        ((_after(number, durations), words) for words, number in learned.items()), key=lambda one: -one[0].delay
    )
    beside = costs[0][0].looks / 1.5, costs[1][0].delay
    return [
        *(
            Mark(each, words, till=(beside[0], beside[1] * height))
            for (each, words), height in zip(costs, (1.17, 1.0, 0.855), strict=True)
        ),
        Mark(with_calls, "the bot where 99 callbacks in 100 come"),
    ]


def _after(number: int, durations: Durations) -> Cost:
    """Return what looks cost to a bot that has seen so many tasks, on average."""
    costs = []
    for seed in SEEDS:
        learned = Learned(10)
        learned.recall([Took(Shape.AUTO, seconds) for seconds in durations.some(number, seed)])
        costs.append(cost(ages_of(learned.timetable(Shape.AUTO, 1.0)), durations))
    return Cost(mean(each.delay for each in costs), mean(each.looks for each in costs))


def _marks(axes: Axes, marks: list[Mark], colour: str, shape: str) -> None:
    for mark in marks:
        at = (mark.cost.looks, mark.cost.delay)
        axes.plot(*at, shape, color=colour, markersize=6, markeredgecolor="white", markeredgewidth=0.6, zorder=4)
        if mark.till is None:
            axes.annotate(mark.words, at, xytext=mark.away, textcoords="offset points", color=colour)
        else:
            line = {"arrowstyle": "-", "color": colour, "linewidth": 0.6}
            axes.annotate(mark.words, at, xytext=mark.till, color=colour, ha="right", va="center", arrowprops=line)


if __name__ == "__main__":
    draw()
