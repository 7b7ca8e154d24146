"""`make figures`: draw a chart of the cost of polling for the documentation, ours beside simple schedules."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bot.edit_options import AspectRatio
from bot.pipeline.poll_schedule import AdaptivePollSchedule
from bot.store.jobs import KieDuration
from tests.poll_schedule.callback_simulation import simulate_callbacks
from tests.poll_schedule.poll_cost_model import (
    ADVISED_AGES,
    TYPICAL,
    WITH_STRAGGLERS,
    DurationModel,
    PollCost,
    compute_poll_cost,
    fixed_interval,
    growing_intervals,
    optimal_poll_ages,
    poll_ages,
)

TARGET_FILE = Path(__file__).parents[2] / "docs" / "images" / "schedule.png"
SEEDS = range(20)

#: Prices of a poll in seconds, for the curve of the optimum; the bot's POLL_COST is among them.
POLL_PRICES = (0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)

#: Safe for colour-blind readers (Okabe and Ito, 2008); the marks also differ in shape.
OPTIMUM_COLOUR, OUR_COLOUR, OTHERS_COLOUR = "#000000", "#D55E00", "#0072B2"


@dataclass(frozen=True)
class ChartMark:
    """A point with a label, `offset` points away from it or at `line_end` (polls, seconds)."""

    cost: PollCost
    label: str
    offset: tuple[float, float] = (8, -3)
    line_end: tuple[float, float] | None = None


def draw() -> None:
    """Draw the chart and write the file."""
    mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_panel(left, TYPICAL, "Durations A: half of the tasks take less than 10 s")
    _draw_panel(right, WITH_STRAGGLERS, "Durations B: the same, but one in ten waits for about a minute")
    left.set_ylabel("Seconds from the end of a task to the look that finds it (mean)")
    figure.savefig(TARGET_FILE, dpi=110, metadata={"Software": None})


def _draw_panel(axes: Axes, durations: DurationModel, title: str) -> None:
    axes.set(xscale="log", yscale="log", xlim=(0.8, 26), ylim=(0.4, 6), xlabel="Looks per task (mean)")
    axes.set_title(title, loc="left", fontsize=10.5)
    for axis, ticks in ((axes.xaxis, (1, 2, 3, 5, 10, 20)), (axes.yaxis, (0.5, 1, 2, 3, 5))):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    _draw_optimum(axes, durations)
    _draw_marks(axes, _marks_of_others(durations), OTHERS_COLOUR, "s")
    _draw_marks(axes, _marks_of_ours(durations), OUR_COLOUR, "o")


def _draw_optimum(axes: Axes, durations: DurationModel) -> None:
    costs = [compute_poll_cost(optimal_poll_ages(durations, price), durations) for price in POLL_PRICES]
    axes.plot([each.polls for each in costs], [each.delay for each in costs], color=OPTIMUM_COLOUR, linewidth=1.6)
    axes.annotate(
        "the best possible\nwithout callbacks,\nfor any price of a look",
        (costs[2].polls, costs[2].delay),
        xytext=(3.4, 0.74),
        ha="right",
        va="center",
        arrowprops={"arrowstyle": "-", "color": OPTIMUM_COLOUR, "linewidth": 0.6},
    )


def _marks_of_others(durations: DurationModel) -> list[ChartMark]:
    return [
        ChartMark(compute_poll_cost(fixed_interval(1.0), durations), "every second", (-24, 8)),
        ChartMark(compute_poll_cost(fixed_interval(2.0), durations), "every 2 s", (7, 4)),
        ChartMark(
            compute_poll_cost(fixed_interval(5.0), durations), "every 5 s", (6, 5) if durations == TYPICAL else (6, -12)
        ),
        ChartMark(compute_poll_cost(growing_intervals(2.0, 1.5, 30.0), durations), "2 s, then ×1.5, at most 30 s"),
        ChartMark(
            compute_poll_cost(ADVISED_AGES, durations), "Kie's advice", (7, -12) if durations == TYPICAL else (8, 1)
        ),
    ]


def _marks_of_ours(durations: DurationModel) -> list[ChartMark]:
    simulated = [
        simulate_callbacks(durations, durations.shares(), tasks=2000, loses=lambda _: 0.01, seed=seed)
        for seed in SEEDS[:5]
    ]
    with_calls = PollCost(
        mean(mean(each.delays) for each in simulated), mean(each.polls_per_task for each in simulated)
    )
    learned = {"the bot at first": 0, "after 20 tasks": 20, "after 100 tasks": 100}
    costs = sorted(
        ((_cost_after_learning(number, durations), words) for words, number in learned.items()),
        key=lambda one: -one[0].delay,
    )
    beside = costs[0][0].polls / 1.5, costs[1][0].delay
    return [
        *(
            ChartMark(each, words, line_end=(beside[0], beside[1] * height))
            for (each, words), height in zip(costs, (1.17, 1.0, 0.855), strict=True)
        ),
        ChartMark(with_calls, "the bot where 99 callbacks in 100 come"),
    ]


def _cost_after_learning(number: int, durations: DurationModel) -> PollCost:
    """Return the mean cost for a bot that has learned from `number` tasks."""
    costs = []
    for seed in SEEDS:
        learned = AdaptivePollSchedule(10)
        learned.load_history([KieDuration(AspectRatio.AUTO, seconds) for seconds in durations.draw_many(number, seed)])
        costs.append(compute_poll_cost(poll_ages(learned.schedule_for(AspectRatio.AUTO, 1.0)), durations))
    return PollCost(mean(each.delay for each in costs), mean(each.polls for each in costs))


def _draw_marks(axes: Axes, marks: list[ChartMark], colour: str, shape: str) -> None:
    for mark in marks:
        at = (mark.cost.polls, mark.cost.delay)
        axes.plot(*at, shape, color=colour, markersize=6, markeredgecolor="white", markeredgewidth=0.6, zorder=4)
        if mark.line_end is None:
            axes.annotate(mark.label, at, xytext=mark.offset, textcoords="offset points", color=colour)
        else:
            line = {"arrowstyle": "-", "color": colour, "linewidth": 0.6}
            axes.annotate(mark.label, at, xytext=mark.line_end, color=colour, ha="right", va="center", arrowprops=line)


if __name__ == "__main__":
    draw()
