"""Quota: how an edit counts for the limits of its day, and when it is given back. Nothing else decides about that.

It counts for the one to whom it is charged from the moment in which it is accepted, and for its chat and for everybody
as soon as it has words: what only waits for them holds no place of others'.

What came to nothing is given back only if it certainly cost nothing: each call was certainly not taken, or Kie's record
says that its task cost 0. Where nobody can know, it counts. What failed is given back to the one to whom it is charged
`FREE_FAILURES` times a day, however little it cost: looking at pictures is work, and must not be endless.
"""

import sqlite3
from collections.abc import Collection
from enum import StrEnum

from bot.job import State
from bot.store import DELETE_BATCH_SIZE
from bot.store.attempts import Attempts


class Quota:
    """The edits that count, by job."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._daily_usage = DailyUsage(db)
        self._attempts = Attempts(db)

    def charge(self, job_id: int, day: int, *, waits_for_words: bool) -> None:
        """Count a job that was accepted."""
        job = self._read_job(job_id)
        whose = OWN_SCOPES if waits_for_words else (*OWN_SCOPES, *SHARED_SCOPES)
        self._daily_usage.add(job["charged_to"], job["chat_id"], day, whose)
        self._set_counted(job_id, day, for_all=not waits_for_words)

    def await_prompt(self, job_id: int) -> None:
        """Give back what a job holds of others', because it has no words any more."""
        self._refund_shared(job_id)

    def is_charged_to_all(self, job_id: int) -> bool:
        """Say whether a job counts for others as well."""
        return bool(self._read_job(job_id)["counted_for_all"])

    def charge_to_all(self, job_id: int, day: int) -> None:
        """Count a job whose words have come as one of this day, for others as well."""
        if not self.is_charged_to_all(job_id):
            self.refund(job_id)
            self.charge(job_id, day, waits_for_words=False)

    def refund_ended(self, job_id: int, to: State) -> None:
        """Give back what a job holds that came to nothing, as far as it is given back."""
        job = self._read_job(job_id)
        if job["counted_day"] is None or not self._attempts.is_free(job_id):
            return
        if to is State.CANCELLED or self._daily_usage.refund_failure(job["charged_to"], job["counted_day"]):
            self.refund(job_id)
        else:
            self._refund_shared(job_id)

    def refund(self, job_id: int) -> None:
        """Count a job no longer."""
        self._refund_shared(job_id)
        job = self._read_job(job_id)
        if job["counted_day"] is not None:
            self._daily_usage.subtract(job["charged_to"], job["chat_id"], job["counted_day"], OWN_SCOPES)
            self._set_counted(job_id, None, for_all=False)

    def _refund_shared(self, job_id: int) -> None:
        job = self._read_job(job_id)
        if job["counted_for_all"]:
            self._daily_usage.subtract(job["charged_to"], job["chat_id"], job["counted_day"], SHARED_SCOPES)
            self._set_counted(job_id, job["counted_day"], for_all=False)

    def _read_job(self, job_id: int) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute(
            "SELECT charged_to, chat_id, counted_day, counted_for_all FROM jobs WHERE id = ?", (job_id,)
        ).fetchone()
        return row

    def _set_counted(self, job_id: int, day: int | None, *, for_all: bool) -> None:
        self._db.execute("UPDATE jobs SET counted_day = ?, counted_for_all = ? WHERE id = ?", (day, for_all, job_id))


#: The id under which the edits of everybody are counted.
EVERYONE_ID = 0


class UsageScope(StrEnum):
    """What is counted apart."""

    USER = "user"
    CHAT = "chat"
    ALL = "all"


#: What is a person's alone, and what they share with others.
OWN_SCOPES, SHARED_SCOPES = (UsageScope.USER,), (UsageScope.CHAT, UsageScope.ALL)

#: Failures of a person and day that are given back; from then on each counts, because each is work.
MAX_REFUNDED_FAILURES = 3


class DailyUsage:
    """The counts of each day; `quota` says what counts and when. Persons are those to whom edits are charged."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, whose: UsageScope, principal: int, day: int) -> int:
        """Return how many edits were accepted."""
        row = self._db.execute(
            "SELECT edits FROM daily_usage WHERE day = ? AND scope = ? AND scope_id = ?", (day, whose, principal)
        ).fetchone()
        return 0 if row is None else int(row["edits"])

    def add(self, charged_to: int, chat_id: int, day: int, whose: Collection[UsageScope] = tuple(UsageScope)) -> None:
        """Count an edit."""
        self._db.executemany(
            "INSERT INTO daily_usage (day, scope, scope_id, edits) VALUES (?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET edits = edits + 1",
            [(day, *counted) for counted in _scopes_with_ids(charged_to, chat_id, whose)],
        )

    def subtract(
        self, charged_to: int, chat_id: int, day: int, whose: Collection[UsageScope] = tuple(UsageScope)
    ) -> None:
        """Count it no longer; a day that was forgotten has nothing to give back."""
        self._db.executemany(
            "UPDATE daily_usage SET edits = edits - 1 WHERE day = ? AND scope = ? AND scope_id = ? AND edits > 0",
            [(day, *counted) for counted in _scopes_with_ids(charged_to, chat_id, whose)],
        )

    def refund_failure(self, charged_to: int, day: int) -> bool:
        """Note that a failure is given back; False where so many were on that day that this one is not."""
        cursor = self._db.execute(
            "UPDATE daily_usage SET refunded_failures = refunded_failures + 1 WHERE day = ? AND scope = ?"
            " AND scope_id = ? AND refunded_failures < ?",
            (day, UsageScope.USER, charged_to, MAX_REFUNDED_FAILURES),
        )
        return cursor.rowcount == 1

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Count for a supergroup what was counted for the group that it was, in whoever's name it was asked for."""
        self._db.execute(
            "INSERT INTO daily_usage (day, scope, scope_id, edits, refunded_failures) SELECT day, scope, ?2, edits,"
            " refunded_failures FROM daily_usage"
            " WHERE scope <> ?3 AND scope_id = ?1"
            " ON CONFLICT DO UPDATE SET edits = edits + excluded.edits,"
            " refunded_failures = refunded_failures + excluded.refunded_failures",
            (old_id, new_id, UsageScope.ALL),
        )
        self._db.execute("DELETE FROM daily_usage WHERE scope <> ? AND scope_id = ?", (UsageScope.ALL, old_id))

    def delete_before(self, before: int) -> bool:
        """Forget some of the days before one; return whether there may be more."""
        forgotten = self._db.execute(
            "DELETE FROM daily_usage WHERE (day, scope, scope_id) IN (SELECT day, scope, scope_id FROM daily_usage"
            " WHERE day < ? LIMIT ?)",
            (before, DELETE_BATCH_SIZE),
        )
        return forgotten.rowcount == DELETE_BATCH_SIZE


def _scopes_with_ids(charged_to: int, chat_id: int, whose: Collection[UsageScope]) -> list[tuple[UsageScope, int]]:
    ids = {UsageScope.USER: charged_to, UsageScope.CHAT: chat_id, UsageScope.ALL: EVERYONE_ID}
    return [(each, ids[each]) for each in whose]
