"""Circuit breakers: stop calls to Kie that would fail, and send outage notifications to admins and waiting groups.

An open breaker blocks its calls for a pause that grows by exponential backoff. Where Kie's balance, a free call, can
show whether the cause is gone, a recovery probe asks for it next. Then the breaker is half-open: a single call goes
out, and the breaker closes if Kie accepts it. `order_limits` says what an open breaker blocks.
"""

import logging
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial

from bot.backoff import backoff
from bot.clock import Instant, add_seconds, seconds_between, utc_day
from bot.i18n import Sentence, sentence, time_until_tomorrow
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
from bot.pipeline.error_containment import ErrorContainment
from bot.pipeline.finish_job import draft_reply
from bot.pipeline.order_limits import OrderLimits, is_within_budget
from bot.store.circuit_breakers import OUTAGE, RATE, UNCERTAIN, UPLOADS, CircuitBreaker
from bot.store.database import Database, Transaction

log = logging.getLogger(__name__)

#: Seconds of the first and of the longest pause, by breaker; each trip in a row doubles the pause.
BREAKER_PAUSES = {
    OUTAGE: (2.0, 60.0),
    RATE: (5.0, 60.0),
    UNCERTAIN: (2.0, 600.0),
    UPLOADS: (2.0, 60.0),
    BlockCause.CREDITS.value: (60.0, 900.0),
    BlockCause.KEY.value: (60.0, 900.0),
    BlockCause.CAP.value: (300.0, 3600.0),
}

#: Trips in a row after which admins and users are notified of an outage.
LASTING_OUTAGE_TRIPS = 4

#: The longest pause, in seconds, that is granted when Kie asks for one.
MAX_RETRY_AFTER = 3600.0

#: Seconds until the next probe after one that showed nothing.
PROBE_RETRY_AFTER = 30.0

#: Seconds after which users are notified of an outage that only the operator can end.
NOTICE_AFTER = 3.0


def trip_order_breaker(tx: Transaction, error: KieError, admins: frozenset[int], now: Instant) -> None:
    """Open the breaker for an error; notify the admins if only they can help, or if the outage lasts."""
    if isinstance(error, AccountBlocked):
        name = error.cause.value
    elif isinstance(error, OrderUncertain):
        name = UNCERTAIN
    else:
        name = RATE if isinstance(error, KieUnavailable) and error.code in RATE_LIMIT_CODES else OUTAGE
    _trip(tx, name, error, admins, now)


def trip_upload_breaker(tx: Transaction, error: KieUnavailable, admins: frozenset[int], now: Instant) -> None:
    """Pause uploads, and with them the preparation of images, after an upload that failed."""
    _trip(tx, UPLOADS, error, admins, now)


def close_upload_breaker(tx: Transaction, admins: frozenset[int], now: Instant) -> None:
    """Close the upload breaker after a successful upload, unless its pause has not ended yet."""
    breaker = tx.circuit_breakers.get(UPLOADS)
    if breaker is not None and breaker.until <= now:
        _close(tx, breaker, admins, now)


def close_order_breakers(tx: Transaction, submitted_at: Instant, admins: frozenset[int], now: Instant) -> None:
    """Close the breakers whose pause had ended by `submitted_at`, when an order left that Kie has accepted.

    An order that left before a breaker opened says nothing about it.
    """
    for breaker in tx.circuit_breakers.list_open():
        if breaker.name != UPLOADS and breaker.until <= submitted_at:
            _close(tx, breaker, admins, now)


def _trip(tx: Transaction, name: str, error: KieError, admins: frozenset[int], now: Instant) -> None:
    known = tx.circuit_breakers.get(name)
    if known is not None and known.until > now:
        return  # the call was already in flight when the breaker opened
    breaker = _open(tx, name, now, getattr(error, "retry_after", None))
    tx.log(log.warning, "circuit breaker %s: open for %.0f s: %s", name, seconds_between(now, breaker.until), error)
    if isinstance(error, AccountBlocked):
        tx.outbox.notify_admins(admins, f"halt:{name}:{breaker.since}", sentence(f"admin-halt-{name}").translate, now)
    elif breaker.trips == LASTING_OUTAGE_TRIPS:
        words = sentence("admin-outage", words=str(error))
        tx.outbox.notify_admins(admins, f"outage:{name}:{breaker.since}", words.translate, now)


def _open(tx: Transaction, name: str, now: Instant, retry_after: float | None = None) -> CircuitBreaker:
    """Open a breaker, or keep it open: for `retry_after` seconds if Kie asked for that, else with backoff."""
    known = tx.circuit_breakers.get(name)
    trips = 1 if known is None else known.trips + 1
    pause = min(retry_after, MAX_RETRY_AFTER) if retry_after else backoff(trips - 1, *BREAKER_PAUSES[name])
    breaker = CircuitBreaker(name, now if known is None else known.since, add_seconds(now, pause), trips)
    tx.circuit_breakers.open(breaker)
    return breaker


