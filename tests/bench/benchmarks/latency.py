"""A single edit: its requests, its commits, and the time from Kie's success to the answer."""

from typing import Any

from tests.bench.benchmarks.idle import NOTHING_STARTS, leave_one_waiting
from tests.bench.environment import BenchEnvironment, open_bench_environment
from tests.bench.report import BenchmarkResult, BreakdownLine, Measurement
from tests.bench.resource_usage import count_commits
from tests.bench.seed_database import copy_job, mark_running

#: Looks at a task until it has ended.
POLLS = 3

#: Seconds that a result is on its way, about what an ordinary line takes; we work while it comes.
RESULT_TRANSFER_SECONDS = 0.1

#: What Kie asks itself, and what a bot does once after its start.
UNRELATED_CALLS = ("fetched by Kie", "setMyCommands", "getMe", "getWebhookInfo")

RequestRecord = dict[str, Any]


async def measure_edit(rounds: int) -> BenchmarkResult:
    """Make edits one at a time."""
    async with open_bench_environment() as scene:
        await scene.ask("let_tasks_end_at_look", number=POLLS)
        await scene.ask("let_results_take", seconds=RESULT_TRANSFER_SECONDS)
        async with scene.bot():
            await scene.ask("send", people=1)
            await scene.ask("answered", count=1)  # warm-up
            edits, commits = [], []
            for number in range(1, rounds + 1):
                edit, committed = await _record_edit(scene, number)
                edits.append(edit)
                commits.append(committed)
    own = [_own_milliseconds(edit) for edit in edits]
    requests = [len(edit) - _count_polls(edit) for edit in edits]
    middle = edits[own.index(sorted(own)[len(own) // 2])]
    return BenchmarkResult(
        [
            Measurement("success to sendPhoto, our own time", "ms", own, goal=10.0, floor=1.2),
            Measurement("requests besides the polls", "", requests, goal=11, floor=8),
            Measurement("polls", "", [_count_polls(edit) for edit in edits]),
            Measurement("commits", "", commits, goal=9, floor=6),
        ],
        [("One edit as the servers see it, in ms", ("begins", "answered"), _timeline(middle))],
    )


async def _record_edit(scene: BenchEnvironment, number: int) -> tuple[list[RequestRecord], int]:
    before, committed = len(await scene.ask("seen")), count_commits(scene.database)
    await scene.ask("send", people=1, first=number)
    await scene.ask("answered", count=number + 1)
    # the deletion is committed after its answer, when the next poll is already under way
    await scene.ask("rest")
    seen = (await scene.ask("seen"))[before:]
    return [each for each in seen if each["name"] not in UNRELATED_CALLS], count_commits(scene.database) - committed


def _count_polls(edit: list[RequestRecord]) -> int:
    return sum(each["name"] == "recordInfo" for each in edit)


def _own_milliseconds(edit: list[RequestRecord]) -> float:
    """Return the milliseconds before and after the download of the result."""
    last = {each["name"]: each for each in edit}
    result = last["result"]
    before = result["began"] - last["recordInfo"]["ended"]
    after = last["sendPhoto"]["began"] - result["ended"]
    return float(before + after) * 1000


def _timeline(edit: list[RequestRecord]) -> list[BreakdownLine]:
    began = min(each["began"] for each in edit)
    shown = sorted(edit, key=lambda each: each["began"])
    return [
        BreakdownLine(each["name"], tuple(round((each[at] - began) * 1000, 1) for at in ("began", "ended")))
        for each in shown
        if each["ended"]
    ]


UNFINISHED = 10_000


async def measure_start(rounds: int) -> BenchmarkResult:
    """Start on an empty database, and on one with very many unfinished jobs, half of them running."""
    empty, full = [], []
    async with open_bench_environment() as scene:
        for _ in range(rounds):
            async with scene.bot() as bot:
                empty.append(bot.ready_after)
        await leave_one_waiting(scene)
        copy_job(scene.database, 2, UNFINISHED, await scene.ask("know", people=UNFINISHED + 10) + 5)
        mark_running(scene.database, 2, 2)
        for _ in range(rounds):
            async with scene.bot(**NOTHING_STARTS) as bot:
                full.append(bot.ready_after)
    return BenchmarkResult(
        [
            Measurement("ready after", "s", empty, goal=1.5, floor=0.41),
            Measurement(f"ready after, with {UNFINISHED} unfinished jobs", "s", full, goal=4.0, floor=0.41),
        ]
    )
