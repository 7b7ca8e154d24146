"""The documents agree with the code, and the code keeps rules that no linter knows."""

import ast
import re
import sqlite3
from pathlib import Path

import pytest

from bot.job import FINAL_STATES, TRANSITIONS, FailureReason, State
from bot.kie.errors import BlockCause
from bot.pipeline.circuit_breakers import BREAKER_PAUSES
from bot.store.database import _prepare_connection
from bot.store.jobs import UPDATABLE_COLUMNS

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "bot").rglob("*.py"))


def test_the_diagram_in_the_readme_is_the_table_of_transitions() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = {(State(start), State(end)) for start, end in re.findall(r"^\s*(\w+) --> (\w+)", readme, re.MULTILINE)}
    assert drawn == {(start, end) for start, onward in TRANSITIONS.items() for end in onward}


def _schema() -> sqlite3.Connection:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    _prepare_connection(raw)
    return raw


def test_the_database_knows_exactly_the_states_of_the_code() -> None:
    [(sql,)] = _schema().execute("SELECT sql FROM sqlite_schema WHERE name = 'jobs'").fetchall()
    check = re.search(r"state IN\s*\(([^)]*)\)", sql)
    assert check is not None
    assert {word.strip(" '\n") for word in check.group(1).split(",")} == set(State)


def test_everything_a_step_may_change_is_a_column() -> None:
    columns = {row[1] for row in _schema().execute("PRAGMA table_info(jobs)")}
    assert columns >= UPDATABLE_COLUMNS


def test_every_unfinished_state_has_a_word_in_the_glossary() -> None:
    glossary = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [state for state in State if f"`{state}`" not in glossary] == []
    assert set(State) > FINAL_STATES


def test_every_kind_of_halt_has_a_pause() -> None:
    assert set(BlockCause) <= set(BREAKER_PAUSES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for_and_spells_no_state_as_a_string(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not source.read_text(encoding="utf-8").strip()
    if {"sandbox", "kie"} & set(source.parts) or source.name == "job.py":
        return
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert words.isdisjoint(set(State) | {FailureReason.REFUSED, FailureReason.OVERDUE})


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_what_runs_inside_a_transaction_logs_only_what_is_committed() -> None:
    works = [
        (path, function)
        for path in SOURCES
        for function in _functions(ast.parse(path.read_text(encoding="utf-8")))
        if "tx" in [each.arg for each in function.args.args]
    ]
    called = [(path, node.func) for path, work in works for node in ast.walk(work) if isinstance(node, ast.Call)]
    found = [f"{path}:{func.lineno}" for path, func in called if ast.unparse(func).startswith("log.")]
    assert found == [], "tx.log does"


@pytest.mark.parametrize("word", ["TYPE_CHECKING", "unittest.mock"])
def test_some_things_are_not_done_here(word: str) -> None:
    everywhere = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    found = [path for path in everywhere if word in path.read_text(encoding="utf-8") and path != Path(__file__)]
    assert found == []


def test_every_test_that_the_security_page_names_is_there() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`", page)
    assert len(named) > 20
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), test
