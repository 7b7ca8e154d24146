"""SIGKILL on every path: `make test` kills once on the main ones, `make crash` before and after every commit and call.

The kill points are those of an undisturbed run, so new calls and commits of the bot are
covered automatically; a call that is on none of these paths fails a test.
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
from tests.crash.supervisor import Supervisor, read_recorded_messages, run_supervised, sent_messages
from tests.crash.test_kill_at_every_point import MAX_PARALLEL, RecordProperty
from tests.process_harness import PROJECT_ROOT, ProcessHarness, open_process_harness
from tests.reverse_proxy import ReverseProxy, open_reverse_proxy
from tests.stateful.invariants import FORBIDDEN, UNANSWERED_JOBS

#: calls of the first start, which test_kill_during_first_start covers
FIRST_START = frozenset({"setMyCommands"})

#: functions of the Telegram client that take the method's name
CALLS_BY_METHOD_NAME = frozenset({"self._bot.do_api_request", "self._call", "self._send"})

#: ends of paths in the source that are only prefixes of others
NOT_CALLS = frozenset({"jobs"})

COVERED_CALLS = frozenset().union(STARTUP_CALLS, FIRST_START, *(scenario.calls for scenario in SCENARIOS))


@dataclass(frozen=True)
class ScenarioOutcome:
    """The result of a scenario with a kill."""

    point: str | None
    #: whether the bot was killed there: concurrent points differ a little from run to run
    was_killed: bool
    passed: list[str]
    problems: list[str]
    asked: int
    #: answers that were repeated, in the documented window
    repeated: int


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.kill_at], ids=lambda scenario: scenario.name)
async def test_killed_once_on_a_path_the_bot_comes_to_its_end(
    tmp_path: Path, used_database: Path, scenario: Scenario
) -> None:
    outcome = await _run_scenario(scenario, tmp_path, used_database, f"point {scenario.kill_at}")
    assert outcome.problems == []
    assert outcome.was_killed
    assert _call_names(outcome.passed) <= COVERED_CALLS | {"commit"}
    assert scenario.calls <= _call_names(outcome.passed)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_killed_at_any_point_of_a_path_the_bot_comes_to_its_end(
    tmp_path: Path, used_database: Path, scenario: Scenario, record_property: RecordProperty
) -> None:
    undisturbed = await _run_scenario(scenario, tmp_path / "undisturbed", used_database, None)
    assert undisturbed.problems == []
    assert scenario.calls <= _call_names(undisturbed.passed) <= COVERED_CALLS | {"commit"}
    points = drop_equivalent_points(undisturbed.passed)
    semaphore = asyncio.Semaphore(MAX_PARALLEL)

    async def run(number: int, point: str) -> ScenarioOutcome:
        async with semaphore:
            return await _run_scenario(scenario, tmp_path / f"{number}", used_database, point)

    outcomes = await asyncio.gather(*(run(number, point) for number, point in enumerate(points)))
    record_property(scenario.name, _summarise(outcomes))
    assert [(outcome.point, outcome.problems) for outcome in outcomes if outcome.problems] == []
    assert sum(outcome.was_killed for outcome in outcomes) > 0.7 * len(outcomes)


def _summarise(outcomes: list[ScenarioOutcome]) -> str:
    killed, asked, repeated = (
        sum(getattr(outcome, name) for outcome in outcomes) for name in ("was_killed", "asked", "repeated")
    )
    wrong = sum(bool(outcome.problems) for outcome in outcomes)
    return f"{len(outcomes)} points, {killed} killed, {wrong} wrong, asked {asked}, repeated in the window {repeated}"


def test_every_call_that_the_bot_can_make_is_on_a_path_where_it_is_killed() -> None:
    calls = set(_calls_in_the_source())
    assert {"sendPhoto", "getUpdates", "createTask"} <= calls <= COVERED_CALLS


def _calls_in_the_source() -> Iterator[str]:
    """Yield the name of every call in the source: a method of Telegram, the end of a path of Kie, or a file."""
    yield from ("file", "result")
    telegram = ast.parse((PROJECT_ROOT / "bot" / "telegram" / "client.py").read_text(encoding="utf-8"))
    yield from filter(None, map(_called_method, ast.walk(telegram)))
    for node in ast.walk(ast.parse((PROJECT_ROOT / "bot" / "kie" / "client.py").read_text(encoding="utf-8"))):
        found = re.search(r"^/(?:.*/)?([\w-]+)$", str(node.value)) if isinstance(node, ast.Constant) else None
        if found is not None and found[1] not in NOT_CALLS:
            yield found[1]


def _called_method(node: ast.AST) -> str | None:
    """Return the method of a call such as `self._bot.send_chat_action(...)` or `self._send("sendPhoto", ...)`."""
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    if isinstance(node, ast.Call) and called in CALLS_BY_METHOD_NAME:
        named = node.args[0]
        # within these functions the name is a parameter
        return None if isinstance(named, ast.Name) and named.id == "method" else str(ast.literal_eval(named))
    if not called.startswith("self._bot."):
        return None
    first, *others = called.removeprefix("self._bot.").split("_")
    return first + "".join(word.capitalize() for word in others)


def _call_names(points: list[str]) -> set[str]:
    return {point.split()[1] for point in points}


async def _run_scenario(scenario: Scenario, folder: Path, used_database: Path, point: str | None) -> ScenarioOutcome:
    async with open_process_harness(folder, **scenario.kie) as harness, _open_public_url(scenario) as proxy:
        harness.copy_database_from(used_database)
        scenario.prepare(harness)
        users = SimulatedUsers(harness)
        addresses = {} if proxy is None else {"PUBLIC_URL": proxy.url}
        supervisor = Supervisor(harness, point, proxy, **(addresses | dict(scenario.settings)))
        problems = await _play_to_the_end(scenario, users, supervisor)
        inside, outside = _repeated_messages(harness, supervisor, scenario.expected_unconfirmed)
        problems += outside + _find_problems(scenario, users, supervisor)
        await harness.close()
        problems += [f"{row[0]}" for row in harness.query("PRAGMA integrity_check") if row[0] != "ok"]
    return ScenarioOutcome(
        point, bool(supervisor.crashes), parse_points(supervisor.log), problems, len(users.retries_pressed), len(inside)
    )


@asynccontextmanager
async def _open_public_url(scenario: Scenario) -> AsyncIterator[ReverseProxy | None]:
    if not scenario.has_public_url:
        yield None
        return
    async with open_reverse_proxy() as proxy:
        yield proxy


async def _play_to_the_end(scenario: Scenario, users: SimulatedUsers, supervisor: Supervisor) -> list[str]:
    """Run a scenario to its end; return what was lost, if anything."""

    async def play() -> None:
        await scenario.play(users)
        await users.wait_until_idle()

    try:
        await run_supervised(play(), supervisor)
    except TimeoutError as error:
        return [f"lost: {error}", supervisor.log]
    return []


def _find_problems(scenario: Scenario, users: SimulatedUsers, supervisor: Supervisor) -> list[str]:
    harness, retries = users.harness, len(users.retries_pressed)
    # with callbacks an uncertain order is always resolved
    max_orders = scenario.expected_orders + (0 if scenario.has_public_url else retries)
    uncertain = scenario.expected_questions + sum(len(crash.ordering_jobs) for crash in supervisor.crashes)
    found = {
        f"paid {harness.count_orders()} times": harness.count_orders() > max_orders,
        f"ordered {harness.count_orders()} times": harness.count_orders() < scenario.expected_orders,
        f"asked {retries} times, and {uncertain} orders were uncertain": retries > uncertain,
        "never asked": not scenario.has_public_url and retries < scenario.expected_questions,
        "left without an answer": bool(harness.query(UNANSWERED_JOBS)),
    } | {words: bool(harness.query(question)) for words, question in FORBIDDEN.items()}
    return [words for words, is_so in found.items() if is_so]


def _repeated_messages(
    harness: ProcessHarness, supervisor: Supervisor, expected_unconfirmed: int
) -> tuple[list[str], list[str]]:
    """Return the sent messages that were not stored: answers sent right before a crash, and all others."""
    sent, known = sent_messages(harness.telegram.calls), read_recorded_messages(harness)
    excused = {key: crash for crash, key in supervisor.unrecorded_messages()}
    inside: list[str] = []
    outside: list[str] = []
    for key, call in sent.items():
        if key in known:
            continue
        is_answer = call.method == "sendPhoto"
        is_excused = key in excused and (not is_answer or bool(excused[key].answering_jobs))
        (inside if is_excused else outside).append(f"{call.method} {dict(call.params)} was sent, but not stored")
    return [each for each in inside if each.startswith("sendPhoto")], outside[expected_unconfirmed:]
