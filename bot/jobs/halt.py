"""Halt: what people are told while nothing can be ordered, and nobody but the operator or time can help."""

from dataclasses import replace
from functools import partial

from bot.job import Instant, day_of, seconds_between
from bot.jobs.containment import Containment
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


def tell_groups(tx: Transaction, containment: Containment, limits: Limits, now: Instant) -> bool:
    """Tell each group in which somebody waits once, because there no message tells how an edit stands.

    True if there may be more of them.
    """
    notice = _notice(tx, limits, now)
    if notice is None:
        return False
    groups = tx.line.untold(notice[0])
    for chat_id in groups:
        containment.row(tx, "notice", chat_id, partial(_tell_group, tx, chat_id, *notice, now), lambda: None)
    return bool(groups)


def _notice(tx: Transaction, limits: Limits, now: Instant) -> tuple[str, Sentence] | None:
    """Return what is to be said about what keeps all waiting, by the name of that; None where that is nothing."""
    breaker = why(tx.breakers.all(), now)
    if breaker is not None:
        return f"halted:{breaker.name}:{breaker.since}", words(breaker, limits)
    if not can_pay(tx, limits, now):
        return f"halted:budget:{day_of(now)}", sentence("waiting-for-tomorrow", time=until_tomorrow(now))
    return None


def _tell_group(tx: Transaction, chat_id: int, what: str, told: Sentence, now: Instant) -> None:
    first = tx.line.first_of(chat_id)
    job = None if first is None else tx.jobs.get(first)
    if job is not None:
        tx.outbox.add(replace(about(job, what, told), key=f"{what}:in:{chat_id}"), now)
