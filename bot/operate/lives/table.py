"""The table of open jobs: where each is, and what it waits for."""

from collections.abc import Sequence

from bot.job import Instant, State
from bot.operate.lives.spans import span
from bot.store.lives import OpenJob

#: More than anybody reads.
MOST_SHOWN = 200

HEAD = ("job", "state", "age", "waits for", "tries", "next")

#: Columns with numbers, which end below each other.
RIGHT = (0, 2, 4, 5)


def table(jobs: Sequence[OpenJob], reasons: Sequence[str], now: Instant) -> str:
    """Return a line for each job; `reasons` are those for which nothing is ordered at present."""
    if not jobs:
        return "Nothing is under way."
    rows = [HEAD, *(_row(job, reasons, now) for job in jobs[:MOST_SHOWN])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_set(cell, width, place) for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
             for row in rows]  # fmt: skip
    more = ["and more"] if len(jobs) > MOST_SHOWN else []
    return "\n".join([line.rstrip() for line in lines] + more)


def _set(cell: str, width: int, place: int) -> str:
    return cell.rjust(width) if place in RIGHT else cell.ljust(width)


def _row(job: OpenJob, reasons: Sequence[str], now: Instant) -> tuple[str, ...]:
    due = "" if job.due_at is None else "now" if job.due_at <= now else span(now, job.due_at)
    return str(job.id), job.state.value, span(job.received_at, now), _waits_for(job, reasons), str(job.tries or ""), due


def _waits_for(job: OpenJob, reasons: Sequence[str]) -> str:
    if job.is_answer_due:
        return "its answer to be sent"
    match job.state:
        case State.GATHERING:
            return "the rest of an album" if job.is_album_open else "words that say what to change"
        case State.QUEUED:
            return _in_line(job, reasons)
        case State.SUBMITTING:
            return "the person, who was asked about a doubt" if job.is_asked else "Kie's answer to the order"
        case _:
            return "Kie's picture"


def _in_line(job: OpenJob, reasons: Sequence[str]) -> str:
    if reasons:
        return f"Kie, which is left alone ({', '.join(reasons)})"
    return "its turn" if job.is_prepared else "its pictures to be fetched and uploaded"
