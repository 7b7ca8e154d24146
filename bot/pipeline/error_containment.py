"""Error containment: an unexpected error in one step or row (a poison message) stops neither the process nor others.

It is logged, the admins are notified once a day for each kind of step, and what failed is postponed, so that nothing is
retried in a hot loop. MustRestart is not contained. Within a transaction, neither are errors of the machine or the
database file, because no row is to blame for them.
"""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from bot import job_operations
from bot.backoff import backoff
from bot.clock import Instant, add_seconds, utc_day
from bot.i18n import sentence
from bot.job import FailureReason, Job, State
from bot.logs import hide_message
from bot.pipeline import finish_job
from bot.settings import MustRestart
from bot.store.database import PROGRAMMING_ERRORS, Database, Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Tries before giving up a step whose failure is not known to be temporary; about five minutes.
MAX_TRIES = 10

#: Seconds before an edit that cannot be ordered is given up; long enough to survive an outage of a day.
SUBMIT_GIVE_UP_SECONDS = 48 * 3600.0

#: Seconds before a message that cannot be sent is given up.
OUTBOX_MESSAGE_EXPIRY = 3 * 86_400.0

#: Seconds until the next try of something that has failed too often.
QUARANTINE_SECONDS = 600.0

#: Steps and rows remembered as having had a traceback logged; beyond that, all are forgotten.
MAX_REMEMBERED = 1000


class ErrorContainment:
    """Runs steps, and units of work about one row, that may raise unexpected errors."""

    def __init__(self, admins: Iterable[int], *, clock: Callable[[], Instant]) -> None:
        self._admins = frozenset(admins)
        self._clock = clock
        self._logged: set[tuple[str, object]] = set()

    async def run_step(
        self, db: Database, what: str, which: object, step: Awaitable[T], postpone: Callable[[Transaction], T]
    ) -> T:
        """Return the result of a step or, if it raises an error other than MustRestart, that of `postpone`."""
        try:
            return await step
        except MustRestart:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, everything else has to go on
            failure = error
        self._log_failure(what, which, failure)

        def work(tx: Transaction) -> T:
            self._notify_admins(tx, what, failure)
            return postpone(tx)

        return await db.transact(work)

    def run_for_row(
        self, tx: Transaction, what: str, which: object, step: Callable[[], T], postpone: Callable[[], object]
    ) -> T | None:
        """Return the result of a step about one row; if it fails, undo it, postpone the row, and return None."""
        try:
            with tx.savepoint():
                return step()
        except Exception as error:
            if _is_environment_error(error):
                raise
            failure = error
        self._log_failure(what, which, failure)
        self._notify_admins(tx, what, failure)
        postpone()
        return None

    def run_for_job(self, tx: Transaction, job_id: int, step: Callable[[], T]) -> T | None:
        """Return the result of a step about one job; if it fails, undo it, postpone the job, and return None."""
        return self.run_for_row(tx, "job", job_id, step, partial(self.postpone_job, tx, job_id))

    def postpone_job(self, tx: Transaction, job_id: int) -> None:
        """Postpone a job whose step failed; after more than MAX_TRIES failures, end it and notify the user."""
        now = self._clock()
        tries = tx.jobs.increment_tries(job_id)
        tx.jobs.postpone(job_id, add_seconds(now, backoff(tries) if tries <= MAX_TRIES else QUARANTINE_SECONDS))
        tx.fair_queue.set_ready(job_id, is_ready=False)  # or it would block the ready jobs behind it
        if tries > MAX_TRIES:
            self.run_for_row(tx, "end of job", job_id, partial(_end_job, tx, job_id, now), lambda: None)

    def _log_failure(self, what: str, which: object, error: Exception) -> None:
        if (what, which) in self._logged:
            log.info("%s %s failed again: %s", what, which, type(error).__name__)
            return
        if len(self._logged) >= MAX_REMEMBERED:
            self._logged.clear()
        self._logged.add((what, which))
        log.error("%s %s failed: a mistake in the bot", what, which, exc_info=hide_message(error))

    def _notify_admins(self, tx: Transaction, what: str, error: Exception) -> None:
        now = self._clock()
        words = sentence("admin-mistake", what=what, fault=type(error).__name__)
        tx.outbox.notify_admins(self._admins, f"mistake:{what}:{utc_day(now)}", words.translate, now)


def _is_environment_error(error: Exception) -> bool:
    """Say whether an error is about the machine or the database file, so that no row is to blame."""
    is_of_the_file = isinstance(error, sqlite3.Error) and not isinstance(error, PROGRAMMING_ERRORS)
    return is_of_the_file or isinstance(error, MustRestart | MemoryError | OSError)


def _end_job(tx: Transaction, job_id: int, now: Instant) -> None:
    """End a job that cannot go on, and notify the user; a running task is left to its polls."""
    job = tx.jobs.get(job_id)
    if job is None:
        return
    match job.state:
        case State.GATHERING:
            _cancel_request(tx, job, now)
        case State.SUBMITTING:
            job_operations.abandon_uncertain_order(tx, job, now)
        case State.QUEUED:
            finish_job.fail_job(tx, job, FailureReason.UNUSABLE_IMAGE, sentence("broken-step"), now)


def _cancel_request(tx: Transaction, job: Job, now: Instant) -> None:
    if tx.jobs.transition(
        job, State.CANCELLED, reason=FailureReason.UNUSABLE_IMAGE, finished_at=now, due_at=None, closes_by=None
    ):
        tx.progress_messages.queue_deletion(job.id, now)
        tx.outbox.add(finish_job.draft_reply(job, "answer", sentence("broken-step"), is_answer=True), now)
