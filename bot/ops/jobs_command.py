"""`jobs`: what is under way, and the life of one job, for whoever is asked about an edit.

It reads the database beside a bot that runs, changes nothing, and shows no word of anybody. What Kie said of a success
in which no picture was found is shown, so that whoever runs the bot can look for it.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.clock import Instant, seconds_between
from bot.job import State
from bot.settings import CannotRun, DatabaseSettings, redact_for_terminal
from bot.store.job_details import AttemptDetails, JobDetails, JobDetailsReader, MessageDetails, OpenJob
from bot.store.read_only import read_database

#: A number that no row can have.
ROW_ID_LIMIT = 1 << 63


def run_jobs_command(job_id: int | None, now: Instant) -> int:
    """Print the open jobs, or one job's life, to stdout; return the exit code."""
    try:
        with read_database(Path(DatabaseSettings().database_path)) as db:
            shown = _render_output(JobDetailsReader(db), job_id, now)
    except CannotRun as error:
        sys.stderr.write(f"{redact_for_terminal(str(error))}\n")
        return 2
    sys.stdout.write(f"{redact_for_terminal(shown)}\n")
    return 0


def _render_output(lives: JobDetailsReader, job_id: int | None, now: Instant) -> str:
    if job_id is None:
        return render_jobs_table(lives.list_open(MAX_JOBS_SHOWN + 1), lives.list_open_breakers(), now)
    life = lives.get(job_id) if 0 < job_id < ROW_ID_LIMIT else None
    if life is None:
        raise CannotRun(f"there is no job {job_id}: its number stands in the log, and `jobs` shows those that are open")
    return render_job_details(life)


#: More than anybody reads.
MAX_JOBS_SHOWN = 200

TABLE_HEADER = ("job", "state", "age", "waits for", "tries", "next")

#: Columns with numbers, which end below each other.
RIGHT_ALIGNED_COLUMNS = (0, 2, 4, 5)


