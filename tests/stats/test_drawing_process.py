"""The process that draws: apart from the bot, and gone when it takes too long. That it draws, `tests/jobs` shows."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.stats.drawing_process import Drawing, NotDrawn
from bot.stats.figures import count
from bot.stats.period import USUAL
from bot.stats.sheet import Sheet
from bot.stats.writing import written
from bot.store.connection import Database
from tests.stats.past import NOW


@pytest.fixture
async def sheet(db: Database) -> Sheet:
    """A sheet of a week in which nothing happened."""
    return written(await count(db, USUAL, NOW), "en")


@dataclass(frozen=True)
class Other(Sheet):
    """A sheet that the process does not understand."""

    more: int = 1


def _children() -> list[str]:
    """Return the processes that this one has started and that have not ended."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_what_takes_too_long_is_ended_and_gives_no_picture(sheet: Sheet) -> None:
    before = _children()
    with pytest.raises(NotDrawn, match="longer than 0 s"):
        await Drawing(timeout=0.0).draw([sheet])
    assert _children() == before


async def test_what_cannot_be_drawn_says_why_in_the_last_line(sheet: Sheet) -> None:
    with pytest.raises(NotDrawn, match=r"exit code 1: TypeError: .*'more'"):
        await Drawing().draw([Other(**vars(sheet))])
