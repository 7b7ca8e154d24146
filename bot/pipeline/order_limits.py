"""The gates before the paid call: how many orders may leave now, and when that changes.

Everything is counted from what is stored, so it holds across restarts.
"""

from dataclasses import dataclass

from bot import job_actions
from bot.clock import Instant, add_seconds, start_of_day, utc_day
from bot.store.circuit_breakers import UNCERTAIN, UPLOADS, CircuitBreaker
from bot.store.transaction import Transaction

#: Seconds over which orders are counted: Kie's ten, and a little more because two clocks never quite agree.
RATE_WINDOW = 10.2


#: Paid calls under way at once. As many are left in doubt when Kie stops answering, or the process is killed; and
#: the ten seconds' worth of orders still leaves in time as long as Kie takes no more than four for each.
MAX_ORDERS_IN_FLIGHT = 8


@dataclass(frozen=True)
class OrderLimits:
    """What the settings allow."""

    orders_per_window: int
    max_running: int
    #: seconds after which a task no longer counts as occupying a place at Kie
    deadline: float
    #: credits that may be spent on a UTC day, 0 for as many as there are
    daily_credits: float = 0.0
    #: whether there is anybody to tell about the balance, and about what only the operator can help
    has_admins: bool = False


@dataclass(frozen=True)
class OrderAllowance:
    """How many orders may leave now; when none, the moment to ask again (None: when something happens)."""

    available: int
    opens_at: Instant | None = None


def compute_order_allowance(tx: Transaction, limits: OrderLimits, now: Instant) -> OrderAllowance:
    """Say how many orders may leave at `now`."""
    under_way, ended = tx.attempts.count_recent(add_seconds(now, -RATE_WINDOW), limits.orders_per_window)
    gates = (
        _breaker_allowance(tx.circuit_breakers.list_open(), under_way, now),
        _rate_allowance(limits.orders_per_window, under_way, ended),
        OrderAllowance(MAX_ORDERS_IN_FLIGHT - under_way),
        OrderAllowance(limits.max_running - tx.jobs.count_at_kie(add_seconds(now, -limits.deadline))),
        _budget_allowance(tx, limits.daily_credits, now),
    )
    narrowest = min(gates, key=lambda gate: gate.available)
    if narrowest.available > 0:
        return narrowest
    moments = [gate.opens_at for gate in gates if gate.available <= 0 and gate.opens_at is not None]
    return OrderAllowance(0, max(moments, default=None))


def _breaker_allowance(breakers: list[CircuitBreaker], under_way: int, now: Instant) -> OrderAllowance:
    of_orders = [breaker for breaker in breakers if breaker.name != UPLOADS]
    shut = [breaker.until for breaker in of_orders if blocks_orders(breaker, now)]
    if shut:
        return OrderAllowance(0, max(shut))
    # after a trouble the first order goes alone, to see whether it is taken
    return OrderAllowance(1 - under_way if of_orders else 1_000_000)


def is_within_budget(tx: Transaction, limits: OrderLimits, now: Instant) -> bool:
    """Say whether another order can be paid today."""
    return _budget_allowance(tx, limits.daily_credits, now).available > 0


def _budget_allowance(tx: Transaction, ceiling: float, now: Instant) -> OrderAllowance:
    """Let no more leave than can be paid today; what is under way is paid today as well."""
    if not ceiling:
        return OrderAllowance(1_000_000)
    today = utc_day(now)
    return OrderAllowance(
        job_actions.count_affordable_edits(tx, ceiling, tx.jobs.count_at_kie(0), today), start_of_day(today + 1)
    )


def _rate_allowance(most: int, under_way: int, ended: list[Instant]) -> OrderAllowance:
    room = most - under_way - len(ended)
    if room > 0 or not ended:
        return OrderAllowance(room)
    leaves_last = ended[max(0, most - under_way - 1)]
    return OrderAllowance(0, add_seconds(leaves_last, RATE_WINDOW))


#: Troubles for which Kie's balance, a free question, shows whether the reason may be gone.
PROBED_BREAKERS = ("credits", "key", UNCERTAIN)


def blocks_orders(breaker: CircuitBreaker, now: Instant) -> bool:
    """Say whether no order may leave because of this one."""
    return breaker.until > now or needs_probe(breaker)


def needs_probe(breaker: CircuitBreaker) -> bool:
    """Say whether a free question must be answered well before the first order."""
    return breaker.name in PROBED_BREAKERS and not breaker.is_probed
