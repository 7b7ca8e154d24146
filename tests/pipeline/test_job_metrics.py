"""Job metrics use bounded memory, and a clock that is set back does not distort them."""

from bot.job import State
from bot.metrics import Metrics
from bot.pipeline.job_metrics import MAX_TRACKED_JOBS, JobMetrics
from bot.store.domain_events import JobAnswered, TaskCompleted
from tests.bot_harness import BotHarness
from tests.store.sample_requests import NOON, make_request


def test_of_jobs_that_never_end_no_more_is_kept_than_of_so_many() -> None:
    job_metrics = JobMetrics(Metrics())
    for job_id in range(3 * MAX_TRACKED_JOBS):
        job_metrics.count_poll(job_id)
        job_metrics.on_event(TaskCompleted(job_id, 1))
    assert len(job_metrics._polls) == len(job_metrics._completed_at) == MAX_TRACKED_JOBS
    assert 3 * MAX_TRACKED_JOBS - 1 in job_metrics._polls, "the oldest are forgotten first"


async def test_what_seems_to_have_ended_before_it_began_took_no_time(house: BotHarness) -> None:
    metrics = Metrics()
    job_id = await house.bot.db.transact(lambda tx: tx.jobs.add(make_request(), State.SUCCEEDED, NOON))
    job = await house.bot.db.transact(lambda tx: tx.jobs.get(job_id))
    assert job is not None
    JobMetrics(metrics).on_event(JobAnswered(job, NOON - 5000))
    labels = {"outcome": State.SUCCEEDED.value}
    assert metrics.registry.get_sample_value("darkroom_answer_seconds_bucket", labels | {"le": "1.0"}) == 1
    assert metrics.registry.get_sample_value("darkroom_answer_seconds_sum", labels) == 0.0
