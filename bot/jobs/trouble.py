"""What a trouble at Kie means for the orders of everybody: breakers, and words to the admins."""

import logging
from dataclasses import replace

from bot.job import Instant, day_of, later, seconds_between
from bot.kie.errors import TOO_OFTEN, Garbled, Halt, Halted, KieError, Unavailable, Unclear
from bot.store.breakers import Breaker
from bot.store.transaction import Transaction
from bot.texts import sentence

log = logging.getLogger(__name__)

OUTAGE, RATE = "outage", "rate"

#: Orders that end without a clear answer: each one more may have to be asked about, so the next one is long in coming.
DOUBT = "doubt"

#: Kie's store for pictures, which is another machine than the one that takes orders.
UPLOADS = "uploads"

#: Seconds of the first pause and of the longest one, by breaker; each trip in a row doubles the pause.
PAUSES = {
    OUTAGE: (2.0, 60.0),
    RATE: (5.0, 60.0),
    DOUBT: (2.0, 600.0),
    UPLOADS: (2.0, 60.0),
    "credits": (60.0, 900.0),
    "key": (60.0, 900.0),
    "cap": (300.0, 3600.0),
}

#: Trips in a row after which the admins are told of an outage.
LASTING = 4

#: Seconds; the longest pause that Kie itself can ask for.
LONGEST_WISH = 3600.0


def stop_orders(tx: Transaction, error: KieError, admins: frozenset[int], now: Instant) -> None:
    """Open the breaker that belongs to an error; tell the admins when only they can help, or when it lasts."""
    _trip(tx, _name(error), error, admins, now)


def stop_uploads(tx: Transaction, error: Unavailable, admins: frozenset[int], now: Instant) -> None:
    """Fetch and upload nothing for a while: all who wait would do it in vain, and again and again."""
    _trip(tx, UPLOADS, error, admins, now)


def uploads_go_on(tx: Transaction, admins: frozenset[int], now: Instant) -> None:
    """Let all be prepared again, since one was."""
    breaker = tx.breakers.get(UPLOADS)
    if breaker is not None and breaker.until <= now:
        _close(tx, breaker, admins, now)


def _trip(tx: Transaction, name: str, error: KieError, admins: frozenset[int], now: Instant) -> None:
    known = tx.breakers.get(name)
    if known is not None and known.until > now:
        return  # calls that left before the first of them failed
    breaker = keep_shut(tx, name, now, getattr(error, "retry_after", None))
    tx.log(log.warning, "Kie is left alone for %.0f s (%s): %s", seconds_between(now, breaker.until), name, error)
    if isinstance(error, Halted):
        tx.outbox.tell_admins(admins, f"halt:{name}:{breaker.since}", sentence(f"admin-halt-{name}").into, now)
    elif breaker.trips == LASTING:
        tx.outbox.tell_admins(
            admins, f"outage:{name}:{breaker.since}", sentence("admin-outage", words=str(error)).into, now
        )


def keep_shut(tx: Transaction, name: str, now: Instant, wait: float | None = None) -> Breaker:
    """Open a breaker, or keep it open; each time in a row for longer, unless Kie named the seconds to wait."""
    known = tx.breakers.get(name)
    trips = 1 if known is None else known.trips + 1
    first, longest = PAUSES[name]
    pause = min(wait, LONGEST_WISH) if wait else min(longest, first * 2.0 ** min(trips - 1, 16))
    breaker = Breaker(name, now if known is None else known.since, later(now, pause), trips)
    tx.breakers.open(breaker)
    return breaker


def orders_go_on(tx: Transaction, submitted_at: Instant, admins: frozenset[int], now: Instant) -> None:
    """Close the breakers that an order, made at `submitted_at` and taken, was to try out.

    An order that left before a breaker opened says nothing about it.
    """
    for breaker in tx.breakers.all():
        if breaker.name != UPLOADS and breaker.until <= submitted_at:
            _close(tx, breaker, admins, now)


def _close(tx: Transaction, breaker: Breaker, admins: frozenset[int], now: Instant) -> None:
    tx.breakers.close(breaker.name)
    tx.log(log.info, "Kie is well again (%s)", breaker.name)
    if needs_operator(breaker) or breaker.trips >= LASTING:
        tx.outbox.tell_admins(admins, f"resumed:{breaker.name}:{breaker.since}", sentence("admin-resumed").into, now)


def seen_elsewhere(tx: Transaction, error: KieError, admins: frozenset[int], now: Instant) -> None:
    """Draw the conclusions for everybody from an error of a free call."""
    if isinstance(error, Halted):
        stop_orders(tx, error, admins, now)
    elif isinstance(error, Garbled):
        tx.log(log.error, "Kie's answer is not as documented: %s", error)
        words = sentence("admin-garbled", words=str(error))
        tx.outbox.tell_admins(admins, f"garbled:{error.code}:{day_of(now)}", words.into, now)


def try_at_once(tx: Transaction, now: Instant) -> None:
    """Let the reasons be looked into at once that an operator may have removed before a start."""
    for breaker in tx.breakers.all():
        if needs_operator(breaker):
            tx.breakers.open(replace(breaker, until=min(now, breaker.until), probed=False))


def needs_operator(breaker: Breaker) -> bool:
    """Say whether it is a trouble that only the operator can end."""
    return breaker.name in set(Halt)


def _name(error: KieError) -> str:
    if isinstance(error, Halted):
        return error.cause.value
    if isinstance(error, Unclear):
        return DOUBT
    return RATE if isinstance(error, Unavailable) and error.code in TOO_OFTEN else OUTAGE