def render_jobs_table(jobs: Sequence[OpenJob], reasons: Sequence[str], now: Instant) -> str:
    """Return a line for each job; `reasons` are those for which nothing is ordered at present."""
    if not jobs:
        return "Nothing is under way."
    rows = [TABLE_HEADER, *(_job_row(job, reasons, now) for job in jobs[:MAX_JOBS_SHOWN])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(_pad_cell(cell, width, place) for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    more = ["and more"] if len(jobs) > MAX_JOBS_SHOWN else []
    return "\n".join([line.rstrip() for line in lines] + more)


def _pad_cell(cell: str, width: int, place: int) -> str:
    return cell.rjust(width) if place in RIGHT_ALIGNED_COLUMNS else cell.ljust(width)


def _job_row(job: OpenJob, reasons: Sequence[str], now: Instant) -> tuple[str, ...]:
    due = "" if job.due_at is None else "now" if job.due_at <= now else format_duration(now, job.due_at)
    return (
        str(job.id),
        job.state.value,
        format_duration(job.received_at, now),
        _describe_wait(job, reasons),
        str(job.tries or ""),
        due,
    )


def _describe_wait(job: OpenJob, reasons: Sequence[str]) -> str:
    if job.is_answer_due:
        return "its answer to be sent"
    match job.state:
        case State.GATHERING:
            return "the rest of an album" if job.is_album_open else "words that say what to change"
        case State.QUEUED:
            return _describe_queue_wait(job, reasons)
        case State.SUBMITTING:
            return "the person, who was asked about a doubt" if job.is_decision_pending else "Kie's answer to the order"
        case _:
            return "Kie's picture"


def _describe_queue_wait(job: OpenJob, reasons: Sequence[str]) -> str:
    if reasons:
        return f"Kie, which is left alone ({', '.join(reasons)})"
    return "its turn" if job.is_prepared else "its pictures to be fetched and uploaded"


#: Columns of the names.
LABEL_WIDTH = 12


def render_job_details(life: JobDetails) -> str:
    """Return what there is to tell, a line each; moments are UTC."""
    return "\n".join(
        [
            *_request_lines(life),
            "",
            *_milestone_lines(life),
            *_order_lines(life.attempts),
            *_message_lines(life.messages),
        ]
    )


def _request_lines(life: JobDetails) -> Iterator[str]:
    job, request = life.job, life.job.request
    yield f"job {job.id}: {job.state}" + (f", {job.reason}" if job.reason else "")
    if request.is_erased:
        yield _labelled_line("from", "nobody knows any more: it is erased")
    else:
        message = "none" if request.message_id is None else str(request.message_id)
        yield _labelled_line("from", f"chat {request.chat_id}, message {message}")
        yield _labelled_line("pictures", str(len(request.sources)))
    yield _labelled_line(
        "form", f"{request.options.format}, {request.options.aspect_ratio}, as {request.options.answer_as}"
    )
    if request.variation_of is not None:
        yield _labelled_line("variation", f"of job {request.variation_of}")
    yield from _kie_lines(life)
    for name, count in (("tries", job.tries), ("rejected", job.rejections), ("again", job.reorders)):
        if count:
            yield _labelled_line(name, str(count))


def _kie_lines(life: JobDetails) -> Iterator[str]:
    if life.job.task_id is not None:
        yield _labelled_line("task", life.job.task_id)
    if life.kie_duration_ms is not None:
        yield _labelled_line("at Kie", format_duration(0, life.kie_duration_ms))
    if life.credits is not None:
        yield _labelled_line("credits", f"{life.credits:g}")
    if life.unparsed_result is not None:
        yield _labelled_line("Kie said", life.unparsed_result)


def _milestone_lines(life: JobDetails) -> Iterator[str]:
    before = None
    for name, at in sorted(life.milestones.items(), key=lambda each: each[1]):
        gap = "" if before is None else f"  +{format_duration(before, at)}"
        yield _labelled_line(name, f"{format_timestamp(at)}{gap}")
        before = at


def _order_lines(calls: list[AttemptDetails]) -> Iterator[str]:
    for number, call in enumerate(calls, start=1):
        took = (
            "not over"
            if call.ended_at is None
            else f"{call.outcome} after {format_duration(call.started_at, call.ended_at)}"
        )
        task = "" if call.task_id is None else f", task {call.task_id}"
        yield _labelled_line(f"order {number}", f"{format_timestamp(call.started_at)}  {took}{task}")


def _message_lines(messages: list[MessageDetails]) -> Iterator[str]:
    for said in messages:
        name = f"{said.kind}, the answer" if said.is_answer else said.kind
        end = (
            "waits"
            if said.ended_at is None
            else f"{said.outcome} after {format_duration(said.written_at, said.ended_at)}"
        )
        message = "" if said.message_id is None else f", message {said.message_id}"
        trouble = [
            f"{count} {what}" for count, what in ((said.tries, "in vain"), (said.uncertain_sends, "in doubt")) if count
        ]
        yield _labelled_line(
            "said", f"{format_timestamp(said.written_at)}  {name}: {', '.join([f'{end}{message}', *trouble])}"
        )


def _labelled_line(name: str, fact: str) -> str:
    return f"  {name:{LABEL_WIDTH}}{fact}"


#: Units of more than a second, in seconds, the longest first.
TIME_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def format_timestamp(at: Instant) -> str:
    """Write a moment with its milliseconds; it is UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def format_duration(start: Instant, end: Instant) -> str:
    """Write how long it is from one moment to another, in its two largest units; with a minus where it is back."""
    seconds = seconds_between(start, end)
    if seconds < 0:
        return f"-{format_duration(end, start)}"
    for place, (name, length) in enumerate(TIME_UNITS):
        if seconds >= length:
            whole, rest = divmod(int(seconds), length)
            smaller, size = TIME_UNITS[place + 1] if place + 1 < len(TIME_UNITS) else ("s", 1)
            return f"{whole} {name} {rest // size} {smaller}"
    return f"{seconds:.1f} s"
