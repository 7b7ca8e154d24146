"""SIGKILL on every path: `make test` kills once on the main ones, `make crash` before and after every commit and call.

The points are those that an undisturbed run passes, so a call or a commit that
somebody adds to the bot gets its kill points by itself; and a call of the bot
that none of these paths passes fails a test.
"""

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.launcher import points_in, without_doubles
from tests.crash.scenarios import SCENARIOS, START, Scenario
from tests.crash.stage import Stage
from tests.crash.supervisor import Supervisor, first_of, sent_by, written
from tests.crash.test_every_point import AT_ONCE, Note
from tests.front import Front, a_front
from tests.machine.truths import ANSWERLESS, NEVER
from tests.world import PROJECT, World, a_world

#: What a bot says of itself during its first start, in which `test_first_start` kills it.
FIRST_START = frozenset({"setMyCommands"})

#: The ways of the client for Telegram that are told the method's name.
BY_NAME = frozenset({"self._bot.do_api_request", "self._raw", "self._sent"})

#: Words in the source that look like the end of an address that is called, and are only the beginning of others.
NO_CALLS = frozenset({"jobs"})

#: Every call on a path where the bot is killed.
PASSED = frozenset().union(START, FIRST_START, *(scenario.calls for scenario in SCENARIOS))


@dataclass(frozen=True)
class Truth:
    """What was found in the end."""

    point: str | None
    #: whether the bot died there: points side by side differ a little from run to run
    has_died: bool
    passed: list[str]
    problems: list[str]
    asked: int
    #: answers that came twice, in the documented window
    twice: int


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.dies_at], ids=lambda scenario: scenario.name)
async def test_killed_once_on_a_path_the_bot_comes_to_its_end(tmp_path: Path, used: Path, scenario: Scenario) -> None:
    truth = await _truth(scenario, tmp_path, used, f"point {scenario.dies_at}")
    assert truth.problems == []
    assert truth.has_died
    assert _names(truth.passed) <= PASSED | {"commit"}
    assert scenario.calls <= _names(truth.passed)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_killed_at_any_point_of_a_path_the_bot_comes_to_its_end(
    tmp_path: Path, used: Path, scenario: Scenario, record_property: Note
) -> None:
    undisturbed = await _truth(scenario, tmp_path / "undisturbed", used, None)
    assert undisturbed.problems == []
    assert scenario.calls <= _names(undisturbed.passed) <= PASSED | {"commit"}
    points = without_doubles(undisturbed.passed)
    room = asyncio.Semaphore(AT_ONCE)

    async def at(number: int, point: str) -> Truth:
        async with room:
            return await _truth(scenario, tmp_path / f"{number}", used, point)

    truths = await asyncio.gather(*(at(number, point) for number, point in enumerate(points)))
    record_property(scenario.name, _summed(truths))
    assert [(truth.point, truth.problems) for truth in truths if truth.problems] == []
    assert sum(truth.has_died for truth in truths) > 0.7 * len(truths)


def _summed(truths: list[Truth]) -> str:
    died, asked, twice = (sum(getattr(truth, name) for truth in truths) for name in ("has_died", "asked", "twice"))
    wrong = sum(bool(truth.problems) for truth in truths)
    return f"{len(truths)} points, {died} deaths, {wrong} wrong, asked {asked}, answered twice in the window {twice}"


def test_every_call_that_the_bot_can_make_is_on_a_path_where_it_is_killed() -> None:
    assert set(_calls_in_the_source()) - PASSED == set()


def _calls_in_the_source() -> Iterator[str]:
    """Name every call by the way it is made: a method of Telegram's, the end of an address of Kie's, or a file."""
    yield from ("file", "result")
    for module in ("client", "updates"):
        tree = ast.parse((PROJECT / "bot" / "chat" / f"{module}.py").read_text(encoding="utf-8"))
        yield from filter(None, map(_method, ast.walk(tree)))
    for node in ast.walk(ast.parse((PROJECT / "bot" / "kie" / "client.py").read_text(encoding="utf-8"))):
        found = re.search(r"^/(?:.*/)?([\w-]+)$", str(node.value)) if isinstance(node, ast.Constant) else None
        if found is not None and found[1] not in NO_CALLS:
            yield found[1]


