"""CPU and memory of an idle bot, and of waiting jobs."""

import asyncio

from tests.bench.environment import BenchEnvironment, open_bench_environment
from tests.bench.report import BenchmarkResult, Measurement
from tests.bench.seed_database import copy_job

#: Seconds for which an idle bot is measured.
OBSERVED_SECONDS = 10.0

#: Jobs that wait.
WAITING = 10_000

#: Lets almost no order start.
NOTHING_STARTS = {"CREATES_PER_10_SECONDS": "1", "MAX_RUNNING": "1"}

BYTES_PER_MB = 1_000_000


async def measure_idle(rounds: int) -> BenchmarkResult:
    """Measure an idle bot, then one with very many waiting jobs."""
    shares, memory, waiting, state = [], [], [], 0.0
    async with open_bench_environment() as scene:
        for _ in range(max(2, rounds // 3)):
            async with scene.bot() as bot:
                await asyncio.sleep(4)  # until the work after its start is done
                before = bot.cpu
                await asyncio.sleep(OBSERVED_SECONDS)
                shares.append((bot.cpu - before) / OBSERVED_SECONDS * 100)
                memory.append(bot.rss / BYTES_PER_MB)
        await leave_one_waiting(scene)
        empty = scene.database.stat().st_size
        copy_job(scene.database, 2, WAITING, await scene.ask("know", people=WAITING + 10) + 5)
        state = (scene.database.stat().st_size - empty) / WAITING
        for _ in range(max(2, rounds // 3)):
            async with scene.bot(**NOTHING_STARTS) as bot:
                await asyncio.sleep(6)
                waiting.append(bot.rss / BYTES_PER_MB)
    more = [(each - sorted(memory)[len(memory) // 2]) * 1000 / WAITING for each in waiting]
    return BenchmarkResult(
        [
            Measurement("CPU while idle", "% of a core", shares, goal=0.5, floor=0.0),
            Measurement("memory while idle", "MB", memory, goal=90, floor=50.6),
            Measurement(f"memory with {WAITING} waiting", "MB", waiting),
            Measurement("memory of each waiting job", "kB", more, floor=0.0),
            Measurement("state of each waiting job on the disk", "kB", [state / 1000]),
        ]
    )


async def leave_one_waiting(scene: BenchEnvironment) -> None:
    """Leave a second job that only waits for its turn."""
    await scene.ask("let_tasks_take", seconds=3600)
    async with scene.bot(**NOTHING_STARTS):
        await scene.ask("send", people=1)
        await scene.ask("counted", name="createTask", count=1)
        await scene.ask("send", people=1, first=1)
        await scene.ask("counted", name="upload", count=2)
        await asyncio.sleep(2)  # its progress message is sent
