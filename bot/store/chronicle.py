"""The chronicle: one line of the log for each step of a job's life, so that the log of a job is its biography.

The same facts stand in fields of their own where the log is for machines (docs/operating.md). No word of a person is
among them.
"""

import logging
from collections.abc import Mapping
from functools import partial

from bot.job import Instant, Job, State, seconds_between
from bot.store.facts import LogLine

log = logging.getLogger(__name__)

Change = int | float | str | None

#: Milestones, in the order in which a job passes them.
MILESTONES = ("queued_at", "submitted_at", "finished_at")


def began(job_id: int, state: State) -> LogLine:
    """Tell that there is a job."""
    return _line(job_id, state, {"to": state.value})


def moved(job: Job, to: State, changes: Mapping[str, Change]) -> LogLine:
    """Tell that a job, as it was read, went on to another state."""
    facts = {"task_id": changes.get("task_id"), "reason": changes.get("reason")}
    words = [to, *(f"{name} {fact}" for name, fact in facts.items() if fact is not None)]
    fields = {
        "from": job.state.value,
        "to": to.value,
        "task": facts["task_id"],
        "reason": facts["reason"] and str(facts["reason"]),
        "seconds": _seconds(job, changes),
        "credits": changes.get("credits"),
    }
    return _line(job.id, " ".join(words), fields)


def answered(job: Job, now: Instant) -> LogLine:
    """Tell that a person has the answer to a job, as it was read."""
    seconds = None if job.finished_at is None else seconds_between(job.finished_at, now)
    return _line(job.id, "answered", {"milestone": "answered", "seconds": seconds})


def _seconds(job: Job, changes: Mapping[str, Change]) -> float | None:
    """Return the seconds from the milestone before to the one that is reached, if one is."""
    reached = [moment for name in MILESTONES if isinstance(moment := changes.get(name), int)]
    before = (job.request.received_at, job.queued_at, job.submitted_at)
    latest = max(moment for moment in before if moment is not None)
    return seconds_between(latest, max(reached)) if reached else None


def _line(job_id: int, words: str, fields: Mapping[str, object]) -> LogLine:
    return LogLine(partial(log.info, "job %d: %s", job_id, words, extra={"job": job_id, **fields}))
