"""Quotas on new requests: requests waiting at once, edits a day, and credits a day.

The limit on waiting requests protects users: a place in a queue of hours helps nobody, and nobody should fill the queue
alone. The daily limits protect the operator, who pays; they are checked again when a request gets its prompt. All
checks are made in the transaction that accepts the request, so they are exact.
"""

from dataclasses import dataclass

from bot import job_operations
from bot.clock import utc_day
from bot.handlers.access import AccessPolicy
from bot.handlers.replies import reply_once
from bot.handlers.update_types import UpdateContext, UpdateOrigin
from bot.i18n import Sentence, sentence, time_until_tomorrow
from bot.job import Job
from bot.store.daily_usage import EVERYONE_ID, UsageScope
from bot.store.outbox import MessageDraft

#: Requests of all users that are not ordered yet: at Kie's 20 orders in 10 seconds, 83 minutes of them.
MAX_WAITING = 10_000

#: The same for one user, in all chats together.
MAX_WAITING_PER_USER = 100


@dataclass(frozen=True)
class DailyLimits:
    """Limits for one UTC day; 0 means no limit."""

    edits_per_user: int
    edits_per_chat: int
    edits: int
    #: Kie's credits
    credits: float


@dataclass(frozen=True)
class RemainingQuota:
    """How much of a limit is left today."""

    scope: UsageScope
    limit: int
    remaining: int

    def owner_name(self, origin: UpdateOrigin) -> str:
        """Return the variant of a sentence about the limit; in private the chat's limit is the user's own."""
        if self.scope is UsageScope.ALL or (self.scope is UsageScope.CHAT and origin.is_group):
            return self.scope
        return "nameless" if origin.is_sender_chat else "person"


class QuotaPolicy:
    """Decides whether a new request may be accepted."""

    def __init__(self, daily_limits: DailyLimits, access_policy: AccessPolicy) -> None:
        self.daily_limits = daily_limits
        self._access_policy = access_policy

    def is_limited(self, ctx: UpdateContext) -> bool:
        """Return whether the daily limits apply to the sender; they do not apply to admins."""
        return not self._access_policy.is_exempt(ctx.tx, ctx.origin.user_id, ctx.origin.chat_id)

    def charged_to(self, ctx: UpdateContext) -> int:
        """Return the id whose limits a request of the sender counts for."""
        return self._access_policy.charged_to(ctx.tx, ctx.origin.user_id, ctx.origin.chat_id)

    def remaining(self, ctx: UpdateContext) -> list[RemainingQuota]:
        """Return how much is left today of each limit that is set."""
        limits = (
            (UsageScope.USER, self.charged_to(ctx), self.daily_limits.edits_per_user),
            (UsageScope.CHAT, ctx.origin.chat_id, self.daily_limits.edits_per_chat),
            (UsageScope.ALL, EVERYONE_ID, self.daily_limits.edits),
        )
        today = utc_day(ctx.now)
        return [
            RemainingQuota(scope, limit, max(0, limit - ctx.tx.daily_usage.get(scope, principal, today)))
            for scope, principal, limit in limits
            if limit
        ]

    def why_queue_full(self, ctx: UpdateContext) -> Sentence | None:
        """Return why the queue takes no other request of the sender, or None if it does."""
        if ctx.tx.jobs.count_waiting(MAX_WAITING) >= MAX_WAITING:
            return sentence("queue-full", where=ctx.origin.chat_type)
        waiting = ctx.tx.jobs.count_waiting_charged_to(self.charged_to(ctx), MAX_WAITING_PER_USER)
        if waiting < MAX_WAITING_PER_USER:
            return None
        is_sender_chat = ctx.origin.is_sender_chat
        return sentence("too-many-nameless-wait" if is_sender_chat else "too-many-wait", most=MAX_WAITING_PER_USER)

    def why_exhausted(self, ctx: UpdateContext) -> Sentence | None:
        """Return which daily limit another request would exceed, or None."""
        if not self.is_limited(ctx):
            return None
        exhausted = next((each for each in self.remaining(ctx) if not each.remaining), None)
        if exhausted is not None:
            return self._explain_exhausted(ctx, exhausted)
        return sentence("spent", time=time_until_tomorrow(ctx.now)) if self.is_credit_limit_reached(ctx) else None

    def _explain_exhausted(self, ctx: UpdateContext, quota: RemainingQuota) -> Sentence:
        whose, most = quota.owner_name(ctx.origin), quota.limit
        waiting = ctx.tx.jobs.count_without_prompt(self.charged_to(ctx), utc_day(ctx.now))
        if quota.scope is UsageScope.USER and waiting:  # they may be given back today
            return sentence("used-up-waiting", whose=whose, most=most, waiting=waiting)
        return sentence("used-up", whose=whose, most=most, time=time_until_tomorrow(ctx.now))

    def admit(self, ctx: UpdateContext, job: Job) -> Sentence | None:
        """Charge a request whose prompt has come, or cancel it and return which limit is exhausted; idempotent.

        Until its prompt comes, a request counts for its sender only.
        """
        tx = ctx.tx
        if tx.quota.is_charged_to_all(job.id):
            return None
        tx.quota.refund(job.id)
        refusal = self.why_exhausted(ctx)
        if refusal is None:
            tx.quota.charge_to_all(job.id, utc_day(ctx.now))
        elif job_operations.cancel_job(tx, job, ctx.now):
            tx.progress_messages.queue_deletion(job.id, ctx.now)  # the refusal takes its place
        return refusal

    def is_credit_limit_reached(self, ctx: UpdateContext) -> bool:
        """Return whether the rest of today's credits is needed for the edits accepted so far."""
        limit = self.daily_limits.credits
        if not limit:
            return False
        committed = ctx.tx.credits.count_open_edits()
        return job_operations.count_affordable_edits(ctx.tx, limit, committed, utc_day(ctx.now)) < 1

    def refuse_if_exceeded(self, ctx: UpdateContext, *, album: str | None = None) -> bool:
        """Refuse a new request that exceeds a limit, with a reply; return whether it was refused.

        The rest of a refused album is refused as well, even if the limit allows it by then: half an album is no use.
        """
        key = None if album is None else f"full:{ctx.origin.chat_id}:album:{album}"
        if key is not None and ctx.tx.outbox.has_key(key):
            return True
        refusal = self.why_queue_full(ctx) or self.why_exhausted(ctx)
        if refusal is None:
            return False
        reply_once(ctx, refusal, about=f"full:{ctx.origin.user_id}")
        if key is not None:  # a marker row for the rest of the album, never sent
            ctx.tx.outbox.add(MessageDraft(key=key, chat_id=ctx.origin.chat_id, body=""), ctx.now)
            ctx.tx.outbox.cancel_by_key(key, ctx.now)
        return True
