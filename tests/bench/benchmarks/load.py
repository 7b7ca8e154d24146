"""Throughput without limits, fairness, and the cost of a large database."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.bench.benchmarks.cpu import CONCURRENT_EDITS
from tests.bench.benchmarks.idle import leave_one_waiting
from tests.bench.benchmarks.latency import POLLS
from tests.bench.environment import PROFILED_COMMAND, BenchEnvironment, MeasuredBot, open_bench_environment
from tests.bench.report import BenchmarkResult, Measurement
from tests.bench.seed_database import copy_job

#: People who send a photo, a quarter of them before it counts and a tenth after.
PEOPLE = 300


async def measure_rate(rounds: int) -> BenchmarkResult:
    """Let very many users send a photo at once. Kie's limit of polls, which is not a setting, is lifted as well."""
    rates, failures, costs = [], [], []
    for _ in range(max(2, rounds // 3)):
        async with open_bench_environment() as scene:
            await scene.ask("let_tasks_end_at_look", number=POLLS)
            async with scene.bot(*PROFILED_COMMAND, POLLS_PER_SECOND="100000") as bot:
                before = bot.cpu
                await scene.ask("send", people=PEOPLE)
                await scene.ask("answered", count=PEOPLE)
                costs.append((bot.cpu - before) * 1000 / PEOPLE)
            answers = [each["began"] for each in await scene.ask("seen") if each["name"] == "sendPhoto"]
            first, last = PEOPLE // 4, PEOPLE - PEOPLE // 10
            rates.append((last - first) / (answers[last] - answers[first]))
            failures.append(await scene.ask("refused"))
    return BenchmarkResult(
        [
            Measurement("edits per second", "", rates, goal=20, at_least=True, floor=39),
            Measurement("CPU of an edit at that rate", "ms", costs),
            Measurement("requests that failed meanwhile", "", failures, goal=0, floor=0),
        ]
    )


GROUP_PHOTOS = 200

#: Few at a time, so that nearly all of them wait.
FEW_RUNNING = {"MAX_RUNNING": "2"}


async def measure_fairness(rounds: int) -> BenchmarkResult:
    """Let a group send photos, and then a single user one."""
    between = []
    for _ in range(rounds):
        async with open_bench_environment() as scene:
            await scene.ask("let_tasks_take", seconds=1.0)
            async with scene.bot(**FEW_RUNNING):
                await scene.ask("send_in_group", count=GROUP_PHOTOS)
                await scene.ask("counted", name="createTask", count=3)
                await scene.ask("send", people=1)
                await scene.ask("ordered", prompt="make it snow, 0")
                between.append(_count_orders_between(await scene.ask("seen"), await scene.ask("prompts")))
    return BenchmarkResult(
        [Measurement(f"orders before a single one, behind a group's {GROUP_PHOTOS}", "", between, goal=1, floor=0)]
    )


def _count_orders_between(seen: list[dict[str, Any]], prompts: list[str]) -> float:
    """Count the orders between a user's progress message and their own order."""
    orders = [each["began"] for each in seen if each["name"] == "createTask"]
    mine = next(place for place, prompt in enumerate(prompts) if prompt.startswith("make it snow"))
    # a group gets reactions, so the only progress message is this user's
    status = next(each["ended"] for each in seen if each["name"] == "sendMessage")
    return float(sum(status < at < orders[mine] for at in orders))


FINISHED, WAITING, FEW = 100_000, 10_000, 600

#: How many edits are under way at once where very many wait, and how many are counted.
SOME_RUNNING, COUNTED_EDITS = {"MAX_RUNNING": "20"}, 40


async def measure_scaling(rounds: int) -> BenchmarkResult:
    """Compare each with an emptier database, alternately."""
    return BenchmarkResult(
        [
            Measurement(
                f"CPU of an edit with {FINISHED} finished jobs",
                "x empty",
                await _compare_finished(rounds),
                goal=1.1,
                floor=1,
            ),
            Measurement(
                f"CPU of an edit with {WAITING} waiting jobs",
                "x few",
                await _compare_waiting(rounds),
                goal=1.1,
                floor=1,
            ),
        ]
    )


async def _compare_finished(rounds: int) -> list[float]:
    async with open_bench_environment() as empty, open_bench_environment() as full:
        for scene in (empty, full):
            await scene.ask("let_tasks_end_at_look", number=POLLS)
            async with scene.bot():
                await scene.ask("send", people=1)
                await scene.ask("answered", count=1)
        copy_job(full.database, 1, FINISHED, 5_000_000)
        found = []
        async with _start_unthrottled(empty) as one, _start_unthrottled(full) as other:
            for number in range(rounds):
                first = 1 + number * CONCURRENT_EDITS
                found.append(await _cpu_of_batch(full, other, first) / await _cpu_of_batch(empty, one, first))
    return found[1:]  # without the warm-up


def _start_unthrottled(scene: BenchEnvironment) -> AbstractAsyncContextManager[MeasuredBot]:
    return scene.bot(*PROFILED_COMMAND, POLLS_PER_SECOND="1000")


async def _cpu_of_batch(scene: BenchEnvironment, bot: MeasuredBot, first: int) -> float:
    before = bot.cpu
    await scene.ask("send", people=CONCURRENT_EDITS, first=first)
    await scene.ask("answered", count=first + CONCURRENT_EDITS)
    await scene.ask("rest")
    return bot.cpu - before


async def _compare_waiting(rounds: int) -> list[float]:
    async with open_bench_environment() as few, open_bench_environment() as many:
        for scene, count in ((few, FEW), (many, WAITING)):
            await leave_one_waiting(scene)
            copy_job(scene.database, 2, count, await scene.ask("know", people=WAITING + 10) + 5)
            await scene.ask("let_tasks_take", seconds=1.0)
        return [await _cpu_per_edit(many) / await _cpu_per_edit(few) for _ in range(max(1, rounds // 2))]


async def _cpu_per_edit(scene: BenchEnvironment) -> float:
    """Return the CPU seconds of an edit, for the next waiting ones."""
    async with scene.bot(*PROFILED_COMMAND, POLLS_PER_SECOND="1000", **SOME_RUNNING) as bot:
        await asyncio.sleep(8)  # until the work after its start is done
        before, answered = bot.cpu, await scene.ask("count", name="sendPhoto")
        await scene.ask("counted", name="sendPhoto", count=answered + COUNTED_EDITS)
        return (bot.cpu - before) / COUNTED_EDITS
