"""Rate limiting of callers in bounded memory: the least recently seen caller is forgotten first."""


class RateLimiter:
    """A token bucket for each caller: `per_second` calls in the long run, `burst` at once."""

    def __init__(self, per_second: float, burst: int, *, max_callers: int = 1) -> None:
        self._interval = 1 / per_second
        # a microsecond of tolerance for rounding errors
        self._burst_allowance = (burst - 1) / per_second + 1e-6
        self._max_callers = max_callers
        #: when each caller's bucket is full again, the most recently seen caller last
        self._refilled_at: dict[str, float] = {}

    def try_acquire(self, caller: str, now: float) -> bool:
        """Tell whether a caller is within its rate at `now` (seconds), and count the call if so."""
        full_at = max(now, self._refilled_at.pop(caller, now))
        is_admitted = full_at - now <= self._burst_allowance
        self._refilled_at[caller] = full_at + self._interval if is_admitted else full_at
        if len(self._refilled_at) > self._max_callers:
            del self._refilled_at[next(iter(self._refilled_at))]
        return is_admitted
