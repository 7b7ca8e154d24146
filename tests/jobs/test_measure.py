"""What is kept in memory for the figures is bounded, and a clock that was set spoils none of them."""

from bot.job import State
from bot.jobs.measure import MOST_KEPT, Measure
from bot.meters import Meters
from bot.store.facts import Completed


def test_of_jobs_that_never_end_no_more_is_kept_than_of_so_many() -> None:
    measure = Measure(Meters())
    for job_id in range(3 * MOST_KEPT):
        measure.looked(job_id)
        measure.hear(Completed(job_id, 1))
    assert len(measure._looks) == len(measure._completed) == MOST_KEPT
    assert 3 * MOST_KEPT - 1 in measure._looks, "the oldest are forgotten first"


def test_what_seems_to_have_ended_before_it_began_took_no_time() -> None:
    meters = Meters()
    meters.answered.observe(-5.0, State.SUCCEEDED)
    series = meters.answered.series[State.SUCCEEDED,]
    assert (series.up_to_bounds()[0], series.sum) == (1, 0.0)
