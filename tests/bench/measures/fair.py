"""Whether somebody waits behind a group that drops very many photos."""

from typing import Any

from tests.bench.scene import a_scene
from tests.bench.table import Part, Row

DROPPED = 200

#: Few at a time, so that nearly all of them wait.
NARROW = {"MAX_RUNNING": "2"}


async def measure(rounds: int) -> Part:
    """Let a group drop photos, and then one person send one."""
    between = []
    for _ in range(rounds):
        async with a_scene() as scene:
            await scene.ask("let_tasks_take", seconds=1.0)
            async with scene.bot(**NARROW):
                await scene.ask("send_in_group", count=DROPPED)
                await scene.ask("counted", name="createTask", count=3)
                await scene.ask("send", people=1)
                await scene.ask("ordered", prompt="make it snow, 0")
                between.append(_between(await scene.ask("seen"), await scene.ask("prompts")))
    return Part([Row(f"orders before a single one, behind a group's {DROPPED}", "", between, goal=1, floor=0)])


def _between(seen: list[dict[str, Any]], prompts: list[str]) -> float:
    """Count the orders that were made between somebody's message being answered by a status and their own order."""
    orders = [each["began"] for each in seen if each["name"] == "createTask"]
    mine = next(place for place, prompt in enumerate(prompts) if prompt.startswith("make it snow"))
    # a group gets signs, so that the only message that tells how it stands is this person's
    status = next(each["ended"] for each in seen if each["name"] == "sendMessage")
    return float(sum(status < at < orders[mine] for at in orders))
