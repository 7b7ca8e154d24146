"""Halt: what people are told while nothing can be ordered, and nobody but the operator or time can help."""

from dataclasses import replace

from bot.job import Instant, day_of, seconds_between
from bot.jobs.gates import Limits, can_pay
from bot.jobs.outcome import about
from bot.jobs.trouble import LASTING, needs_operator
from bot.store.breakers import Breaker
from bot.store.transaction import Transaction
from bot.texts import Sentence, sentence
from bot.texts.times import until_tomorrow

#: Seconds after which a halt is worth a word: what is over in a moment is not.
PATIENCE = 3.0


def why(breakers: list[Breaker], now: Instant) -> Breaker | None:
    """Return the one of the open breakers for which nothing is ordered, once it is one that lasts."""
    for breaker in breakers:
        is_halt = needs_operator(breaker) and seconds_between(breaker.since, now) >= PATIENCE
        if is_halt or breaker.trips >= LASTING:
            return breaker
    return None


def words(breaker: Breaker, limits: Limits) -> Sentence:
    """Say what keeps a picture waiting; that the owner knows of it only where somebody was told."""
    if not needs_operator(breaker):
        return sentence("waiting-for-kie")
    return sentence("waiting-for-owner" if limits.has_admins else "waiting-for-owner-unaware")


def tell_groups(tx: Transaction, limits: Limits, now: Instant) -> bool:
    """Tell each group in which somebody waits once, because there no message tells how an edit stands.

    True if there may be more of them.
    """
    breaker = why(tx.breakers.all(), now)
    if breaker is not None:
        return _tell_groups(tx, f"halted:{breaker.name}:{breaker.since}", words(breaker, limits), now)
    if can_pay(tx, limits, now):
        return False
    told = sentence("waiting-for-tomorrow", time=until_tomorrow(now))
    return _tell_groups(tx, f"halted:budget:{day_of(now)}", told, now)


def _tell_groups(tx: Transaction, what: str, told: Sentence, now: Instant) -> bool:
    groups = tx.line.untold(what)
    for chat_id in groups:
        first = tx.line.first_of(chat_id)
        job = None if first is None else tx.jobs.get(first)
        if job is not None:
            tx.outbox.add(replace(about(job, what, told), key=f"{what}:in:{chat_id}"), now)
    return bool(groups)
