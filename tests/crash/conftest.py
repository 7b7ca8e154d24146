"""A prepared database for the crash tests, and their figures at the end of a run."""

import asyncio
from pathlib import Path

import pytest

from tests.crash.test_kill_at_every_point import create_used_database


@pytest.fixture(scope="session")
def used_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database after a complete first start."""
    return asyncio.run(create_used_database(tmp_path_factory.mktemp("used")))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the recorded properties, also of tests that passed in a worker process."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.getreports(name)]
    for report in reports:
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
