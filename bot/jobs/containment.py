"""Containment: a mistake in the bot that one step or one row brings to light ends neither the process nor the others.

It is logged, the admins hear of it once a day, and what broke off is put off, so that nothing is tried in a hot loop.
What only a new process can mend stays final, and so does, within a transaction, what is wrong with the machine or the
file and not with a row.
"""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from bot.job import Instant, Job, Reason, State, day_of, later
from bot.jobs import outcome
from bot.jobs.pauses import MOST_TRIES, pause
from bot.logs import without_words
from bot.settings import MustRestart
from bot.store.connection import OWN_MISTAKES, Database
from bot.store.transaction import Transaction
from bot.texts import sentence

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds until something is taken up again that has broken off as often as makes sense.
SET_ASIDE_FOR = 600.0

#: Things of which it is remembered that their mistake was logged with its traceback; beyond it all are forgotten.
MOST_REMEMBERED = 1000


class Containment:
    """Runs steps, and looks at rows, that may hold a mistake."""

    def __init__(self, admins: Iterable[int], *, clock: Callable[[], Instant]) -> None:
        self._admins = frozenset(admins)
        self._clock = clock
        self._logged: set[tuple[str, object]] = set()

    async def step(
        self, db: Database, what: str, which: object, step: Awaitable[T], put_off: Callable[[Transaction], T]
    ) -> T:
        """Return what a step returns or, where it broke off, what putting it off returns. Raises MustRestart."""
        try:
            return await step
        except MustRestart:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, everything else has to go on
            failure = error
        self._tell_log(what, which, failure)

        def work(tx: Transaction) -> T:
            self._tell_admins(tx, what, failure)
            return put_off(tx)

        return await db.unit(work)

    def row(
        self, tx: Transaction, what: str, which: object, step: Callable[[], T], put_off: Callable[[], object]
    ) -> T | None:
        """Return what a step about one row returns; where it broke off undo it, put the row off, and return None."""
        try:
            with tx.savepoint():
                return step()
        except Exception as error:
            if _is_of_the_machine(error):
                raise
            failure = error
        self._tell_log(what, which, failure)
        self._tell_admins(tx, what, failure)
        put_off()
        return None

    def job(self, tx: Transaction, job_id: int, step: Callable[[], T]) -> T | None:
        """Return what a step about one job returns; where it broke off put the job off, and return None."""
        return self.row(tx, "job", job_id, step, partial(self.put_off, tx, job_id))

    def put_off(self, tx: Transaction, job_id: int) -> None:
        """Put off a job whose step broke off; end it with words once that has happened too often."""
        now = self._clock()
        tries = tx.jobs.count_try(job_id)
        tx.jobs.put_off(job_id, later(now, pause(tries) if tries <= MOST_TRIES else SET_ASIDE_FOR))
        tx.line.mark(job_id, is_ready=False)  # so that it keeps nobody waiting who is ready
        if tries > MOST_TRIES:
            self.row(tx, "end of job", job_id, partial(_end, tx, job_id, now), lambda: None)

    def _tell_log(self, what: str, which: object, error: Exception) -> None:
        if (what, which) in self._logged:
            log.info("%s %s broke off again: %s", what, which, type(error).__name__)
            return
        if len(self._logged) >= MOST_REMEMBERED:
            self._logged.clear()
        self._logged.add((what, which))
        log.error("%s %s broke off: a mistake in the bot", what, which, exc_info=without_words(error))

    def _tell_admins(self, tx: Transaction, what: str, error: Exception) -> None:
        now = self._clock()
        words = sentence("admin-mistake", what=what, fault=type(error).__name__)
        tx.outbox.tell_admins(self._admins, f"mistake:{what}:{day_of(now)}", words.into, now)


def _is_of_the_machine(error: Exception) -> bool:
    """Say whether an error is about the machine or the file, so that no row is to blame."""
    is_of_the_file = isinstance(error, sqlite3.Error) and not isinstance(error, OWN_MISTAKES)
    return is_of_the_file or isinstance(error, MustRestart | MemoryError | OSError)


def _end(tx: Transaction, job_id: int, now: Instant) -> None:
    """End a job that cannot go on, and say so."""
    job = tx.jobs.get(job_id)
    if job is None:
        return
    match job.state:
        case State.GATHERING:
            _never_mind(tx, job, now)
        case State.SUBMITTING:
            tx.leave_in_doubt(job, now)
        case State.QUEUED:
            outcome.fail(tx, job, Reason.PICTURE, sentence("broken-step"), now)


def _never_mind(tx: Transaction, job: Job, now: Instant) -> None:
    if tx.jobs.move(job, State.CANCELLED, reason=Reason.PICTURE, finished_at=now, due_at=None, closes_by=None):
        tx.statuses.over(job.id, now)
        tx.outbox.add(outcome.about(job, "answer", sentence("broken-step"), is_answer=True), now)
