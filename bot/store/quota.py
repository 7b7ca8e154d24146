"""Quota: how an edit counts for the limits of its day, and when it is given back. Nothing else decides about that.

It counts for the one to whom it is charged from the moment in which it is accepted, and for its chat and for everybody
as soon as it has words: what only waits for them holds no place of others'.

What came to nothing is given back only if it certainly cost nothing: each call was certainly not taken, or Kie's record
says that its task cost 0. Where nobody can know, it counts. What failed is given back to the one to whom it is charged
`FREE_FAILURES` times a day, however little it cost: looking at pictures is work, and must not be endless.
"""

import sqlite3

from bot.job import State
from bot.store.attempts import Attempts
from bot.store.counts import OWN, SHARED, Counts


class Quota:
    """The edits that count, by job."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._counts = Counts(db)
        self._attempts = Attempts(db)

    def begin(self, job_id: int, day: int, *, waits_for_words: bool) -> None:
        """Count a job that was accepted."""
        job = self._job(job_id)
        whose = OWN if waits_for_words else (*OWN, *SHARED)
        self._counts.take(job["charged_to"], job["chat_id"], day, whose)
        self._note(job_id, day, for_all=not waits_for_words)

    def wait_for_words(self, job_id: int) -> None:
        """Give back what a job holds of others', because it has no words any more."""
        self._give_back_shared(job_id)

    def is_complete(self, job_id: int) -> bool:
        """Say whether a job counts for others as well."""
        return bool(self._job(job_id)["counted_for_all"])

    def complete(self, job_id: int, day: int) -> None:
        """Count a job whose words have come as one of this day, for others as well."""
        if not self.is_complete(job_id):
            self.give_back(job_id)
            self.begin(job_id, day, waits_for_words=False)

    def end(self, job_id: int, to: State) -> None:
        """Give back what a job holds that came to nothing, as far as it is given back."""
        job = self._job(job_id)
        if job["counted_on"] is None or not self._attempts.are_free(job_id):
            return
        if to is State.CANCELLED or self._counts.forgive(job["charged_to"], job["counted_on"]):
            self.give_back(job_id)
        else:
            self._give_back_shared(job_id)

    def give_back(self, job_id: int) -> None:
        """Count a job no longer."""
        self._give_back_shared(job_id)
        job = self._job(job_id)
        if job["counted_on"] is not None:
            self._counts.give_back(job["charged_to"], job["chat_id"], job["counted_on"], OWN)
            self._note(job_id, None, for_all=False)

    def _give_back_shared(self, job_id: int) -> None:
        job = self._job(job_id)
        if job["counted_for_all"]:
            self._counts.give_back(job["charged_to"], job["chat_id"], job["counted_on"], SHARED)
            self._note(job_id, job["counted_on"], for_all=False)

    def _job(self, job_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute(
            "SELECT charged_to, chat_id, counted_on, counted_for_all FROM jobs WHERE id = ?", (job_id,)
        ).fetchone()
        return row

    def _note(self, job_id: int, day: int | None, *, for_all: bool) -> None:
        self._db.execute("UPDATE jobs SET counted_on = ?, counted_for_all = ? WHERE id = ?", (day, for_all, job_id))
