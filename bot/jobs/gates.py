"""The gates before the paid call: how many orders may leave now, and when that changes.

Everything is counted from what is stored, so it holds across restarts.
"""

from dataclasses import dataclass

from bot.job import Instant, begin_of, day_of, later
from bot.jobs.trouble import DOUBT, UPLOADS
from bot.store.breakers import Breaker
from bot.store.transaction import Transaction

#: Seconds over which orders are counted: Kie's ten, and a little more because two clocks never quite agree.
WINDOW = 10.2


#: Paid calls under way at once. As many are left in doubt when Kie stops answering, or the process is killed; and
#: the ten seconds' worth of orders still leaves in time as long as Kie takes no more than four for each.
MOST_UNDER_WAY = 8


@dataclass(frozen=True)
class Limits:
    """What the settings allow."""

    creates_per_window: int
    running: int
    #: seconds after which a task no longer counts as occupying a place at Kie
    deadline: float
    #: credits that may be spent on a UTC day, 0 for as many as there are
    daily_credits: float = 0.0
    #: whether there is anybody to tell about the balance, and about what only the operator can help
    has_admins: bool = False


@dataclass(frozen=True)
class Opening:
    """How many orders may leave now; when none, the moment to ask again (None: when something happens)."""

    room: int
    opens_at: Instant | None = None


def opening(tx: Transaction, limits: Limits, now: Instant) -> Opening:
    """Say how many orders may leave at `now`."""
    under_way, ended = tx.attempts.recent(later(now, -WINDOW), limits.creates_per_window)
    gates = (
        _breakers(tx.breakers.all(), under_way, now),
        _rate(limits.creates_per_window, under_way, ended),
        Opening(MOST_UNDER_WAY - under_way),
        Opening(limits.running - tx.jobs.count_at_kie(later(now, -limits.deadline))),
        _budget(tx, limits.daily_credits, now),
    )
    narrowest = min(gates, key=lambda gate: gate.room)
    if narrowest.room > 0:
        return narrowest
    moments = [gate.opens_at for gate in gates if gate.room <= 0 and gate.opens_at is not None]
    return Opening(0, max(moments, default=None))


def _breakers(breakers: list[Breaker], under_way: int, now: Instant) -> Opening:
    of_orders = [breaker for breaker in breakers if breaker.name != UPLOADS]
    shut = [breaker.until for breaker in of_orders if is_shut(breaker, now)]
    if shut:
        return Opening(0, max(shut))
    # after a trouble the first order goes alone, to see whether it is taken
    return Opening(1 - under_way if of_orders else 1_000_000)


def can_pay(tx: Transaction, limits: Limits, now: Instant) -> bool:
    """Say whether another order can be paid today."""
    return _budget(tx, limits.daily_credits, now).room > 0


def _budget(tx: Transaction, ceiling: float, now: Instant) -> Opening:
    """Let no more leave than can be paid today; what is under way is paid today as well."""
    if not ceiling:
        return Opening(1_000_000)
    today = day_of(now)
    return Opening(tx.account.affords(ceiling, tx.jobs.count_at_kie(0), today), begin_of(today + 1))


def _rate(most: int, under_way: int, ended: list[Instant]) -> Opening:
    room = most - under_way - len(ended)
    if room > 0 or not ended:
        return Opening(room)
    leaves_last = ended[max(0, most - under_way - 1)]
    return Opening(0, later(leaves_last, WINDOW))


#: Troubles for which Kie's balance, a free question, shows whether the reason may be gone.
PROBED = ("credits", "key", DOUBT)


def is_shut(breaker: Breaker, now: Instant) -> bool:
    """Say whether no order may leave because of this one."""
    return breaker.until > now or needs_probe(breaker)


def needs_probe(breaker: Breaker) -> bool:
    """Say whether a free question must be answered well before the first order."""
    return breaker.name in PROBED and not breaker.probed
