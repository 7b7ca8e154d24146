"""`jobs [NUMBER]`: lists the unfinished jobs, or shows the history of one job.

It reads the database, even while the bot runs, changes nothing, and shows no text of a user. If Kie reported a success
without a recognisable image, its result is shown, so that the operator can look for the image.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.clock import Instant, seconds_between
from bot.job import State
from bot.settings import CannotRun, DatabaseSettings, redact_for_terminal
from bot.store.job_details import AttemptDetails, JobDetails, JobDetailsReader, MessageDetails, OpenJob
from bot.store.read_only_connection import read_database

#: One more than the largest id of an SQLite row.
ROW_ID_LIMIT = 1 << 63

MAX_JOBS_SHOWN = 200

TABLE_HEADER = ("job", "state", "age", "waits for", "tries", "next")

#: Columns of numbers, which are aligned to the right.
RIGHT_ALIGNED_COLUMNS = (0, 2, 4, 5)

#: Width of the labels in a job's history.
LABEL_WIDTH = 12

#: Units longer than a second, in seconds, the longest first.
TIME_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def run_jobs_command(job_id: int | None, now: Instant) -> int:
    """Print the unfinished jobs, or one job's history, to stdout; return the exit code."""
    try:
        with read_database(Path(DatabaseSettings().database_path)) as db:
            output = _render_output(JobDetailsReader(db), job_id, now)
    except CannotRun as error:
        sys.stderr.write(f"{redact_for_terminal(str(error))}\n")
        return 2
    sys.stdout.write(f"{redact_for_terminal(output)}\n")
    return 0


def _render_output(reader: JobDetailsReader, job_id: int | None, now: Instant) -> str:
    if job_id is None:
        return render_jobs_table(reader.list_open(MAX_JOBS_SHOWN + 1), reader.list_open_breakers(), now)
    details = reader.get(job_id) if 0 < job_id < ROW_ID_LIMIT else None
    if details is None:
        raise CannotRun(f"there is no job {job_id}: the log names jobs by number, and `jobs` lists the unfinished ones")
    return "\n".join(_detail_lines(details))


