"""The data of the chart, with its labels in one language; sent to the child process as JSON."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChartBar:
    """Edits by outcome: in an hour, in a day, or a day on average over a week."""

    made: float
    not_made: float
    others: float


@dataclass(frozen=True)
class OutcomeRow:
    """Edits with one outcome."""

    label: str
    count: int
    text: str
    #: one of `made`, `not_made` and `others`
    kind: str


@dataclass(frozen=True)
class WaitRow:
    """How long users waited, in seconds."""

    label: str
    total: float
    text: str
    at_kie: float
    at_kie_text: str


@dataclass(frozen=True)
class ChartData:
    """The parts of the chart, from top to bottom."""

    title: str
    until: str
    #: the most important numbers, each with its label
    tiles: tuple[tuple[str, str], ...]
    bars_title: str
    bars: tuple[ChartBar, ...]
    #: indices of bars, with their labels
    ticks: tuple[tuple[int, str], ...]
    #: the kinds of outcomes in the bars, with their labels
    legend: tuple[tuple[str, str], ...]
    #: empty when each bar is an hour
    hours_title: str
    hours: tuple[int, ...]
    outcomes_title: str
    outcomes: tuple[OutcomeRow, ...]
    waits_title: str
    #: the label of Kie's part of a wait
    kie: str
    waits: tuple[WaitRow, ...]
