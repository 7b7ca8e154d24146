"""Which task is looked at next, when there is more to look at than Kie allows."""

from itertools import pairwise

from bot.jobs.looks import PER_SECOND, Looks

START = 1_700_000_000_000


def test_an_earlier_look_takes_the_place_of_a_later_one_and_not_the_other_way_round() -> None:
    looks = Looks()
    for at in (START + 30_000, START, START + 60_000):
        looks.add(7, at)
    assert looks.take(START) == 7
    looks.done(7, None)
    assert looks.next_at() is None


def test_a_look_asked_for_during_one_follows_it_and_is_not_made_beside_it() -> None:
    looks = Looks()
    looks.add(7, START)
    assert looks.take(START) == 7
    looks.add(7, START + 500)
    looks.add(7, START + 400)
    assert looks.take(START + 5000) is None
    looks.done(7, START + 30_000)
    assert looks.next_at() == START + 400


def test_all_looks_together_never_exceed_ten_a_second() -> None:
    looks = Looks()
    for job_id in range(50):
        looks.add(job_id, START)
    taken = [moment for moment in range(START, START + 4900) if looks.take(moment) is not None]
    assert len(taken) == 49
    assert min(after - before for before, after in zip(taken, taken[10:], strict=False)) >= 1000


def test_a_look_is_not_taken_before_its_time() -> None:
    looks = Looks()
    looks.add(7, START)
    assert looks.take(START - 1) is None
    assert looks.next_at() == START
    assert looks.take(START) == 7


def _taken(looks: Looks, seconds: int, gaps: dict[int, int]) -> list[tuple[int, int]]:
    """Return who was looked at, and when, while each task wants to be looked at again after its gap in milliseconds."""
    taken = []
    for now in range(START, START + seconds * 1000, 1000 // PER_SECOND):
        job_id = looks.take(now)
        if job_id is not None:
            taken.append((job_id, now))
            looks.done(job_id, now + gaps[job_id])
    return taken


def test_where_all_want_more_than_may_be_had_none_gets_more_than_another() -> None:
    gaps = dict.fromkeys(range(100), 1000)
    looks = Looks()
    for job_id in gaps:
        looks.add(job_id, START)
    each = [job_id for job_id, _ in _taken(looks, 50, gaps)]
    assert {each.count(job_id) for job_id in gaps} == {5}


def test_the_one_that_has_waited_longest_for_its_look_goes_first() -> None:
    looks = Looks()
    for job_id, at in ((1, START + 300), (2, START + 100), (3, START + 200)):
        looks.add(job_id, at)
    assert [looks.take(START + late) for late in (1000, 1100, 1200)] == [2, 3, 1]


def test_one_that_wants_to_be_looked_at_all_the_time_keeps_nobody_waiting() -> None:
    gaps = {1: 0, 2: 0} | dict.fromkeys(range(10, 50), 5000)
    looks = Looks()
    for job_id in gaps:
        looks.add(job_id, START)
    taken = _taken(looks, 60, gaps)
    for job_id in range(10, 50):
        moments = [at for one, at in taken if one == job_id]
        assert max(after - before for before, after in pairwise(moments)) < 10_000
