"""A fixture with a real database file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.database import Database


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database."""
    database = await Database.open(str(tmp_path / "darkroom.db"))
    yield database
    await database.close()
