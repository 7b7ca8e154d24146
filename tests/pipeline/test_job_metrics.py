"""What is kept in memory for the figures is bounded, and a clock that was set spoils none of them."""

from bot.job import State
from bot.metrics import Meters
from bot.pipeline.job_metrics import MAX_TRACKED_JOBS, JobMetrics
from bot.store.events import TaskCompleted


def test_of_jobs_that_never_end_no_more_is_kept_than_of_so_many() -> None:
    measure = JobMetrics(Meters())
    for job_id in range(3 * MAX_TRACKED_JOBS):
        measure.count_poll(job_id)
        measure.on_event(TaskCompleted(job_id, 1))
    assert len(measure._polls) == len(measure._completed_at) == MAX_TRACKED_JOBS
    assert 3 * MAX_TRACKED_JOBS - 1 in measure._polls, "the oldest are forgotten first"


def test_what_seems_to_have_ended_before_it_began_took_no_time() -> None:
    meters = Meters()
    meters.answered.observe(-5.0, State.SUCCEEDED)
    series = meters.answered.series[State.SUCCEEDED,]
    assert (series.up_to_bounds()[0], series.sum) == (1, 0.0)
