"""Fixtures for everybody."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world import World, a_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world without a running bot."""
    async with a_world(tmp_path) as opened:
        yield opened
