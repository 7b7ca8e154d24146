"""Room: how much may be asked for, so that what is promised can be kept and paid.

Whatever waits is a row on the disk, and memory holds only what is under way. The
bound on that is for people: nobody is helped by a place in a queue of hours, and
nobody should fill it alone. The daily limits are for the operator, who pays. All
is checked in the transaction that would accept a request, so it is exact; what was
accepted before stays, whatever it lacks.
"""

from dataclasses import dataclass

from bot import job_actions
from bot.clock import Instant, utc_day
from bot.handlers.access import AccessPolicy
from bot.handlers.replies import reply_once
from bot.handlers.update_types import UpdateOrigin
from bot.i18n import Sentence, sentence
from bot.i18n.time_phrases import time_until_tomorrow
from bot.job import Job
from bot.store.daily_usage import EVERYONE_ID, UsageScope
from bot.store.outbox import MessageDraft
from bot.store.transaction import Transaction

#: Requests that wait for something before they are ordered, in all: 83 minutes at Kie's 20 orders in 10 seconds.
MAX_WAITING = 10_000

#: The same charged to one, in all chats together: a hundred albums are more than a day's fun.
MAX_WAITING_PER_USER = 100


@dataclass(frozen=True)
class DailyLimits:
    """What may be asked for on one UTC day; 0 stands for no limit."""

    edits_per_person: int
    edits_per_chat: int
    edits: int
    #: what may be spent at Kie
    credits: float


@dataclass(frozen=True)
class RemainingQuota:
    """What is left of a limit."""

    scope: UsageScope
    limit: int
    remaining: int

    def owner_name(self, origin: UpdateOrigin) -> str:
        """Return how the one is called in sentences whose limit it is; in private that of the chat is the person's."""
        if self.scope is UsageScope.ALL or (self.scope is UsageScope.CHAT and origin.is_group):
            return self.scope
        return "nameless" if origin.is_sender_chat else "person"


class QuotaPolicy:
    """Where a new request may or may not be taken."""

    def __init__(self, daily: DailyLimits, access: AccessPolicy) -> None:
        self.daily_limits = daily
        self._access_policy = access

    def is_limited(self, tx: Transaction, origin: UpdateOrigin) -> bool:
        """Say whether the daily limits hold for somebody; they do not for admins."""
        return not self._access_policy.is_exempt(tx, origin.user_id, origin.chat_id)

    def charged_to(self, tx: Transaction, origin: UpdateOrigin) -> int:
        """Return whose limits count for what somebody asks for."""
        return self._access_policy.charged_to(tx, origin.user_id, origin.chat_id)

    def remaining(self, tx: Transaction, origin: UpdateOrigin, now: Instant) -> list[RemainingQuota]:
        """Return what is left today of every limit that there is, for somebody in a chat."""
        limits = (
            (UsageScope.USER, self.charged_to(tx, origin), self.daily_limits.edits_per_person),
            (UsageScope.CHAT, origin.chat_id, self.daily_limits.edits_per_chat),
            (UsageScope.ALL, EVERYONE_ID, self.daily_limits.edits),
        )
        return [
            RemainingQuota(whose, most, max(0, most - tx.daily_usage.get(whose, principal, utc_day(now))))
            for whose, principal, most in limits
            if most
        ]

    def why_queue_full(self, tx: Transaction, origin: UpdateOrigin) -> Sentence | None:
        """Say why so much waits that another request of a person cannot be accepted, None where it can."""
        if tx.jobs.count_waiting(MAX_WAITING) >= MAX_WAITING:
            return sentence("queue-full", where=origin.chat_type)
        if tx.jobs.count_waiting_charged_to(self.charged_to(tx, origin), MAX_WAITING_PER_USER) >= MAX_WAITING_PER_USER:
            if origin.is_sender_chat:
                return sentence("too-many-nameless-wait", most=MAX_WAITING_PER_USER)
            return sentence("too-many-wait", most=MAX_WAITING_PER_USER)
        return None

    def why_exhausted(self, tx: Transaction, origin: UpdateOrigin, now: Instant) -> Sentence | None:
        """Say which limit of today another request would break, None where there is none."""
        if not self.is_limited(tx, origin):
            return None
        used_up = next((each for each in self.remaining(tx, origin, now) if not each.remaining), None)
        if used_up is not None:
            return self._explain_exhausted(tx, used_up, origin, now)
        if self.is_credit_limit_reached(tx, now):
            return sentence("spent", time=time_until_tomorrow(now))
        return None

    def _explain_exhausted(
        self, tx: Transaction, limit: RemainingQuota, origin: UpdateOrigin, now: Instant
    ) -> Sentence:
        whose, most = limit.owner_name(origin), limit.limit
        waiting = tx.jobs.count_without_prompt(self.charged_to(tx, origin), utc_day(now))
        if limit.scope is UsageScope.USER and waiting:  # so there may be room sooner
            return sentence("used-up-waiting", whose=whose, most=most, waiting=waiting)
        return sentence("used-up", whose=whose, most=most, time=time_until_tomorrow(now))

    def admit(self, tx: Transaction, origin: UpdateOrigin, job: Job, now: Instant) -> Sentence | None:
        """Count a request whose words have come; take it back, and say why, where there is no room for it today.

        While it waited for words it held no place of others'.
        """
        if tx.quota.is_charged_to_all(job.id):
            return None
        tx.quota.refund(job.id)
        told = self.why_exhausted(tx, origin, now)
        if told is None:
            tx.quota.charge_to_all(job.id, utc_day(now))
        elif job_actions.cancel_job(tx, job, now):
            tx.progress_messages.queue_deletion(job.id, now)  # what is said instead says it
        return told

    def is_credit_limit_reached(self, tx: Transaction, now: Instant) -> bool:
        """Say whether no more can be accepted than what today's credits pay for already."""
        ceiling = self.daily_limits.credits
        return (
            bool(ceiling)
            and job_actions.count_affordable_edits(tx, ceiling, tx.credits.count_open_edits(), utc_day(now)) < 1
        )

    def refuse_if_exceeded(
        self, tx: Transaction, origin: UpdateOrigin, now: Instant, *, album: str | None = None
    ) -> bool:
        """Turn a new request away where there is no room for it, and say so.

        Of an album that was turned away the rest is turned away as well, even where room was made meanwhile:
        half an album is not what was asked for.
        """
        key = None if album is None else f"full:{origin.chat_id}:album:{album}"
        if key is not None and tx.outbox.has_key(key):
            return True
        told = self.why_queue_full(tx, origin) or self.why_exhausted(tx, origin, now)
        if told is None:
            return False
        reply_once(tx, origin, told, now, about=f"full:{origin.user_id}")
        if key is not None:  # a note for the rest of it, that is never sent
            tx.outbox.add(MessageDraft(key=key, chat_id=origin.chat_id, body=""), now)
            tx.outbox.cancel_by_key(key, now)
        return True
