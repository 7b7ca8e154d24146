"""One edit, one at a time: requests, commits, and what passes between Kie's success and the answer."""

from typing import Any

from tests.bench.commits import commits_in
from tests.bench.scene import Scene, a_scene
from tests.bench.table import Part, Row, Step

#: Looks at a task until it has ended.
LOOKS = 3

#: Seconds that a result is on its way, about what an ordinary line takes; we work while it comes.
WAY = 0.1

#: What Kie asks itself, and what a bot does once after its start.
NOT_OF_AN_EDIT = ("fetched by Kie", "setMyCommands", "getMe", "getWebhookInfo")

Seen = dict[str, Any]


async def measure(rounds: int) -> Part:
    """Make edits one at a time."""
    async with a_scene() as scene:
        await scene.ask("let_tasks_end_at_look", number=LOOKS)
        await scene.ask("let_results_take", seconds=WAY)
        async with scene.bot():
            await scene.ask("send", people=1)
            await scene.ask("answered", count=1)  # it has warmed up
            edits, commits = [], []
            for number in range(1, rounds + 1):
                edit, committed = await _edit(scene, number)
                edits.append(edit)
                commits.append(committed)
    own = [_own(edit) for edit in edits]
    requests = [len(edit) - _looks(edit) for edit in edits]
    middle = edits[own.index(sorted(own)[len(own) // 2])]
    return Part(
        [
            Row("success to sendPhoto, our own time", "ms", own, goal=10.0, floor=1.2),
            Row("requests beside the looks", "", requests, goal=11, floor=8),
            Row("looks", "", [_looks(edit) for edit in edits]),
            Row("commits", "", commits, goal=9, floor=6),
        ],
        [("One edit as the servers see it, in ms", ("begins", "answered"), _timeline(middle))],
    )


async def _edit(scene: Scene, number: int) -> tuple[list[Seen], int]:
    before, committed = len(await scene.ask("seen")), commits_in(scene.database)
    await scene.ask("send", people=1, first=number)
    await scene.ask("answered", count=number + 1)
    # the deletion is written down after it was answered, and the next poll is on its way
    await scene.ask("rest")
    seen = (await scene.ask("seen"))[before:]
    return [each for each in seen if each["name"] not in NOT_OF_AN_EDIT], commits_in(scene.database) - committed


def _looks(edit: list[Seen]) -> int:
    return sum(each["name"] == "recordInfo" for each in edit)


def _own(edit: list[Seen]) -> float:
    """Return the milliseconds before and after the download of the result."""
    last = {each["name"]: each for each in edit}
    result = last["result"]
    before = result["began"] - last["recordInfo"]["ended"]
    after = last["sendPhoto"]["began"] - result["ended"]
    return float(before + after) * 1000


def _timeline(edit: list[Seen]) -> list[Step]:
    began = min(each["began"] for each in edit)
    shown = sorted(edit, key=lambda each: each["began"])
    return [
        Step(each["name"], tuple(round((each[at] - began) * 1000, 1) for at in ("began", "ended")))
        for each in shown
        if each["ended"]
    ]
