"""The bench is not run by the suite, so one small test says that its parts still fit the bot."""

from pathlib import Path

from bot.store.connection import Database
from tests.bench.commits import commits_in
from tests.bench.stock import multiply
from tests.bench.table import Row, written
from tests.house import a_house
from tests.world import a_photo


async def test_a_stocked_database_is_one_that_the_bot_could_have_written(tmp_path: Path) -> None:
    async with a_house(tmp_path, kie={"creates_per_10_seconds": 1}, creates_per_10_seconds=1) as house:
        await house.ask(a_photo())
        await house.ask(a_photo("teal"))
        before = commits_in(tmp_path / "darkroom.db")
        await house.bot.db.unit(lambda tx: tx.line.mark(2, is_ready=True))
        assert commits_in(tmp_path / "darkroom.db") == before + 1
    multiply(tmp_path / "darkroom.db", 2, 3, 5000)
    db = await Database.open(str(tmp_path / "darkroom.db"))
    try:
        assert await db.unit(lambda tx: tx.jobs.count_waiting(9)) == 4
        assert await db.unit(lambda tx: [tx.line.place_of(job_id) for job_id in (2, 3, 4, 5)]) == [1, 2, 3, 4]
    finally:
        await db.close()


def test_the_table_says_what_passes_and_what_does_not() -> None:
    rows = [Row("quick", "ms", [3.0, 1.0, 2.0], goal=2.0), Row("many", "", [24.0], goal=25.0, at_least=True)]
    assert written(rows).splitlines()[2:] == [
        "| quick | 2 ms | 1 – 3 | 3 | ≤ 2 |  | pass |",
        "| many | 24  | 24 – 24 | 1 | ≥ 25 |  | **miss** |",
    ]
