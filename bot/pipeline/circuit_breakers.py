"""What a trouble at Kie means for the orders of everybody: breakers, and words to the admins."""

import logging
from collections.abc import Callable
from dataclasses import replace

from bot.clock import Instant, add_seconds, seconds_between, utc_day
from bot.i18n import sentence
from bot.kie.client import KieClient
from bot.kie.errors import (
    RATE_LIMIT_CODES,
    AccountBlocked,
    BlockCause,
    KieError,
    KieUnavailable,
    OrderUncertain,
    UnexpectedResponse,
)
from bot.store.circuit_breakers import CircuitBreaker
from bot.store.database import Database
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

OUTAGE, RATE = "outage", "rate"

#: Orders that end without a clear answer: each one more may have to be asked about, so the next one is long in coming.
UNCERTAIN = "doubt"

#: Kie's store for pictures, which is another machine than the one that takes orders.
UPLOADS = "uploads"

#: Seconds of the first pause and of the longest one, by breaker; each trip in a row doubles the pause.
BREAKER_PAUSES = {
    OUTAGE: (2.0, 60.0),
    RATE: (5.0, 60.0),
    UNCERTAIN: (2.0, 600.0),
    UPLOADS: (2.0, 60.0),
    "credits": (60.0, 900.0),
    "key": (60.0, 900.0),
    "cap": (300.0, 3600.0),
}

#: Trips in a row after which the admins are told of an outage.
LASTING_OUTAGE_TRIPS = 4

#: Seconds; the longest pause that Kie itself can ask for.
MAX_RETRY_AFTER = 3600.0


def trip_order_breaker(tx: Transaction, error: KieError, admins: frozenset[int], now: Instant) -> None:
    """Open the breaker that belongs to an error; tell the admins when only they can help, or when it lasts."""
    _trip_breaker(tx, _breaker_name(error), error, admins, now)


def trip_upload_breaker(tx: Transaction, error: KieUnavailable, admins: frozenset[int], now: Instant) -> None:
    """Fetch and upload nothing for a while: all who wait would do it in vain, and again and again."""
    _trip_breaker(tx, UPLOADS, error, admins, now)


def close_upload_breaker(tx: Transaction, admins: frozenset[int], now: Instant) -> None:
    """Let all be prepared again, since one was."""
    breaker = tx.circuit_breakers.get(UPLOADS)
    if breaker is not None and breaker.until <= now:
        _close_breaker(tx, breaker, admins, now)


def _trip_breaker(tx: Transaction, name: str, error: KieError, admins: frozenset[int], now: Instant) -> None:
    known = tx.circuit_breakers.get(name)
    if known is not None and known.until > now:
        return  # calls that left before the first of them failed
    breaker = open_breaker(tx, name, now, getattr(error, "retry_after", None))
    tx.log(log.warning, "Kie is left alone for %.0f s (%s): %s", seconds_between(now, breaker.until), name, error)
    if isinstance(error, AccountBlocked):
        tx.outbox.notify_admins(admins, f"halt:{name}:{breaker.since}", sentence(f"admin-halt-{name}").translate, now)
    elif breaker.trips == LASTING_OUTAGE_TRIPS:
        tx.outbox.notify_admins(
            admins, f"outage:{name}:{breaker.since}", sentence("admin-outage", words=str(error)).translate, now
        )


def open_breaker(tx: Transaction, name: str, now: Instant, wait: float | None = None) -> CircuitBreaker:
    """Open a breaker, or keep it open; each time in a row for longer, unless Kie named the seconds to wait."""
    known = tx.circuit_breakers.get(name)
    trips = 1 if known is None else known.trips + 1
    first, longest = BREAKER_PAUSES[name]
    pause = min(wait, MAX_RETRY_AFTER) if wait else min(longest, first * 2.0 ** min(trips - 1, 16))
    breaker = CircuitBreaker(name, now if known is None else known.since, add_seconds(now, pause), trips)
    tx.circuit_breakers.open(breaker)
    return breaker


def close_order_breakers(tx: Transaction, submitted_at: Instant, admins: frozenset[int], now: Instant) -> None:
    """Close the breakers that an order, made at `submitted_at` and taken, was to try out.

    An order that left before a breaker opened says nothing about it.
    """
    for breaker in tx.circuit_breakers.list_open():
        if breaker.name != UPLOADS and breaker.until <= submitted_at:
            _close_breaker(tx, breaker, admins, now)


def _close_breaker(tx: Transaction, breaker: CircuitBreaker, admins: frozenset[int], now: Instant) -> None:
    tx.circuit_breakers.close(breaker.name)
    tx.log(log.info, "Kie is well again (%s)", breaker.name)
    if needs_operator(breaker) or breaker.trips >= LASTING_OUTAGE_TRIPS:
        tx.outbox.notify_admins(
            admins, f"resumed:{breaker.name}:{breaker.since}", sentence("admin-resumed").translate, now
        )


def handle_free_call_error(tx: Transaction, error: KieError, admins: frozenset[int], now: Instant) -> None:
    """Draw the conclusions for everybody from an error of a free call."""
    if isinstance(error, AccountBlocked):
        trip_order_breaker(tx, error, admins, now)
    elif isinstance(error, UnexpectedResponse):
        tx.log(log.error, "Kie's answer is not as documented: %s", error)
        words = sentence("admin-garbled", words=str(error))
        tx.outbox.notify_admins(admins, f"garbled:{error.code}:{utc_day(now)}", words.translate, now)


def schedule_immediate_probes(tx: Transaction, now: Instant) -> None:
    """Let the reasons be looked into at once that an operator may have removed before a start."""
    for breaker in tx.circuit_breakers.list_open():
        if needs_operator(breaker):
            tx.circuit_breakers.open(replace(breaker, until=min(now, breaker.until), is_probed=False))


def needs_operator(breaker: CircuitBreaker) -> bool:
    """Say whether it is a trouble that only the operator can end."""
    return breaker.name in set(BlockCause)


def _breaker_name(error: KieError) -> str:
    if isinstance(error, AccountBlocked):
        return error.cause.value
    if isinstance(error, OrderUncertain):
        return UNCERTAIN
    return RATE if isinstance(error, KieUnavailable) and error.code in RATE_LIMIT_CODES else OUTAGE


#: Seconds after a free question that Kie did not answer.
PROBE_RETRY_AFTER = 30.0


class RecoveryProbe:
    """The question is for the balance: it needs a good key, and it tells about the credits."""

    def __init__(self, db: Database, kie: KieClient, *, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._kie = kie
        self._clock = clock

    async def run(self, breaker: str) -> None:
        """Ask once; let the next order try, or keep the breaker shut for longer."""
        try:
            balance = await self._kie.get_credits()
        except KieError:
            gone = False
        else:
            gone = balance > 0 or breaker != "credits"
        await self._db.transact(lambda tx: self._record_result(tx, breaker, gone=gone))

    def postpone(self, tx: Transaction, breaker: str) -> None:
        """Ask again later: nothing was learned."""
        known = tx.circuit_breakers.get(breaker)
        if known is not None:
            tx.circuit_breakers.open(replace(known, until=add_seconds(self._clock(), PROBE_RETRY_AFTER)))

    def _record_result(self, tx: Transaction, breaker: str, *, gone: bool) -> None:
        known = tx.circuit_breakers.get(breaker)
        if gone:
            tx.circuit_breakers.mark_probed(breaker)
        elif breaker == UNCERTAIN and known is not None:
            # no order went out, so nothing speaks for waiting longer than for any free question
            self.postpone(tx, breaker)
        else:
            open_breaker(tx, breaker, self._clock())
