"""How many edits a second one process makes when nothing limits it."""

from tests.bench.measures.edit import LOOKS
from tests.bench.scene import LAUNCHED, a_scene
from tests.bench.table import Part, Row

#: People who send a photo, a quarter of them before it counts and a tenth after.
PEOPLE = 300


async def measure(rounds: int) -> Part:
    """Let very many people send a photo at once. Kie's limit of looks, which is no setting, is lifted as well."""
    rates, failures, costs = [], [], []
    for _ in range(max(2, rounds // 3)):
        async with a_scene() as scene:
            await scene.ask("let_tasks_end_at_look", number=LOOKS)
            async with scene.bot(*LAUNCHED, LOOKS_PER_SECOND="100000") as bot:
                before = bot.cpu
                await scene.ask("send", people=PEOPLE)
                await scene.ask("answered", count=PEOPLE)
                costs.append((bot.cpu - before) * 1000 / PEOPLE)
            answers = [each["began"] for each in await scene.ask("seen") if each["name"] == "sendPhoto"]
            first, last = PEOPLE // 4, PEOPLE - PEOPLE // 10
            rates.append((last - first) / (answers[last] - answers[first]))
            failures.append(await scene.ask("refused"))
    return Part(
        [
            Row("edits per second", "", rates, goal=25, at_least=True, floor=39),
            Row("CPU of an edit at that rate", "ms", costs),
            Row("requests that failed meanwhile", "", failures, goal=0, floor=0),
        ]
    )
