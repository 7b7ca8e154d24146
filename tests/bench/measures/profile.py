"""Where the CPU of an edit goes, by step and by thread."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.bench.measures.cpu import AT_ONCE
from tests.bench.measures.edit import LOOKS
from tests.bench.processes import cpu_by_thread
from tests.bench.scene import LAUNCHED, Bot, Scene, a_scene
from tests.bench.table import Part, Step


async def measure(rounds: int) -> Part:
    """Make edits by a bot with meters in it."""
    count = AT_ONCE * max(1, rounds // 3)
    async with a_scene() as scene:
        await scene.ask("let_tasks_end_at_look", number=LOOKS)
        meters = scene.folder / "meters.json"
        async with scene.bot(*LAUNCHED, METERS=str(meters), LOOKS_PER_SECOND="1000") as bot:
            await scene.ask("send", people=1)
            await scene.ask("answered", count=1)
            await asyncio.sleep(1)
            before, threads, total = await _read(bot, meters), cpu_by_thread(bot.pid), bot.cpu
            await _one_by_one(scene, count)
            after, threads_after, total_after = await _read(bot, meters), cpu_by_thread(bot.pid), bot.cpu
    steps = [_step(name, before.get(name, [0, 0]), now, count) for name, now in after.items()]
    known = sum(step.numbers[0] for step in steps)
    whole = (total_after - total) * 1000 / count
    steps.append(Step("the event loop, the hops between threads, looking at the bytes", (whole - known, 0)))
    by_thread = [Step(name, ((cpu - threads.get(name, 0.0)) * 1000 / count,)) for name, cpu in threads_after.items()]
    steps.sort(key=lambda step: -step.numbers[0])
    return Part(
        [],
        [
            ("CPU of one edit by step", ("ms", "times"), [*steps, Step("all", (whole, 1))]),
            ("CPU of one edit by thread, in ms", ("ms",), by_thread),
        ],
    )


async def _one_by_one(scene: Scene, count: int) -> None:
    """Let people send with a little time between them, so that their edits are under way at different steps."""
    for number in range(1, count + 1):
        await scene.ask("send", people=1, first=number)
        await scene.ask("rest")
    await scene.ask("answered", count=count + 1)
    await scene.ask("rest")


async def _read(bot: Bot, meters: Path) -> dict[str, Any]:
    meters.unlink(missing_ok=True)
    os.kill(bot.pid, signal.SIGUSR1)
    while not meters.exists():  # noqa: ASYNC110 - asked of what knows no events
        await asyncio.sleep(0.01)
    found: dict[str, Any] = json.loads(meters.read_text())
    return found


def _step(name: str, before: list[int], after: list[int], count: int) -> Step:
    return Step(name, ((after[0] - before[0]) / 1e6 / count, (after[1] - before[1]) / count))
