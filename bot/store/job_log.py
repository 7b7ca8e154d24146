"""The chronicle: one line of the log for each step of a job's life, so that the log of a job is its biography.

The same facts stand in fields of their own where the log is for machines (docs/operating.md). No word of a person is
among them.
"""

import logging
from collections.abc import Mapping
from functools import partial

from bot.clock import Instant, seconds_between
from bot.job import Job, State
from bot.store.events import LogAfterCommit

log = logging.getLogger(__name__)

ColumnValue = int | float | str | None

#: Milestones, in the order in which a job passes them.
MILESTONES = ("queued_at", "submitted_at", "finished_at")


def format_job_created(job_id: int, state: State) -> LogAfterCommit:
    """Tell that there is a job."""
    return _format_line(job_id, state, {"to": state.value})


def format_job_transition(job: Job, to: State, changes: Mapping[str, ColumnValue]) -> LogAfterCommit:
    """Tell that a job, as it was read, went on to another state."""
    facts = {"task_id": changes.get("task_id"), "reason": changes.get("reason")}
    words = [to, *(f"{name} {fact}" for name, fact in facts.items() if fact is not None)]
    fields = {
        "from": job.state.value,
        "to": to.value,
        "task": facts["task_id"],
        "reason": facts["reason"] and str(facts["reason"]),
        "seconds": _seconds_since_milestone(job, changes),
        "credits": changes.get("credits"),
    }
    return _format_line(job.id, " ".join(words), fields)


def format_job_answered(job: Job, now: Instant) -> LogAfterCommit:
    """Tell that a person has the answer to a job, as it was read."""
    seconds = None if job.finished_at is None else seconds_between(job.finished_at, now)
    return _format_line(job.id, "answered", {"milestone": "answered", "seconds": seconds})


def _seconds_since_milestone(job: Job, changes: Mapping[str, ColumnValue]) -> float | None:
    """Return the seconds from the milestone before to the one that is reached, if one is."""
    reached = [moment for name in MILESTONES if isinstance(moment := changes.get(name), int)]
    before = (job.request.received_at, job.queued_at, job.submitted_at)
    latest = max(moment for moment in before if moment is not None)
    return seconds_between(latest, max(reached)) if reached else None


def _format_line(job_id: int, words: str, fields: Mapping[str, object]) -> LogAfterCommit:
    return LogAfterCommit(partial(log.info, "job %d: %s", job_id, words, extra={"job": job_id, **fields}))
