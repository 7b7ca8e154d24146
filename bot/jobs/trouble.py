"""What a trouble at Kie means for the orders of everybody: breakers, and words to the admins."""

import logging

from bot.job import Instant, later, seconds_between
from bot.kie.errors import Garbled, Halted, KieError, Unavailable
from bot.store.breakers import Breaker
from bot.store.transaction import Transaction
from bot.texts import en

log = logging.getLogger(__name__)

OUTAGE, RATE = "outage", "rate"

#: Seconds of the first pause and of the longest one, by breaker; each trip in a row doubles the pause.
PAUSES = {
    OUTAGE: (2.0, 60.0),
    RATE: (5.0, 60.0),
    "credits": (60.0, 900.0),
    "key": (60.0, 900.0),
    "cap": (300.0, 3600.0),
}

#: Milliseconds.
ONE_DAY = 86_400_000

#: Kie's codes for "too often" (430 in older documentation).
TOO_OFTEN = (429, 430)


def stop_orders(tx: Transaction, error: Unavailable | Halted, admins: frozenset[int], now: Instant) -> None:
    """Open the breaker that belongs to an error; tell the admins when only they can help."""
    name = _name(error)
    known = tx.breakers.get(name)
    if known is not None and known.until > now:
        return  # calls that left before the first of them failed
    breaker = keep_shut(tx, name, now, error.retry_after)
    log.warning("orders pause for %.0f s (%s): %s", seconds_between(now, breaker.until), name, error)
    if isinstance(error, Halted):
        tx.outbox.tell_admins(admins, f"halt:{name}:{breaker.since}", en.ADMIN_HALT[name], now)


def keep_shut(tx: Transaction, name: str, now: Instant, wait: float | None = None) -> Breaker:
    """Open a breaker, or keep it open; each time in a row for longer, unless Kie named the seconds to wait."""
    known = tx.breakers.get(name)
    trips = 1 if known is None else known.trips + 1
    first, longest = PAUSES[name]
    pause = wait or min(longest, first * 2.0 ** min(trips - 1, 16))
    breaker = Breaker(name, now if known is None else known.since, later(now, pause), trips)
    tx.breakers.open(breaker)
    return breaker


def orders_go_on(tx: Transaction, admins: frozenset[int], now: Instant) -> None:
    """Close every breaker: an order was taken."""
    for breaker in tx.breakers.all():
        tx.breakers.close(breaker.name)
        log.info("orders go on (%s)", breaker.name)
        if breaker.name in en.ADMIN_HALT:
            tx.outbox.tell_admins(admins, f"resumed:{breaker.name}:{breaker.since}", en.ADMIN_RESUMED, now)


def seen_elsewhere(tx: Transaction, error: KieError, admins: frozenset[int], now: Instant) -> None:
    """Draw the conclusions for everybody from an error of a free call."""
    if isinstance(error, Halted):
        stop_orders(tx, error, admins, now)
    elif isinstance(error, Garbled):
        log.error("Kie's answer is not as documented: %s", error)
        words = en.ADMIN_GARBLED.format(words=error.text)
        tx.outbox.tell_admins(admins, f"garbled:{error.code}:{now // ONE_DAY}", words, now)


def _name(error: Unavailable | Halted) -> str:
    if isinstance(error, Halted):
        return error.cause.value
    return RATE if error.code in TOO_OFTEN else OUTAGE
