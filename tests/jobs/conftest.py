"""A house with a bot that is taken through its steps by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.house import House, a_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The bot with its usual settings and one admin, 9009."""
    async with a_house(tmp_path, admin_ids=frozenset({9009})) as opened:
        opened.telegram.person(user_id=9009)
        yield opened
