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

from tests.crash.killable_bot import drop_equivalent_points, parse_points
from tests.crash.scenarios import SCENARIOS, STARTUP_CALLS, Scenario
from tests.crash.simulated_users import SimulatedUsers
from tests.crash.supervisor import Supervisor, read_recorded_messages, sent_messages, wait_for_first
from tests.crash.test_kill_at_every_point import MAX_PARALLEL, RecordProperty
from tests.process_harness import PROJECT_ROOT, ProcessHarness, open_process_harness
from tests.reverse_proxy import ReverseProxy, open_reverse_proxy
from tests.stateful.invariants import FORBIDDEN, UNANSWERED_JOBS

#: What a bot says of itself during its first start, in which `test_first_start` kills it.
FIRST_START = frozenset({"setMyCommands"})

#: The ways of the client for Telegram that are told the method's name.
CALLS_BY_METHOD_NAME = frozenset({"self._bot.do_api_request", "self._raw", "self._sent"})

#: Words in the source that look like the end of an address that is called, and are only the beginning of others.
NOT_CALLS = frozenset({"jobs"})

#: Every call on a path where the bot is killed.
COVERED_CALLS = frozenset().union(STARTUP_CALLS, FIRST_START, *(scenario.calls for scenario in SCENARIOS))


@dataclass(frozen=True)
class ScenarioOutcome:
    """What was found in the end."""

    point: str | None
    #: whether the bot died there: points side by side differ a little from run to run
    has_died: bool
    passed: list[str]
    problems: list[str]
    asked: int
    #: answers that came twice, in the documented window
    twice: int


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.kill_at], ids=lambda scenario: scenario.name)
async def test_killed_once_on_a_path_the_bot_comes_to_its_end(tmp_path: Path, used: Path, scenario: Scenario) -> None:
    truth = await _run_scenario(scenario, tmp_path, used, f"point {scenario.kill_at}")
    assert truth.problems == []
    assert truth.has_died
    assert _call_names(truth.passed) <= COVERED_CALLS | {"commit"}
    assert scenario.calls <= _call_names(truth.passed)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_killed_at_any_point_of_a_path_the_bot_comes_to_its_end(
    tmp_path: Path, used: Path, scenario: Scenario, record_property: RecordProperty
) -> None:
    undisturbed = await _run_scenario(scenario, tmp_path / "undisturbed", used, None)
    assert undisturbed.problems == []
    assert scenario.calls <= _call_names(undisturbed.passed) <= COVERED_CALLS | {"commit"}
    points = drop_equivalent_points(undisturbed.passed)
    room = asyncio.Semaphore(MAX_PARALLEL)

    async def at(number: int, point: str) -> ScenarioOutcome:
        async with room:
            return await _run_scenario(scenario, tmp_path / f"{number}", used, point)

    truths = await asyncio.gather(*(at(number, point) for number, point in enumerate(points)))
    record_property(scenario.name, _summarise(truths))
    assert [(truth.point, truth.problems) for truth in truths if truth.problems] == []
    assert sum(truth.has_died for truth in truths) > 0.7 * len(truths)


def _summarise(truths: list[ScenarioOutcome]) -> str:
    died, asked, twice = (sum(getattr(truth, name) for truth in truths) for name in ("has_died", "asked", "twice"))
    wrong = sum(bool(truth.problems) for truth in truths)
    return f"{len(truths)} points, {died} deaths, {wrong} wrong, asked {asked}, answered twice in the window {twice}"


def test_every_call_that_the_bot_can_make_is_on_a_path_where_it_is_killed() -> None:
    assert set(_calls_in_the_source()) - COVERED_CALLS == set()


def _calls_in_the_source() -> Iterator[str]:
    """Name every call by the way it is made: a method of Telegram's, the end of an address of Kie's, or a file."""
    yield from ("file", "result")
    for module in ("client", "updates"):
        tree = ast.parse((PROJECT_ROOT / "bot" / "chat" / f"{module}.py").read_text(encoding="utf-8"))
        yield from filter(None, map(_called_method, ast.walk(tree)))
    for node in ast.walk(ast.parse((PROJECT_ROOT / "bot" / "kie" / "client.py").read_text(encoding="utf-8"))):
        found = re.search(r"^/(?:.*/)?([\w-]+)$", str(node.value)) if isinstance(node, ast.Constant) else None
        if found is not None and found[1] not in NOT_CALLS:
            yield found[1]


