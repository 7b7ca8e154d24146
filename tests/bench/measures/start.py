"""How long the bot takes from its start to the line that says it is ready."""

from tests.bench.measures.idle import SHUT, one_waits
from tests.bench.scene import a_scene
from tests.bench.stock import let_run, multiply
from tests.bench.table import Part, Row

UNFINISHED = 10_000


async def measure(rounds: int) -> Part:
    """Start it on an empty database, and on one with very many unfinished jobs, every second of which runs."""
    empty, full = [], []
    async with a_scene() as scene:
        for _ in range(rounds):
            async with scene.bot() as bot:
                empty.append(bot.ready_after)
        await one_waits(scene)
        multiply(scene.database, 2, UNFINISHED, await scene.ask("know", people=UNFINISHED + 10) + 5)
        let_run(scene.database, 2, 2)
        for _ in range(rounds):
            async with scene.bot(**SHUT) as bot:
                full.append(bot.ready_after)
    return Part(
        [
            Row("ready after", "s", empty, goal=1.5, floor=0.41),
            Row(f"ready after, with {UNFINISHED} unfinished jobs", "s", full, goal=4.0, floor=0.41),
        ]
    )
