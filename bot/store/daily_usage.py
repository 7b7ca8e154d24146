"""Daily usage: how edits count for the limits of a day, and when they are given back.

An edit counts for the user to whom it is charged from its acceptance on, and for its chat and for everybody as soon as
it has a prompt: a request that only waits for one takes no place of others.

An edit without a result is given back only if it certainly cost nothing: each call was certainly not accepted, or Kie's
record says that its task cost 0. In any doubt it counts. Failures are given back to the user to whom they are charged
`MAX_REFUNDED_FAILURES` times a day, however little they cost: inspecting images is work, and must not be endless.
"""

import sqlite3
from collections.abc import Collection
from enum import StrEnum

from bot.job import State
from bot.store.base_table import DELETE_BATCH_SIZE, Table
from bot.store.order_attempts import Attempts

#: The id under which the edits of everybody are counted.
EVERYONE_ID = 0

#: Failures of a user that are given back on one day.
MAX_REFUNDED_FAILURES = 3


class UsageScope(StrEnum):
    """What is counted apart."""

    USER = "user"
    CHAT = "chat"
    ALL = "all"


#: What is a user's own, and what is shared with others.
OWN_SCOPES, SHARED_SCOPES = (UsageScope.USER,), (UsageScope.CHAT, UsageScope.ALL)


class Quota(Table):
    """The edits that count, by job. Nothing else decides what counts."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self._daily_usage = DailyUsage(db)
        self._attempts = Attempts(db)

    def charge(self, job_id: int, day: int, *, awaits_prompt: bool) -> None:
        """Count a job that was accepted."""
        job = self._read_job(job_id)
        scopes = OWN_SCOPES if awaits_prompt else (*OWN_SCOPES, *SHARED_SCOPES)
        self._daily_usage.add(job["charged_to"], job["chat_id"], day, scopes)
        self._set_counted(job_id, day, for_all=not awaits_prompt)

    def await_prompt(self, job_id: int) -> None:
        """Give back what a job holds of others' limits, because it no longer has a prompt."""
        self._refund_shared(job_id)

    def is_charged_to_all(self, job_id: int) -> bool:
        """Say whether a job counts for its chat and for everybody as well."""
        return bool(self._read_job(job_id)["counted_for_all"])

    def charge_to_all(self, job_id: int, day: int) -> None:
        """Count a job that now has a prompt as one of this day, for its chat and for everybody as well."""
        if not self.is_charged_to_all(job_id):
            self.refund(job_id)
            self.charge(job_id, day, awaits_prompt=False)

    def refund_ended(self, job_id: int, to: State) -> None:
        """Give back what a job without a result holds, as far as it is given back."""
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
        [job] = self._rows("SELECT charged_to, chat_id, counted_day, counted_for_all FROM jobs WHERE id = ?", (job_id,))
        return job

    def _set_counted(self, job_id: int, day: int | None, *, for_all: bool) -> None:
        self._change("UPDATE jobs SET counted_day = ?, counted_for_all = ? WHERE id = ?", (day, for_all, job_id))


class DailyUsage(Table):
    """The counts of each UTC day; users are those to whom edits are charged."""

    def get(self, scope: UsageScope, scope_id: int, day: int) -> int:
        """Return how many edits were accepted."""
        return self._count(
            "SELECT edits FROM daily_usage WHERE day = ? AND scope = ? AND scope_id = ?", (day, scope, scope_id)
        )

    def add(self, charged_to: int, chat_id: int, day: int, scopes: Collection[UsageScope] = tuple(UsageScope)) -> None:
        """Count an edit."""
        for scope, scope_id in _scopes_with_ids(charged_to, chat_id, scopes):
            self._change(
                "INSERT INTO daily_usage (day, scope, scope_id, edits) VALUES (?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET edits = edits + 1",
                (day, scope, scope_id),
            )

    def subtract(
        self, charged_to: int, chat_id: int, day: int, scopes: Collection[UsageScope] = tuple(UsageScope)
    ) -> None:
        """Count an edit no longer; nothing happens for a day that was deleted."""
        for scope, scope_id in _scopes_with_ids(charged_to, chat_id, scopes):
            self._change(
                "UPDATE daily_usage SET edits = edits - 1 WHERE day = ? AND scope = ? AND scope_id = ? AND edits > 0",
                (day, scope, scope_id),
            )

    def refund_failure(self, charged_to: int, day: int) -> bool:
        """Note that a failure is given back; False if the user has had the most of that day."""
        changed = self._change(
            "UPDATE daily_usage SET refunded_failures = refunded_failures + 1"
            " WHERE day = ? AND scope = ? AND scope_id = ? AND refunded_failures < ?",
            (day, UsageScope.USER, charged_to, MAX_REFUNDED_FAILURES),
        )
        return changed == 1

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Add what was counted for a group to the supergroup that it became, also where it spoke as a user."""
        self._change(
            "INSERT INTO daily_usage (day, scope, scope_id, edits, refunded_failures)"
            " SELECT day, scope, ?2, edits, refunded_failures FROM daily_usage WHERE scope <> ?3 AND scope_id = ?1"
            " ON CONFLICT DO UPDATE SET edits = edits + excluded.edits,"
            " refunded_failures = refunded_failures + excluded.refunded_failures",
            (old_id, new_id, UsageScope.ALL),
        )
        self._change("DELETE FROM daily_usage WHERE scope <> ? AND scope_id = ?", (UsageScope.ALL, old_id))

    def delete_before(self, day: int) -> bool:
        """Delete some of the days before one; return whether there may be more."""
        deleted = self._change(
            "DELETE FROM daily_usage WHERE (day, scope, scope_id) IN"
            " (SELECT day, scope, scope_id FROM daily_usage WHERE day < ? LIMIT ?)",
            (day, DELETE_BATCH_SIZE),
        )
        return deleted == DELETE_BATCH_SIZE


def _scopes_with_ids(charged_to: int, chat_id: int, scopes: Collection[UsageScope]) -> list[tuple[UsageScope, int]]:
    ids = {UsageScope.USER: charged_to, UsageScope.CHAT: chat_id, UsageScope.ALL: EVERYONE_ID}
    return [(scope, ids[scope]) for scope in scopes]
