"""Databases for /stats."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.database import Database
from tests.stats.synthetic_history import NOW, insert_history


@pytest.fixture
async def past(tmp_path: Path) -> AsyncIterator[Database]:
    """A database with a synthetic history of 80 days, including an outage; all its requests are erased already."""
    path = tmp_path / "darkroom.db"
    db = await Database.open(str(path))
    insert_history(path, NOW, days=80, edits=6_000)
    yield db
    await db.close()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database."""
    database = await Database.open(str(tmp_path / "empty.db"))
    yield database
    await database.close()
