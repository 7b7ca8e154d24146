"""The turnstile: how often each caller may come in, so that nobody can keep the bot busy from outside.

What it remembers is bounded: the callers that were heard least recently are forgotten.
"""


class RateLimiter:
    """Lets each caller through `per_second` times in the long run, and `burst` times at once."""

    def __init__(self, per_second: float, burst: int, *, most_callers: int = 1) -> None:
        self._interval = 1 / per_second
        # a millionth more than needed, because sums of fractions are never quite even
        self._burst_allowance = (burst - 1) / per_second + 1e-6
        self._max_callers = most_callers
        #: for each caller, when all of its burst is there again; the one heard last comes last
        self._refilled_at: dict[str, float] = {}

    def try_acquire(self, caller: str, now: float) -> bool:
        """Say whether a caller may come in at `now`, in seconds, and count it if so."""
        even_at = max(now, self._refilled_at.pop(caller, now))
        is_admitted = even_at - now <= self._burst_allowance
        self._refilled_at[caller] = even_at + self._interval if is_admitted else even_at
        if len(self._refilled_at) > self._max_callers:
            del self._refilled_at[next(iter(self._refilled_at))]
        return is_admitted
