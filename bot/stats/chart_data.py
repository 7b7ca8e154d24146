"""The sheet: all that stands in the picture, in the words of one language, ready to be drawn by another process."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChartBar:
    """Edits a day, or an hour, by what became of them."""

    made: float
    not_made: float
    others: float


@dataclass(frozen=True)
class OutcomeRow:
    """How many edits came to one end."""

    label: str
    count: int
    text: str
    #: one of `made`, `not_made` and `others`
    kind: str


@dataclass(frozen=True)
class WaitRow:
    """How long it took; seconds."""

    label: str
    whole: float
    text: str
    at_kie: float
    at_kie_text: str


@dataclass(frozen=True)
class ChartData:
    """What is drawn, from top to bottom."""

    title: str
    until: str
    #: the most important figures, each with what it is
    tiles: tuple[tuple[str, str], ...]
    columns_title: str
    columns: tuple[ChartBar, ...]
    #: which columns have a label, and which
    ticks: tuple[tuple[int, str], ...]
    #: what the three parts of a column are called, by kind
    legend: tuple[tuple[str, str], ...]
    #: empty where the columns are hours already
    hours_title: str
    hours: tuple[int, ...]
    ends_title: str
    ends: tuple[OutcomeRow, ...]
    waits_title: str
    #: what Kie's part of a wait is called
    kie: str
    waits: tuple[WaitRow, ...]