def _called_method(node: ast.AST) -> str | None:
    """Name the method of Telegram's that an expression calls, in whichever of the ways that the client has for it.

    `self._bot.send_chat_action(...)` calls sendChatAction, and `self._sent("sendPhoto", ...)` says it itself.
    """
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    if isinstance(node, ast.Call) and called in CALLS_BY_METHOD_NAME:
        named = node.args[0]
        # within these ways themselves it is what their caller says
        return None if isinstance(named, ast.Name) and named.id == "method" else str(ast.literal_eval(named))
    if not called.startswith("self._bot."):
        return None
    first, *others = called.removeprefix("self._bot.").split("_")
    return first + "".join(word.capitalize() for word in others)


def _call_names(points: list[str]) -> set[str]:
    return {point.split()[1] for point in points}


async def _run_scenario(scenario: Scenario, folder: Path, used: Path, point: str | None) -> ScenarioOutcome:
    async with open_process_harness(folder, **scenario.kie) as world, _open_public_url(scenario) as front:
        world.copy_database_from(used)
        scenario.prepare(world)
        stage = SimulatedUsers(world)
        addresses = {} if front is None else {"PUBLIC_URL": front.url}
        supervisor = Supervisor(world, point, front, **(addresses | dict(scenario.settings)))
        problems = await _play_to_the_end(scenario, stage, supervisor)
        inside, outside = _repeated_messages(world, supervisor, scenario.expected_unconfirmed)
        problems += outside + _find_problems(scenario, stage, supervisor)
        await world.close()
        problems += [f"{row[0]}" for row in world.query("PRAGMA integrity_check") if row[0] != "ok"]
    return ScenarioOutcome(
        point, bool(supervisor.crashes), parse_points(supervisor.log), problems, len(stage.retries_pressed), len(inside)
    )


@asynccontextmanager
async def _open_public_url(scenario: Scenario) -> AsyncIterator[ReverseProxy | None]:
    if not scenario.has_public_url:
        yield None
        return
    async with open_reverse_proxy() as front:
        yield front


async def _play_to_the_end(scenario: Scenario, stage: SimulatedUsers, supervisor: Supervisor) -> list[str]:
    """Play it to its end; return what was lost, if anything."""

    async def play() -> None:
        await scenario.play(stage)
        await stage.wait_until_idle()

    try:
        await wait_for_first(asyncio.create_task(play()), asyncio.create_task(supervisor.run()))
    except TimeoutError as error:
        return [f"lost: {error}", supervisor.log]
    return []


def _find_problems(scenario: Scenario, stage: SimulatedUsers, supervisor: Supervisor) -> list[str]:
    world, agains = stage.harness, len(stage.retries_pressed)
    # with callbacks it is always found out whether an order was taken
    most = scenario.expected_orders + (0 if scenario.has_public_url else agains)
    in_doubt = scenario.expected_questions + sum(len(death.ordering_jobs) for death in supervisor.crashes)
    found = {
        f"paid {world.count_orders()} times": world.count_orders() > most,
        f"ordered {world.count_orders()} times": world.count_orders() < scenario.expected_orders,
        f"asked {agains} times, and {in_doubt} orders were in doubt": agains > in_doubt,
        "never asked": not scenario.has_public_url and agains < scenario.expected_questions,
        "left without an answer": bool(world.query(UNANSWERED_JOBS)),
    } | {words: bool(world.query(question)) for words, question in FORBIDDEN.items()}
    return [words for words, is_so in found.items() if is_so]


def _repeated_messages(world: ProcessHarness, supervisor: Supervisor, spare: int) -> tuple[list[str], list[str]]:
    """Name what stands in a chat and is forgotten: answers sent right before a death, and what has no excuse."""
    sent, known = sent_messages(world.telegram.calls), read_recorded_messages(world)
    excused = {key: death for death, key in supervisor.unrecorded_messages()}
    inside: list[str] = []
    outside: list[str] = []
    for key, call in sent.items():
        if key in known:
            continue
        is_answer = call.method == "sendPhoto"
        is_excused = key in excused and (not is_answer or bool(excused[key].answering_jobs))
        (inside if is_excused else outside).append(f"{call.method} {dict(call.params)} was sent, and is forgotten")
    return [each for each in inside if each.startswith("sendPhoto")], outside[spare:]
