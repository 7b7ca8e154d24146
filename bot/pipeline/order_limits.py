"""Order limits: how many orders (paid calls) may be placed now, and when that changes.

They are the circuit breakers, Kie's rate limit, two limits on concurrency, and the daily budget. All are computed from
stored rows, so they hold across restarts.
"""

from dataclasses import dataclass

from bot import job_operations
from bot.clock import Instant, add_seconds, start_of_day, utc_day
from bot.kie.errors import BlockCause
from bot.store.circuit_breakers import UNCERTAIN, UPLOADS, CircuitBreaker
from bot.store.database import Transaction

#: Seconds over which orders are counted: Kie's window of ten, and a margin because two clocks never quite agree.
RATE_WINDOW = 10.2

#: Paid calls in flight at once. This many orders become uncertain when Kie stops answering or the process is killed.
#: It is enough to use the whole rate limit as long as Kie answers within four seconds.
MAX_ORDERS_IN_FLIGHT = 8

#: Circuit breakers for which a free call (the balance) shows whether the cause may be gone.
PROBED_BREAKERS = (BlockCause.CREDITS, BlockCause.KEY, UNCERTAIN)


@dataclass(frozen=True)
class OrderLimits:
    """The limits from the settings."""

    orders_per_window: int
    max_running: int
    #: seconds after which a task no longer counts as running
    deadline: float
    #: credits that may be spent on a UTC day, 0 for no limit
    daily_credits: float = 0.0
    #: whether there is an admin to notify about the balance and about outages
    has_admins: bool = False


@dataclass(frozen=True)
class OrderAllowance:
    """How many orders may be placed now; if none, when that changes by itself (None: only after an event)."""

    available: int
    opens_at: Instant | None = None


#: The allowance of a limit that does not apply.
UNLIMITED = OrderAllowance(1_000_000)


def compute_order_allowance(tx: Transaction, limits: OrderLimits, now: Instant) -> OrderAllowance:
    """Return how many orders may be placed at `now`."""
    in_flight, ended = tx.attempts.count_recent(add_seconds(now, -RATE_WINDOW), limits.orders_per_window)
    allowances = (
        _breaker_allowance(tx.circuit_breakers.list_open(), in_flight, now),
        _rate_allowance(limits.orders_per_window, in_flight, ended),
        OrderAllowance(MAX_ORDERS_IN_FLIGHT - in_flight),
        OrderAllowance(limits.max_running - tx.jobs.count_at_kie(add_seconds(now, -limits.deadline))),
        _budget_allowance(tx, limits.daily_credits, now),
    )
    narrowest = min(allowances, key=lambda each: each.available)
    if narrowest.available > 0:
        return narrowest
    opening_times = [each.opens_at for each in allowances if each.available <= 0 and each.opens_at is not None]
    return OrderAllowance(0, max(opening_times, default=None))


def _breaker_allowance(breakers: list[CircuitBreaker], in_flight: int, now: Instant) -> OrderAllowance:
    of_orders = [breaker for breaker in breakers if breaker.name != UPLOADS]
    blocked_until = [breaker.until for breaker in of_orders if blocks_orders(breaker, now)]
    if blocked_until:
        return OrderAllowance(0, max(blocked_until))
    # half-open: the first order goes alone, to see whether Kie accepts it
    return OrderAllowance(1 - in_flight) if of_orders else UNLIMITED


def _rate_allowance(limit: int, in_flight: int, ended: list[Instant]) -> OrderAllowance:
    available = limit - in_flight - len(ended)
    if available > 0 or not ended:
        return OrderAllowance(available)
    return OrderAllowance(0, add_seconds(ended[max(0, limit - in_flight - 1)], RATE_WINDOW))


def _budget_allowance(tx: Transaction, daily_credits: float, now: Instant) -> OrderAllowance:
    """Allow no more than the day's budget can pay; orders in flight are counted against it too."""
    if not daily_credits:
        return UNLIMITED
    today = utc_day(now)
    affordable = job_operations.count_affordable_edits(tx, daily_credits, tx.jobs.count_at_kie(0), today)
    return OrderAllowance(affordable, start_of_day(today + 1))


def is_within_budget(tx: Transaction, limits: OrderLimits, now: Instant) -> bool:
    """Say whether the day's budget allows another order."""
    return _budget_allowance(tx, limits.daily_credits, now).available > 0


def blocks_orders(breaker: CircuitBreaker, now: Instant) -> bool:
    """Say whether an open circuit breaker lets no order through."""
    return breaker.until > now or needs_probe(breaker)


def needs_probe(breaker: CircuitBreaker) -> bool:
    """Say whether a recovery probe must succeed before the next order."""
    return breaker.name in PROBED_BREAKERS and not breaker.is_probed
