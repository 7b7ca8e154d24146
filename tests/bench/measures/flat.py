"""Whether an edit costs the same however much there is in the database."""

import asyncio
from contextlib import AbstractAsyncContextManager

from tests.bench.measures.cpu import AT_ONCE
from tests.bench.measures.edit import LOOKS
from tests.bench.measures.idle import one_waits
from tests.bench.scene import LAUNCHED, Bot, Scene, a_scene
from tests.bench.stock import multiply
from tests.bench.table import Part, Row

FINISHED, WAITING, FEW = 100_000, 10_000, 600

#: How many edits are under way at once where very many wait, and how many are counted.
SOME, COUNTED = {"MAX_RUNNING": "20"}, 40


async def measure(rounds: int) -> Part:
    """Compare each with an emptier one, in turn."""
    return Part(
        [
            Row(f"CPU of an edit with {FINISHED} finished jobs", "x empty", await _finished(rounds), goal=1.1, floor=1),
            Row(f"CPU of an edit with {WAITING} waiting jobs", "x few", await _waiting(rounds), goal=1.1, floor=1),
        ]
    )


async def _finished(rounds: int) -> list[float]:
    async with a_scene() as empty, a_scene() as full:
        for scene in (empty, full):
            await scene.ask("let_tasks_end_at_look", number=LOOKS)
            async with scene.bot():
                await scene.ask("send", people=1)
                await scene.ask("answered", count=1)
        multiply(full.database, 1, FINISHED, 5_000_000)
        found = []
        async with _quick(empty) as one, _quick(full) as other:
            for number in range(rounds):
                first = 1 + number * AT_ONCE
                found.append(await _cpu(full, other, first) / await _cpu(empty, one, first))
    return found[1:]  # the first has warmed them up


def _quick(scene: Scene) -> AbstractAsyncContextManager[Bot]:
    return scene.bot(*LAUNCHED, LOOKS_PER_SECOND="1000")


async def _cpu(scene: Scene, bot: Bot, first: int) -> float:
    before = bot.cpu
    await scene.ask("send", people=AT_ONCE, first=first)
    await scene.ask("answered", count=first + AT_ONCE)
    await scene.ask("rest")
    return bot.cpu - before


async def _waiting(rounds: int) -> list[float]:
    async with a_scene() as few, a_scene() as many:
        for scene, count in ((few, FEW), (many, WAITING)):
            await one_waits(scene)
            multiply(scene.database, 2, count, await scene.ask("know", people=WAITING + 10) + 5)
            await scene.ask("let_tasks_take", seconds=1.0)
        return [await _cpu_of_some(many) / await _cpu_of_some(few) for _ in range(max(1, rounds // 2))]


async def _cpu_of_some(scene: Scene) -> float:
    """Return the CPU of an edit in seconds, of the next ones of those that wait."""
    async with scene.bot(*LAUNCHED, LOOKS_PER_SECOND="1000", **SOME) as bot:
        await asyncio.sleep(8)  # its start is over
        before, answered = bot.cpu, await scene.ask("count", name="sendPhoto")
        await scene.ask("counted", name="sendPhoto", count=answered + COUNTED)
        return (bot.cpu - before) / COUNTED
