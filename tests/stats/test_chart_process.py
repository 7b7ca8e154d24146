"""The child process that draws charts is isolated, and killed when it takes too long."""

import asyncio
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.stats.aggregates import DEFAULT_PERIOD, EditOutcome, PeriodStatistics, TimeBucket, WaitTimes, aggregate_period
from bot.stats.chart_data import build_chart_data
from bot.stats.chart_types import ChartData
from bot.stats.report import ChartError, ChartRenderer
from bot.store.database import Database
from tests.stats.synthetic_history import NOW


@pytest.fixture
async def chart_data(db: Database) -> ChartData:
    """The chart of a week without edits."""
    return build_chart_data(await aggregate_period(db, DEFAULT_PERIOD, NOW), "en")


@dataclass(frozen=True)
class UnknownChartData(ChartData):
    """Chart data that the process does not understand."""

    more: int = 1


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_what_takes_too_long_is_ended_and_gives_no_picture(chart_data: ChartData) -> None:
    before = _children()
    with pytest.raises(ChartError, match="longer than 0 s"):
        await ChartRenderer(timeout=0.0).render([chart_data])
    assert _children() == before


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_it_shuts_itself_in_before_it_draws() -> None:
    """See `tests/test_process_isolation.py` for what the isolation prevents."""
    columns = (TimeBucket(NOW, 7.0, 7_000, 700, 70),) * 7
    waiting = WaitTimes(3_600_000, 72_000_000, 3_500_000, 70_000_000, 0.9)
    statistics = PeriodStatistics(
        DEFAULT_PERIOD, NOW, columns, (7,) * 24, Counter(dict.fromkeys(EditOutcome, 98_765)), waiting, 123_456.5
    )
    drawing = asyncio.create_task(ChartRenderer().render([build_chart_data(statistics, "ru")]))
    seen: set[tuple[str, str]] = set()
    while not drawing.done():
        seen.update(_process_limits(pid) for pid in _children())
        await asyncio.sleep(0)
    assert await drawing
    assert ("0", "2") in seen  # no files can be opened, system calls are filtered


def _process_limits(pid: str) -> tuple[str, str]:
    """Return RLIMIT_NOFILE and the seccomp mode of a process."""
    try:
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    [files] = [line.split()[4] for line in limits.splitlines() if line.startswith("Max open files")]
    [filtered] = [line.split()[1] for line in status.splitlines() if line.startswith("Seccomp:")]
    return files, filtered


async def test_what_cannot_be_drawn_says_why_in_the_last_line(chart_data: ChartData) -> None:
    with pytest.raises(ChartError, match=r"exit code 1: TypeError: .*'more'"):
        await ChartRenderer().render([UnknownChartData(**vars(chart_data))])
