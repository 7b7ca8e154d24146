"""A large database on a slow disk: the bot starts and serves, and what it does now and then keeps nobody waiting."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.ops.retention import SHORT_ROUND_INTERVAL
from tests.process_harness import ProcessHarness, make_photo, open_process_harness
from tests.store.large_database import DAY, create_large_database

#: Edits, and what the disk writes: to write the file anew took more than three minutes, more than anything may hang.
EDITS, MB_PER_SECOND = 30_000, 3

#: Seconds in which an edit has to be answered; Kie takes one.
MAX_ANSWER_SECONDS = 10.0


def _build_slow_disk_library(folder: Path) -> Path:
    """Return a library that makes a process' disk slow."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("there is no C compiler, or no LD_PRELOAD")
    library = folder / "slow.so"
    source = Path(__file__).with_name("slow_disk.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


async def _time_an_edit(world: ProcessHarness, number: int) -> float:
    """Have a photo edited, and return the seconds that it took."""
    began = time.monotonic()
    world.telegram.person(user_id=1_000_001).send_photo(make_photo(), caption="make it snow")
    await world.wait_for_pictures(1_000_001, number)
    return time.monotonic() - began


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_large_database_on_a_slow_disk_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with open_process_harness(tmp_path, duration=lambda: 1.0, credits=10_000.0) as world:
        create_large_database(
            world.database, EDITS, since=time.time_ns() // 1_000_000 - 40 * DAY
        )  # of which most are to be erased
        assert world.database.stat().st_size > 250e6
        slow = {
            "LD_PRELOAD": str(_build_slow_disk_library(tmp_path)),
            "DISK_MB_PER_SECOND": str(MB_PER_SECOND),
            "LOG_LEVEL": "INFO",
        }
        bot = world.create_bot(**slow)
        await bot.start_until_ready()
        ready = time.monotonic()
        took: list[float] = []
        while time.monotonic() < ready + SHORT_ROUND_INTERVAL + 60:
            took.append(await _time_an_edit(world, len(took) + 1))
        assert "erased the owners" in bot.log, "and what was to be done has begun"
        assert max(took) < MAX_ANSWER_SECONDS, took
        assert await bot.stop() == 0
