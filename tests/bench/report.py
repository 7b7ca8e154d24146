"""The report: a table of measurements with their goals, floors and verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Measurement:
    """One figure with all its measured values."""

    name: str
    unit: str
    values: Sequence[float]
    #: what the median may be at most, or has to be at least; None for a figure that is only shown
    goal: float | None = None
    at_least: bool = False
    #: what it cannot be better than, as far as that was measured or is known
    floor: float | None = None

    @property
    def median(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def passes(self) -> bool | None:
        """Whether the goal was reached; None without a goal."""
        if self.goal is None:
            return None
        return self.median >= self.goal if self.at_least else self.median <= self.goal

    def as_json(self) -> dict[str, object]:
        """Return everything, for JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "values": list(self.values),
            "goal": self.goal,
            "at_least": self.at_least,
            "floor": self.floor,
            "passes": self.passes,
        }


@dataclass(frozen=True)
class BreakdownLine:
    """One line of a timeline or of a profile: a name and numbers."""

    name: str
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class BenchmarkResult:
    """The result of one benchmark: rows of the table, and what explains them."""

    measurements: Sequence[Measurement]
    #: heading, names of the columns, lines
    breakdowns: Sequence[tuple[str, tuple[str, ...], Sequence[BreakdownLine]]] = ()


def render_measurements(rows: Sequence[Measurement]) -> str:
    """Return the table in Markdown."""
    lines = ["| figure | median | spread | runs | goal | floor | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        goal = "" if row.goal is None else f"{sign} {_format_number(row.goal)}"
        verdict = {True: "pass", False: "**miss**", None: ""}[row.passes]
        spread = f"{_format_number(min(row.values))} – {_format_number(max(row.values))}"
        floor = "" if row.floor is None else _format_number(row.floor)
        lines.append(
            f"| {row.name} | {_format_number(row.median)} {row.unit} | {spread} | {len(row.values)} "
            f"| {goal} | {floor} | {verdict} |"
        )
    return "\n".join(lines)


def render_breakdown(heading: str, columns: tuple[str, ...], steps: Sequence[BreakdownLine]) -> str:
    """Return a timeline or a profile in Markdown."""
    head = " | ".join(["", *columns])
    lines = [f"{heading}:", "", f"|{head} |", f"|---{'|---' * len(columns)}|"]
    lines += [f"| {step.name} | {' | '.join(_format_number(each) for each in step.numbers)} |" for step in steps]
    return "\n".join(lines)


def _format_number(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
