"""Room: how much may be asked for, so that what is promised can be kept and paid.

Whatever waits is a row on the disk, and memory holds only what is under way. The
bound on that is for people: nobody is helped by a place in a queue of hours, and
nobody should fill it alone. The daily limits are for the operator, who pays. All
is checked in the transaction that would accept a request, so it is exact; what was
accepted before stays, whatever it lacks.
"""

from dataclasses import dataclass

from bot.job import Instant, Job, day_of
from bot.store.counts import ALL, Whose
from bot.store.outbox import Say
from bot.store.transaction import Transaction
from bot.talk.access import Access
from bot.talk.meanings import Origin
from bot.talk.replying import reply_once
from bot.texts import Sentence, sentence
from bot.texts.times import until_tomorrow

#: Requests that wait for something before they are ordered, in all: 83 minutes at Kie's 20 orders in 10 seconds.
MOST_WAITING = 10_000

#: The same charged to one, in all chats together: a hundred albums are more than a day's fun.
MOST_WAITING_OF_ONE = 100


@dataclass(frozen=True)
class Daily:
    """What may be asked for on one UTC day; 0 stands for no limit."""

    edits_per_person: int
    edits_per_chat: int
    edits: int
    #: what may be spent at Kie
    credits: float


@dataclass(frozen=True)
class Left:
    """What is left of a limit."""

    whose: Whose
    most: int
    left: int

    def named(self, origin: Origin) -> str:
        """Return how the one is called in sentences whose limit it is; in private that of the chat is the person's."""
        if self.whose is Whose.ALL or (self.whose is Whose.CHAT and origin.is_group):
            return self.whose
        return "nameless" if origin.is_nameless else Whose.PERSON


class Room:
    """Where a new request may or may not be taken."""

    def __init__(self, daily: Daily, access: Access) -> None:
        self.daily = daily
        self._access = access

    def is_limited(self, tx: Transaction, origin: Origin) -> bool:
        """Say whether the daily limits hold for somebody; they do not for admins."""
        return not self._access.is_above_all(tx, origin.user_id, origin.chat_id)

    def charged_to(self, tx: Transaction, origin: Origin) -> int:
        """Return whose limits count for what somebody asks for."""
        return self._access.charged_to(tx, origin.user_id, origin.chat_id)

    def left(self, tx: Transaction, origin: Origin, now: Instant) -> list[Left]:
        """Return what is left today of every limit that there is, for somebody in a chat."""
        limits = (
            (Whose.PERSON, self.charged_to(tx, origin), self.daily.edits_per_person),
            (Whose.CHAT, origin.chat_id, self.daily.edits_per_chat),
            (Whose.ALL, ALL, self.daily.edits),
        )
        return [
            Left(whose, most, max(0, most - tx.counts.of(whose, principal, day_of(now))))
            for whose, principal, most in limits
            if most
        ]

    def why_full(self, tx: Transaction, origin: Origin) -> Sentence | None:
        """Say why so much waits that another request of a person cannot be accepted, None where it can."""
        if tx.jobs.count_waiting(MOST_WAITING) >= MOST_WAITING:
            return sentence("queue-full", where=origin.where)
        if tx.jobs.count_waiting_of(self.charged_to(tx, origin), MOST_WAITING_OF_ONE) >= MOST_WAITING_OF_ONE:
            if origin.is_nameless:
                return sentence("too-many-nameless-wait", most=MOST_WAITING_OF_ONE)
            return sentence("too-many-wait", most=MOST_WAITING_OF_ONE)
        return None

    def why_used_up(self, tx: Transaction, origin: Origin, now: Instant) -> Sentence | None:
        """Say which limit of today another request would break, None where there is none."""
        if not self.is_limited(tx, origin):
            return None
        used_up = next((each for each in self.left(tx, origin, now) if not each.left), None)
        if used_up is not None:
            return self._used_up(tx, used_up, origin, now)
        if self.is_spent(tx, now):
            return sentence("spent", time=until_tomorrow(now))
        return None

    def _used_up(self, tx: Transaction, limit: Left, origin: Origin, now: Instant) -> Sentence:
        whose, most = limit.named(origin), limit.most
        waiting = tx.jobs.count_without_words(self.charged_to(tx, origin), day_of(now))
        if limit.whose is Whose.PERSON and waiting:  # so there may be room sooner
            return sentence("used-up-waiting", whose=whose, most=most, waiting=waiting)
        return sentence("used-up", whose=whose, most=most, time=until_tomorrow(now))

    def admit(self, tx: Transaction, origin: Origin, job: Job, now: Instant) -> Sentence | None:
        """Count a request whose words have come; take it back, and say why, where there is no room for it today.

        While it waited for words it held no place of others'.
        """
        if tx.quota.is_complete(job.id):
            return None
        tx.quota.give_back(job.id)
        told = self.why_used_up(tx, origin, now)
        if told is None:
            tx.quota.complete(job.id, day_of(now))
        elif tx.take_back(job, now):
            tx.statuses.over(job.id, now)  # what is said instead says it
        return told

    def is_spent(self, tx: Transaction, now: Instant) -> bool:
        """Say whether no more can be accepted than what today's credits pay for already."""
        ceiling = self.daily.credits
        return bool(ceiling) and tx.account.affords(ceiling, tx.account.count_open(), day_of(now)) < 1

    def is_refused(self, tx: Transaction, origin: Origin, now: Instant, *, album: str | None = None) -> bool:
        """Turn a new request away where there is no room for it, and say so.

        Of an album that was turned away the rest is turned away as well, even where room was made meanwhile:
        half an album is not what was asked for.
        """
        key = None if album is None else f"full:{origin.chat_id}:album:{album}"
        if key is not None and tx.outbox.holds(key):
            return True
        told = self.why_full(tx, origin) or self.why_used_up(tx, origin, now)
        if told is None:
            return False
        reply_once(tx, origin, told, now, about=f"full:{origin.user_id}")
        if key is not None:  # a note for the rest of it, that is never sent
            tx.outbox.add(Say(key=key, chat_id=origin.chat_id, body=""), now)
            tx.outbox.never_mind(key, now)
        return True
