"""Daily usage: how edits count against the daily quotas, and when they are refunded.

An edit counts for the user to whom it is charged from its acceptance on, but for its chat and for everybody only once
it has a prompt: a request that waits for one takes nothing from others.

An edit without a result is refunded only if it was certainly free of charge: each call was certainly not accepted, or
Kie's record says that its task cost 0. If that is uncertain, the edit counts. Failures are refunded to a user at most
`MAX_REFUNDED_FAILURES` times a day, because even a free failure makes the bot work.
"""

import sqlite3
from collections.abc import Collection
from enum import StrEnum

from bot.job import State
from bot.store.base_table import DELETE_BATCH_SIZE, Table
from bot.store.order_attempts import Attempts

#: The id in the scope `ALL`.
EVERYONE_ID = 0

#: Failures per user and day that are refunded.
MAX_REFUNDED_FAILURES = 3


class UsageScope(StrEnum):
    """The scopes in which edits are counted separately."""

    USER = "user"
    CHAT = "chat"
    ALL = "all"


#: The scope of one user, and those shared with others.
OWN_SCOPES, SHARED_SCOPES = (UsageScope.USER,), (UsageScope.CHAT, UsageScope.ALL)


class Quota(Table):
    """Which jobs count against the quotas. Nothing else decides that."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self._daily_usage = DailyUsage(db)
        self._attempts = Attempts(db)

    def charge(self, job_id: int, day: int, *, awaits_prompt: bool) -> None:
        """Count an accepted job."""
        job = self._read_job(job_id)
        scopes = OWN_SCOPES if awaits_prompt else (*OWN_SCOPES, *SHARED_SCOPES)
        self._daily_usage.add(job["charged_to"], job["chat_id"], day, scopes)
        self._set_counted(job_id, day, for_all=not awaits_prompt)

    def await_prompt(self, job_id: int) -> None:
        """Refund a job in the shared scopes, because it no longer has a prompt."""
        self._refund_shared(job_id)

    def is_charged_to_all(self, job_id: int) -> bool:
        """Say whether a job counts in the shared scopes too."""
        return bool(self._read_job(job_id)["counted_for_all"])

    def charge_to_all(self, job_id: int, day: int) -> None:
        """Count a job that now has a prompt in all scopes, as one of this day."""
        if not self.is_charged_to_all(job_id):
            self.refund(job_id)
            self.charge(job_id, day, awaits_prompt=False)

    def refund_ended(self, job_id: int, to: State) -> None:
        """Refund a job that ended without a result, as far as the rules above allow."""
        job = self._read_job(job_id)
        if job["counted_day"] is None or not self._attempts.is_free(job_id):
            return
        if to is State.CANCELLED or self._daily_usage.refund_failure(job["charged_to"], job["counted_day"]):
            self.refund(job_id)
        else:
            self._refund_shared(job_id)

    def refund(self, job_id: int) -> None:
        """Refund a job in all scopes."""
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
    """The counts per UTC day and scope; users are those to whom edits are charged."""

    def get(self, scope: UsageScope, scope_id: int, day: int) -> int:
        """Return how many edits count."""
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
        """Uncount an edit; does nothing for a day that was deleted."""
        for scope, scope_id in _scopes_with_ids(charged_to, chat_id, scopes):
            self._change(
                "UPDATE daily_usage SET edits = edits - 1 WHERE day = ? AND scope = ? AND scope_id = ? AND edits > 0",
                (day, scope, scope_id),
            )

    def refund_failure(self, charged_to: int, day: int) -> bool:
        """Count a refunded failure; return False if the user has no refunds left for that day."""
        changed = self._change(
            "UPDATE daily_usage SET refunded_failures = refunded_failures + 1"
            " WHERE day = ? AND scope = ? AND scope_id = ? AND refunded_failures < ?",
            (day, UsageScope.USER, charged_to, MAX_REFUNDED_FAILURES),
        )
        return changed == 1

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Add the counts of a group to the supergroup that it became, also those for the group as a user."""
        self._change(
            "INSERT INTO daily_usage (day, scope, scope_id, edits, refunded_failures)"
            " SELECT day, scope, ?2, edits, refunded_failures FROM daily_usage WHERE scope <> ?3 AND scope_id = ?1"
            " ON CONFLICT DO UPDATE SET edits = edits + excluded.edits,"
            " refunded_failures = refunded_failures + excluded.refunded_failures",
            (old_id, new_id, UsageScope.ALL),
        )
        self._change("DELETE FROM daily_usage WHERE scope <> ? AND scope_id = ?", (UsageScope.ALL, old_id))

    def delete_before(self, day: int) -> bool:
        """Delete some of the counts before `day`; return whether there may be more."""
        deleted = self._change(
            "DELETE FROM daily_usage WHERE (day, scope, scope_id) IN"
            " (SELECT day, scope, scope_id FROM daily_usage WHERE day < ? LIMIT ?)",
            (day, DELETE_BATCH_SIZE),
        )
        return deleted == DELETE_BATCH_SIZE


def _scopes_with_ids(charged_to: int, chat_id: int, scopes: Collection[UsageScope]) -> list[tuple[UsageScope, int]]:
    ids = {UsageScope.USER: charged_to, UsageScope.CHAT: chat_id, UsageScope.ALL: EVERYONE_ID}
    return [(scope, ids[scope]) for scope in scopes]
