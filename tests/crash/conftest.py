"""A database for everybody here, and what was counted, said at the end of a run."""

import asyncio
from pathlib import Path

import pytest

from tests.crash.test_kill_at_every_point import create_used_database


@pytest.fixture(scope="session")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a bot that has done once what a first start has to do."""
    return asyncio.run(create_used_database(tmp_path_factory.mktemp("used")))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have noted, also of those that passed in a process of their own."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.getreports(name)]
    for report in reports:
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