def _method(node: ast.AST) -> str | None:
    """Name the method of Telegram's that an expression calls, in whichever of the ways that the client has for it.

    `self._bot.send_chat_action(...)` calls sendChatAction, and `self._sent("sendPhoto", ...)` says it itself.
    """
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    if isinstance(node, ast.Call) and called in BY_NAME:
        named = node.args[0]
        # within these ways themselves it is what their caller says
        return None if isinstance(named, ast.Name) and named.id == "method" else str(ast.literal_eval(named))
    if not called.startswith("self._bot."):
        return None
    first, *others = called.removeprefix("self._bot.").split("_")
    return first + "".join(word.capitalize() for word in others)


def _names(points: list[str]) -> set[str]:
    return {point.split()[1] for point in points}


async def _truth(scenario: Scenario, folder: Path, used: Path, point: str | None) -> Truth:
    async with a_world(folder, **scenario.kie) as world, _public(scenario) as front:
        world.begin_with(used)
        scenario.prepare(world)
        stage = Stage(world)
        addresses = {} if front is None else {"PUBLIC_URL": front.url}
        supervisor = Supervisor(world, point, front, **(addresses | dict(scenario.settings)))
        problems = await _played(scenario, stage, supervisor)
        inside, outside = _repeated(world, supervisor, scenario.spare)
        problems += outside + _wrong(scenario, stage, supervisor)
        await world.close()
        problems += [f"{row[0]}" for row in world.rows("PRAGMA integrity_check") if row[0] != "ok"]
    return Truth(point, bool(supervisor.deaths), points_in(supervisor.log), problems, len(stage.agains), len(inside))


@asynccontextmanager
async def _public(scenario: Scenario) -> AsyncIterator[Front | None]:
    if not scenario.has_public_url:
        yield None
        return
    async with a_front() as front:
        yield front


async def _played(scenario: Scenario, stage: Stage, supervisor: Supervisor) -> list[str]:
    """Play it to its end; return what was lost, if anything."""

    async def play() -> None:
        await scenario.play(stage)
        await stage.settles()

    try:
        await first_of(asyncio.create_task(play()), asyncio.create_task(supervisor.run()))
    except TimeoutError as error:
        return [f"lost: {error}", supervisor.log]
    return []


def _wrong(scenario: Scenario, stage: Stage, supervisor: Supervisor) -> list[str]:
    world, agains = stage.world, len(stage.agains)
    # with callbacks it is always found out whether an order was taken
    most = scenario.orders + (0 if scenario.has_public_url else agains)
    in_doubt = scenario.asked + sum(len(death.ordering) for death in supervisor.deaths)
    found = {
        f"paid {world.creates()} times": world.creates() > most,
        f"ordered {world.creates()} times": world.creates() < scenario.orders,
        f"asked {agains} times, and {in_doubt} orders were in doubt": agains > in_doubt,
        "never asked": not scenario.has_public_url and agains < scenario.asked,
        "left without an answer": bool(world.rows(ANSWERLESS)),
    } | {words: bool(world.rows(question)) for words, question in NEVER.items()}
    return [words for words, is_so in found.items() if is_so]


def _repeated(world: World, supervisor: Supervisor, spare: int) -> tuple[list[str], list[str]]:
    """Name what stands in a chat and is forgotten: answers sent right before a death, and what has no excuse."""
    sent, known = sent_by(world.telegram.calls), written(world)
    excused = {key: death for death, key in supervisor.unwritten()}
    inside: list[str] = []
    outside: list[str] = []
    for key, call in sent.items():
        if key in known:
            continue
        is_answer = call.method == "sendPhoto"
        is_excused = key in excused and (not is_answer or bool(excused[key].answering))
        (inside if is_excused else outside).append(f"{call.method} {dict(call.params)} was sent, and is forgotten")
    return [each for each in inside if each.startswith("sendPhoto")], outside[spare:]
