"""Nudge: what a callback from Kie sets going, which is a look and nothing else.

It is found by the reference that only Kie was told. Where the order's own answer is
missing, the task id in it is written down, to be tried; a word that it says about the
outcome is not even read.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from bot.job import State
from bot.jobs.callbacks import Callbacks
from bot.jobs.measure import HEARD, LATE, UNKNOWN, Measure
from bot.store.connection import Database
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

#: States in which a task is waited for.
AWAITED = (State.SUBMITTING, State.RUNNING)


@dataclass(frozen=True)
class _Nudged:
    job_id: int
    #: nobody waits for the task any more
    is_late: bool = False
    #: the order's own answer is still to come, and comes first
    is_early: bool = False


class Nudges:
    """Takes what the door let in."""

    def __init__(
        self, db: Database, callbacks: Callbacks, measure: Measure, *, look_soon: Callable[[int], None]
    ) -> None:
        self._db = db
        self._callbacks = callbacks
        self._measure = measure
        self._look_soon = look_soon

    async def take(self, reference: str, task_id: str | None) -> None:
        """Let the job be looked at that a reference belongs to, if any; when this returns, nothing can be lost."""
        nudged = await self._db.unit(lambda tx: _nudged(tx, reference, task_id))
        if nudged is None:
            self._measure.callback(UNKNOWN)
            return
        self._measure.callback(LATE if nudged.is_late else HEARD)
        if not nudged.is_late:
            self._callbacks.heard(nudged.job_id, task_id)
        if not nudged.is_late and not nudged.is_early:
            self._look_soon(nudged.job_id)


def _nudged(tx: Transaction, reference: str, task_id: str | None) -> _Nudged | None:
    attempt = tx.attempts.by_reference(reference)
    job = None if attempt is None else tx.jobs.get(attempt.job_id)
    if attempt is None or job is None:
        return None
    if job.state not in AWAITED or tx.attempts.latest(job.id) != attempt:
        tx.log(log.info, "job %d: a callback came too late to matter", job.id, extra={"job": job.id})
        return _Nudged(job.id, is_late=True)
    tx.log(log.info, "job %d: Kie calls back", job.id, extra={"job": job.id})
    if job.state is State.RUNNING:
        return _Nudged(job.id)
    if task_id is not None:
        tx.attempts.note_hint(attempt, task_id)
    return _Nudged(job.id, is_early=attempt.ended_at is None)