def _close(tx: Transaction, breaker: CircuitBreaker, admins: frozenset[int], now: Instant) -> None:
    tx.circuit_breakers.close(breaker.name)
    tx.log(log.info, "circuit breaker %s: closed", breaker.name)
    if _needs_operator(breaker) or breaker.trips >= LASTING_OUTAGE_TRIPS:
        key = f"resumed:{breaker.name}:{breaker.since}"
        tx.outbox.notify_admins(admins, key, sentence("admin-resumed").translate, now)


def _needs_operator(breaker: CircuitBreaker) -> bool:
    return breaker.name in set(BlockCause)


def handle_free_call_error(tx: Transaction, error: KieError, admins: frozenset[int], now: Instant) -> None:
    """Open a breaker if a free call reports a blocked account; notify the admins of an undocumented response."""
    if isinstance(error, AccountBlocked):
        trip_order_breaker(tx, error, admins, now)
    elif isinstance(error, UnexpectedResponse):
        tx.log(log.error, "Kie's response is not as documented: %s", error)
        words = sentence("admin-garbled", words=str(error))
        tx.outbox.notify_admins(admins, f"garbled:{error.code}:{utc_day(now)}", words.translate, now)


def schedule_immediate_probes(tx: Transaction, now: Instant) -> None:
    """Probe at once, at the start, the breakers whose cause the operator may have fixed."""
    for breaker in tx.circuit_breakers.list_open():
        if _needs_operator(breaker):
            tx.circuit_breakers.open(replace(breaker, until=min(now, breaker.until), is_probed=False))


@dataclass(eq=False)
class RecoveryProbe:
    """The step that asks for the balance: free of charge, it needs a valid key and shows whether there are credits."""

    db: Database
    kie: KieClient
    _: KW_ONLY
    clock: Callable[[], Instant]

    async def run(self, name: str) -> None:
        """Ask once; then half-open the breaker, or keep it open for longer."""
        try:
            balance = await self.kie.get_credits()
        except KieError:
            recovered = False
        else:
            recovered = balance > 0 or name != BlockCause.CREDITS
        await self.db.transact(lambda tx: self._record_result(tx, name, recovered=recovered))

    def postpone(self, tx: Transaction, name: str) -> None:
        """Probe again after PROBE_RETRY_AFTER seconds."""
        breaker = tx.circuit_breakers.get(name)
        if breaker is not None:
            tx.circuit_breakers.open(replace(breaker, until=add_seconds(self.clock(), PROBE_RETRY_AFTER)))

    def _record_result(self, tx: Transaction, name: str, *, recovered: bool) -> None:
        if recovered:
            tx.circuit_breakers.mark_probed(name)
        elif name == UNCERTAIN and tx.circuit_breakers.get(name) is not None:
            self.postpone(tx, name)  # no order failed, so the pause does not grow
        else:
            _open(tx, name, self.clock())


def find_lasting_breaker(breakers: list[CircuitBreaker], now: Instant) -> CircuitBreaker | None:
    """Return the first breaker that has been open for long enough to notify users, if any."""
    for breaker in breakers:
        is_blocked = _needs_operator(breaker) and seconds_between(breaker.since, now) >= NOTICE_AFTER
        if is_blocked or breaker.trips >= LASTING_OUTAGE_TRIPS:
            return breaker
    return None


def describe_outage(breaker: CircuitBreaker, limits: OrderLimits) -> Sentence:
    """Return the text on what an edit waits for; it says that the owner knows only if there are admins to notify."""
    if not _needs_operator(breaker):
        return sentence("waiting-for-kie")
    return sentence("waiting-for-owner" if limits.has_admins else "waiting-for-owner-unaware")


def notify_groups(tx: Transaction, containment: ErrorContainment, limits: OrderLimits, now: Instant) -> bool:
    """Notify some groups with waiting edits, each once per outage; return whether there may be more.

    Users in private chats see it in their progress messages.
    """
    notice = _current_notice(tx, limits, now)
    if notice is None:
        return False
    groups = tx.fair_queue.claim_unnotified_groups(notice[0])
    for chat_id in groups:
        containment.run_for_row(tx, "notice", chat_id, partial(_notify_group, tx, chat_id, *notice, now), lambda: None)
    return bool(groups)


def _current_notice(tx: Transaction, limits: OrderLimits, now: Instant) -> tuple[str, Sentence] | None:
    """Return the key and the text of the notice about what blocks all orders, None if nothing does."""
    breaker = find_lasting_breaker(tx.circuit_breakers.list_open(), now)
    if breaker is not None:
        return f"halted:{breaker.name}:{breaker.since}", describe_outage(breaker, limits)
    if not is_within_budget(tx, limits, now):
        return f"halted:budget:{utc_day(now)}", sentence("waiting-for-tomorrow", time=time_until_tomorrow(now))
    return None


def _notify_group(tx: Transaction, chat_id: int, key: str, text: Sentence, now: Instant) -> None:
    first = tx.fair_queue.get_longest_waiting(chat_id)
    job = None if first is None else tx.jobs.get(first)
    if job is not None:
        tx.outbox.add(replace(draft_reply(job, key, text), key=f"{key}:in:{chat_id}"), now)
