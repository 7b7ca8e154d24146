"""The suite does not run the benchmarks; this small test checks that they still fit the bot."""

from pathlib import Path

from bot.store.database import Database
from tests.bench.report import Measurement, render_measurements
from tests.bench.resource_usage import count_commits
from tests.bench.seed_database import copy_job
from tests.bot_harness import open_bot_harness
from tests.process_harness import make_photo


async def test_a_stocked_database_is_one_that_the_bot_could_have_written(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, kie={"creates_per_10_seconds": 1}, creates_per_10_seconds=1) as house:
        await house.request_edit(make_photo())
        await house.request_edit(make_photo("teal"))
        before = count_commits(tmp_path / "darkroom.db")
        await house.bot.db.transact(lambda tx: tx.fair_queue.set_ready(2, is_ready=True))
        assert count_commits(tmp_path / "darkroom.db") == before + 1
    copy_job(tmp_path / "darkroom.db", 2, 3, 5000)
    db = await Database.open(str(tmp_path / "darkroom.db"))
    try:
        assert await db.transact(lambda tx: tx.jobs.count_waiting(9)) == 4
        assert await db.transact(lambda tx: [tx.fair_queue.get_position(job_id) for job_id in (2, 3, 4, 5)]) == [
            1,
            2,
            3,
            4,
        ]
    finally:
        await db.close()


def test_the_table_says_what_passes_and_what_does_not() -> None:
    rows = [
        Measurement("quick", "ms", [3.0, 1.0, 2.0], goal=2.0),
        Measurement("many", "", [24.0], goal=25.0, at_least=True),
    ]
    assert render_measurements(rows).splitlines()[2:] == [
        "| quick | 2 ms | 1 – 3 | 3 | ≤ 2 |  | pass |",
        "| many | 24  | 24 – 24 | 1 | ≥ 25 |  | **miss** |",
    ]
