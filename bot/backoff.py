"""Exponential backoff between attempts; without jitter, because there is only one process."""

#: Seconds; the usual upper limit of `backoff`.
MAX_BACKOFF = 60.0


def backoff(tries: int, first: float = 1.0, longest: float = MAX_BACKOFF) -> float:
    """Return the seconds to wait after `tries` earlier failures: `first`, doubled each time, at most `longest`."""
    return min(longest, first * 2.0 ** min(tries, 16))