def render_jobs_table(jobs: Sequence[OpenJob], breakers: Sequence[str], now: Instant) -> str:
    """Return a line for each job; `breakers` are the open circuit breakers, because of which nothing is ordered."""
    if not jobs:
        return "Nothing is under way."
    rows = [TABLE_HEADER, *(_job_row(job, breakers, now) for job in jobs[:MAX_JOBS_SHOWN])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(_pad_cell(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    more = ["and more"] if len(jobs) > MAX_JOBS_SHOWN else []
    return "\n".join([line.rstrip() for line in lines] + more)


def _pad_cell(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column in RIGHT_ALIGNED_COLUMNS else cell.ljust(width)


def _job_row(job: OpenJob, breakers: Sequence[str], now: Instant) -> tuple[str, ...]:
    due = "" if job.due_at is None else "now" if job.due_at <= now else format_duration(now, job.due_at)
    return (
        str(job.id),
        job.state.value,
        format_duration(job.received_at, now),
        _describe_wait(job, breakers),
        str(job.tries or ""),
        due,
    )


def _describe_wait(job: OpenJob, breakers: Sequence[str]) -> str:
    if job.is_answer_due:
        return "its answer to be sent"
    match job.state:
        case State.GATHERING:
            return "the rest of an album" if job.is_album_open else "a prompt"
        case State.QUEUED:
            return _describe_queue_wait(job, breakers)
        case State.SUBMITTING:
            return "the user's decision to order again" if job.is_decision_pending else "Kie's answer to the order"
        case _:
            return "Kie's image"


def _describe_queue_wait(job: OpenJob, breakers: Sequence[str]) -> str:
    if breakers:
        return f"Kie, where nothing is ordered at present ({', '.join(breakers)})"
    return "its turn" if job.is_prepared else "its images to be fetched and uploaded"


def _detail_lines(details: JobDetails) -> Iterator[str]:
    yield from _request_lines(details)
    yield ""
    yield from _milestone_lines(details)
    yield from _attempt_lines(details.attempts)
    yield from _message_lines(details.messages)


def _request_lines(details: JobDetails) -> Iterator[str]:
    job, request = details.job, details.job.request
    yield f"job {job.id}: {job.state}" + (f", {job.reason}" if job.reason else "")
    if request.is_erased:
        yield _labelled_line("from", "erased")
    else:
        message = "none" if request.message_id is None else str(request.message_id)
        yield _labelled_line("from", f"chat {request.chat_id}, message {message}")
        yield _labelled_line("images", str(len(request.sources)))
    yield _labelled_line(
        "options", f"{request.options.format}, {request.options.aspect_ratio}, as {request.options.answer_as}"
    )
    if request.variation_of is not None:
        yield _labelled_line("variation", f"of job {request.variation_of}")
    yield from _kie_lines(details)
    for name, count in (("tries", job.tries), ("rejected", job.rejections), ("again", job.reorders)):
        if count:
            yield _labelled_line(name, str(count))


def _kie_lines(details: JobDetails) -> Iterator[str]:
    if details.job.task_id is not None:
        yield _labelled_line("task", details.job.task_id)
    if details.kie_duration_ms is not None:
        yield _labelled_line("at Kie", format_duration(0, details.kie_duration_ms))
    if details.credits is not None:
        yield _labelled_line("credits", f"{details.credits:g}")
    if details.unparsed_result is not None:
        yield _labelled_line("Kie said", details.unparsed_result)


def _milestone_lines(details: JobDetails) -> Iterator[str]:
    before = None
    for name, at in sorted(details.milestones.items(), key=lambda each: each[1]):
        gap = "" if before is None else f"  +{format_duration(before, at)}"
        yield _labelled_line(name, f"{format_timestamp(at)}{gap}")
        before = at


def _attempt_lines(attempts: list[AttemptDetails]) -> Iterator[str]:
    for number, attempt in enumerate(attempts, start=1):
        end = "unfinished"
        if attempt.ended_at is not None:
            end = f"{attempt.outcome} after {format_duration(attempt.started_at, attempt.ended_at)}"
        task = "" if attempt.task_id is None else f", task {attempt.task_id}"
        yield _labelled_line(f"order {number}", f"{format_timestamp(attempt.started_at)}  {end}{task}")


def _message_lines(messages: list[MessageDetails]) -> Iterator[str]:
    for message in messages:
        name = f"{message.kind}, the answer" if message.is_answer else message.kind
        facts = ["unsent"]
        if message.ended_at is not None:
            facts = [f"{message.outcome} after {format_duration(message.written_at, message.ended_at)}"]
        counts = ((message.tries, "failed tries"), (message.uncertain_sends, "uncertain sends"))
        facts += [f"message {message.message_id}"] if message.message_id is not None else []
        facts += [f"{count} {what}" for count, what in counts if count]
        yield _labelled_line("message", f"{format_timestamp(message.written_at)}  {name}: {', '.join(facts)}")


def _labelled_line(name: str, fact: str) -> str:
    return f"  {name:{LABEL_WIDTH}}{fact}"


def format_timestamp(at: Instant) -> str:
    """Return a time in UTC, with milliseconds."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def format_duration(start: Instant, end: Instant) -> str:
    """Return the time from `start` to `end` in its two largest units, with a minus where `end` is earlier."""
    seconds = seconds_between(start, end)
    if seconds < 0:
        return f"-{format_duration(end, start)}"
    for index, (name, length) in enumerate(TIME_UNITS):
        if seconds >= length:
            whole, rest = divmod(int(seconds), length)
            smaller, size = TIME_UNITS[index + 1] if index + 1 < len(TIME_UNITS) else ("s", 1)
            return f"{whole} {name} {rest // size} {smaller}"
    return f"{seconds:.1f} s"
