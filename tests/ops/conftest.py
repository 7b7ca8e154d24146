"""Fixtures for the tests of `check`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ops.check_environment import CheckEnvironment, open_check_environment


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CheckEnvironment]:
    """An environment without problems."""
    async with open_check_environment(tmp_path) as opened:
        yield opened
