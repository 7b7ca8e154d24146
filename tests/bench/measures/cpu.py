"""CPU of a whole edit, against what the same calls cost with the bare libraries: in turn, in one run."""

from statistics import median

from tests.bench.measures.edit import LOOKS
from tests.bench.scene import LAUNCHED, Bare, Bot, Scene, a_scene
from tests.bench.table import Part, Row

#: Commits of an edit: the goal, which the plain script keeps exactly.
COMMITS = 9

AT_ONCE = 20

#: Pairs for each round of the others: the speed of a virtual machine changes more within a pair than what is measured.
PAIRS = 2


async def measure(rounds: int) -> Part:
    """Let the bot and the script make edits in turn, one at a time and at once."""
    pairs: dict[int, list[tuple[float, float]]] = {1: [], AT_ONCE: []}
    async with a_scene() as ours, a_scene() as theirs:
        await ours.ask("let_tasks_end_at_look", number=LOOKS)
        async with ours.bot(*LAUNCHED, LOOKS_PER_SECOND="1000") as bot, theirs.script() as bare:
            await _of_the_bot(ours, bot, 0, 1)  # they have warmed up
            await _of_the_script(theirs, bare, 1)
            done = 1
            for _ in range(PAIRS * rounds):
                for at_once, found in pairs.items():
                    mine = await _of_the_bot(ours, bot, done, at_once)
                    found.append((mine, await _of_the_script(theirs, bare, at_once)))
                    done += at_once
    return Part(
        [
            row
            for at_once, found in pairs.items()
            for row in _rows("one at a time" if at_once == 1 else "20 at once", found)
        ]
    )


async def _of_the_bot(scene: Scene, bot: Bot, done: int, count: int) -> float:
    """Return the CPU of an edit in seconds."""
    before = bot.cpu
    await scene.ask("send", people=count, first=done)
    await scene.ask("answered", count=done + count)
    await scene.ask("rest")
    return (bot.cpu - before) / count


async def _of_the_script(scene: Scene, bare: Bare, count: int) -> float:
    await scene.ask("send", people=count)
    return await bare.edit(count, looks=LOOKS, commits=COMMITS) / count


def _rows(how: str, found: list[tuple[float, float]]) -> list[Row]:
    bare = median(script for _, script in found) * 1000
    return [
        Row(f"CPU of an edit, {how}", "x bare", [bot / script for bot, script in found], goal=1.25, floor=1.0),
        Row(f"CPU of an edit, {how}", "ms", [bot * 1000 for bot, _ in found], floor=bare),
    ]
