"""The process that draws: apart from the bot, with none of its secrets, and gone when it takes too long."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.stats.drawing_process import Drawing, NotDrawn
from bot.stats.figures import count
from bot.stats.period import USUAL
from bot.stats.sheet import Sheet
from bot.stats.writing import written
from bot.store.connection import Database
from tests.stats.past import NOW
from tests.world import PROJECT


@pytest.fixture
async def sheet(past: Database) -> Sheet:
    """A sheet of a week."""
    return written(await count(past, USUAL, NOW), "en")


def _children() -> list[str]:
    """Return the processes that this one has started and that have not ended."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


async def test_it_draws_with_nothing_of_the_bots_environment(sheet: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "no-backend-of-this-name")
    assert (await Drawing().draw([sheet])).startswith(b"\x89PNG")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_what_takes_too_long_is_ended_and_gives_no_picture(sheet: Sheet) -> None:
    before = _children()
    with pytest.raises(NotDrawn, match="longer than 0 s"):
        await Drawing(timeout=0.0).draw([sheet])
    assert _children() == before


async def test_what_cannot_be_drawn_says_why_in_the_last_line(sheet: Sheet) -> None:
    with pytest.raises(NotDrawn, match=r"exit code 1: .*IndexError"):
        await Drawing().draw([])


def test_the_bot_itself_never_loads_what_draws() -> None:
    code = "import sys, bot.app; sys.exit('matplotlib' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
