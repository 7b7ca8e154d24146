"""How often each caller is admitted."""

from hypothesis import given
from hypothesis import strategies as st

from bot.inbound.rate_limiter import RateLimiter


def _count_admitted(limiter: RateLimiter, *moments: float, caller: str = "ada") -> int:
    return sum(limiter.try_acquire(caller, moment) for moment in moments)


def test_a_burst_is_let_in_and_then_so_many_a_second() -> None:
    limiter = RateLimiter(2.0, 5)
    assert _count_admitted(limiter, *[0.0] * 20) == 5
    assert _count_admitted(limiter, *[0.5] * 20) == 1
    assert _count_admitted(limiter, *[10.0] * 20) == 5


def test_who_is_turned_away_does_not_wait_longer_for_it() -> None:
    limiter = RateLimiter(1.0, 1)
    assert _count_admitted(limiter, *[number / 10 for number in range(100)]) == 10


def test_callers_do_not_stand_in_each_others_way() -> None:
    limiter = RateLimiter(1.0, 1, max_callers=2)
    assert _count_admitted(limiter, 0.0, 0.0) == 1
    assert _count_admitted(limiter, 0.0, caller="bob") == 1


def test_no_more_callers_are_remembered_than_it_was_told() -> None:
    limiter = RateLimiter(1.0, 1, max_callers=100)
    for number in range(10_000):
        limiter.try_acquire(f"{number}", 0.0)
    assert len(limiter._refilled_at) == 100
    assert not limiter.try_acquire("9999", 0.0)
    assert limiter.try_acquire("0", 0.0)


@given(st.lists(st.floats(0, 100), max_size=200).map(sorted))
def test_within_any_time_no_more_than_the_burst_and_the_rate_come_in(moments: list[float]) -> None:
    limiter = RateLimiter(2.0, 3)
    admitted = [moment for moment in moments if limiter.try_acquire("ada", moment)]
    for place, start in enumerate(admitted):
        for count, end in enumerate(admitted[place:], start=1):
            assert count <= 3 + 2.0 * (end - start) + 1e-3
