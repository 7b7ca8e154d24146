"""Halt: what people are told while nothing can be ordered, and nobody but the operator or time can help."""

from dataclasses import replace
from functools import partial

from bot.clock import Instant, seconds_between, utc_day
from bot.i18n import Sentence, sentence
from bot.i18n.time_phrases import time_until_tomorrow
from bot.pipeline.circuit_breakers import LASTING_OUTAGE_TRIPS, needs_operator
from bot.pipeline.error_containment import ErrorContainment
from bot.pipeline.finish_job import draft_reply
from bot.pipeline.order_limits import OrderLimits, is_within_budget
from bot.store.circuit_breakers import CircuitBreaker
from bot.store.transaction import Transaction

#: Seconds after which a halt is worth a word: what is over in a moment is not.
NOTICE_AFTER = 3.0


def find_lasting_breaker(breakers: list[CircuitBreaker], now: Instant) -> CircuitBreaker | None:
    """Return the one of the open breakers for which nothing is ordered, once it is one that lasts."""
    for breaker in breakers:
        is_halt = needs_operator(breaker) and seconds_between(breaker.since, now) >= NOTICE_AFTER
        if is_halt or breaker.trips >= LASTING_OUTAGE_TRIPS:
            return breaker
    return None


def describe_outage(breaker: CircuitBreaker, limits: OrderLimits) -> Sentence:
    """Say what keeps a picture waiting; that the owner knows of it only where somebody was told."""
    if not needs_operator(breaker):
        return sentence("waiting-for-kie")
    return sentence("waiting-for-owner" if limits.has_admins else "waiting-for-owner-unaware")


def notify_groups(tx: Transaction, containment: ErrorContainment, limits: OrderLimits, now: Instant) -> bool:
    """Tell each group in which somebody waits once, because there no message tells how an edit stands.

    True if there may be more of them.
    """
    notice = _current_notice(tx, limits, now)
    if notice is None:
        return False
    groups = tx.fair_queue.claim_unnotified_groups(notice[0])
    for chat_id in groups:
        containment.run_for_row(tx, "notice", chat_id, partial(_notify_group, tx, chat_id, *notice, now), lambda: None)
    return bool(groups)


def _current_notice(tx: Transaction, limits: OrderLimits, now: Instant) -> tuple[str, Sentence] | None:
    """Return what is to be said about what keeps all waiting, by the name of that; None where that is nothing."""
    breaker = find_lasting_breaker(tx.circuit_breakers.list_open(), now)
    if breaker is not None:
        return f"halted:{breaker.name}:{breaker.since}", describe_outage(breaker, limits)
    if not is_within_budget(tx, limits, now):
        return f"halted:budget:{utc_day(now)}", sentence("waiting-for-tomorrow", time=time_until_tomorrow(now))
    return None


def _notify_group(tx: Transaction, chat_id: int, what: str, told: Sentence, now: Instant) -> None:
    first = tx.fair_queue.get_longest_waiting(chat_id)
    job = None if first is None else tx.jobs.get(first)
    if job is not None:
        tx.outbox.add(replace(draft_reply(job, what, told), key=f"{what}:in:{chat_id}"), now)
