"""CPU of an edit, compared with the baseline script in the same run."""

import asyncio
import json
import os
import signal
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.benchmarks.latency import POLLS
from tests.bench.environment import (
    PROFILED_COMMAND,
    BaselineProcess,
    BenchEnvironment,
    MeasuredBot,
    open_bench_environment,
)
from tests.bench.report import BenchmarkResult, BreakdownLine, Measurement
from tests.bench.resource_usage import cpu_by_thread

#: Commits of an edit: the goal, which the plain script keeps exactly.
COMMITS_PER_EDIT = 9

CONCURRENT_EDITS = 20

#: Pairs for each round of the others: the speed of a virtual machine changes more within a pair than what is measured.
PAIRS = 2


async def measure_cpu(rounds: int) -> BenchmarkResult:
    """Let the bot and the script make edits alternately, one at a time and concurrently."""
    pairs: dict[int, list[tuple[float, float]]] = {1: [], CONCURRENT_EDITS: []}
    async with open_bench_environment() as ours, open_bench_environment() as theirs:
        await ours.ask("let_tasks_end_at_look", number=POLLS)
        async with ours.bot(*PROFILED_COMMAND, POLLS_PER_SECOND="1000") as bot, theirs.script() as bare:
            await _cpu_of_bot(ours, bot, 0, 1)  # warm-up
            await _cpu_of_script(theirs, bare, 1)
            done = 1
            for _ in range(PAIRS * rounds):
                for at_once, found in pairs.items():
                    mine = await _cpu_of_bot(ours, bot, done, at_once)
                    found.append((mine, await _cpu_of_script(theirs, bare, at_once)))
                    done += at_once
    return BenchmarkResult(
        [
            row
            for at_once, found in pairs.items()
            for row in _rows("one at a time" if at_once == 1 else "20 at once", found)
        ]
    )


async def _cpu_of_bot(scene: BenchEnvironment, bot: MeasuredBot, done: int, count: int) -> float:
    """Return the CPU seconds of an edit."""
    before = bot.cpu
    await scene.ask("send", people=count, first=done)
    await scene.ask("answered", count=done + count)
    await scene.ask("rest")
    return (bot.cpu - before) / count


async def _cpu_of_script(scene: BenchEnvironment, bare: BaselineProcess, count: int) -> float:
    await scene.ask("send", people=count)
    return await bare.edit(count, polls=POLLS, commits=COMMITS_PER_EDIT) / count


def _rows(how: str, found: list[tuple[float, float]]) -> list[Measurement]:
    bare = median(script for _, script in found) * 1000
    return [
        Measurement(f"CPU of an edit, {how}", "x bare", [bot / script for bot, script in found], goal=1.6, floor=1.0),
        Measurement(f"CPU of an edit, {how}", "ms", [bot * 1000 for bot, _ in found], floor=bare),
    ]


async def measure_profile(rounds: int) -> BenchmarkResult:
    """Make edits with the profiled bot."""
    count = CONCURRENT_EDITS * max(1, rounds // 3)
    async with open_bench_environment() as scene:
        await scene.ask("let_tasks_end_at_look", number=POLLS)
        meters = scene.folder / "meters.json"
        async with scene.bot(*PROFILED_COMMAND, METERS=str(meters), POLLS_PER_SECOND="1000") as bot:
            await scene.ask("send", people=1)
            await scene.ask("answered", count=1)
            await asyncio.sleep(1)
            before, threads, total = await _read_step_times(bot, meters), cpu_by_thread(bot.pid), bot.cpu
            await _send_one_by_one(scene, count)
            after, threads_after, total_after = await _read_step_times(bot, meters), cpu_by_thread(bot.pid), bot.cpu
    steps = [_step_line(name, before.get(name, [0, 0]), now, count) for name, now in after.items()]
    known = sum(step.numbers[0] for step in steps)
    whole = (total_after - total) * 1000 / count
    steps.append(BreakdownLine("the event loop, the hops between threads, looking at the bytes", (whole - known, 0)))
    by_thread = [
        BreakdownLine(name, ((cpu - threads.get(name, 0.0)) * 1000 / count,)) for name, cpu in threads_after.items()
    ]
    steps.sort(key=lambda step: -step.numbers[0])
    return BenchmarkResult(
        [],
        [
            ("CPU of one edit by step", ("ms", "times"), [*steps, BreakdownLine("all", (whole, 1))]),
            ("CPU of one edit by thread, in ms", ("ms",), by_thread),
        ],
    )


async def _send_one_by_one(scene: BenchEnvironment, count: int) -> None:
    """Let users send at short intervals, so that their edits are at different steps."""
    for number in range(1, count + 1):
        await scene.ask("send", people=1, first=number)
        await scene.ask("rest")
    await scene.ask("answered", count=count + 1)
    await scene.ask("rest")


async def _read_step_times(bot: MeasuredBot, meters: Path) -> dict[str, Any]:
    meters.unlink(missing_ok=True)
    os.kill(bot.pid, signal.SIGUSR1)
    while not meters.exists():  # noqa: ASYNC110 - asked of what knows no events
        await asyncio.sleep(0.01)
    found: dict[str, Any] = json.loads(meters.read_text())
    return found


def _step_line(name: str, before: list[int], after: list[int], count: int) -> BreakdownLine:
    return BreakdownLine(name, ((after[0] - before[0]) / 1e6 / count, (after[1] - before[1]) / count))
