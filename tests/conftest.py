"""Fixtures for everybody."""

import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.sandbox import stand_in
from tests import oracle
from tests.world import World, a_world

#: Pixels of the longer side of what the local Kie makes: here nobody looks at it.
SMALL = 64


@pytest.fixture(autouse=True, scope="session")
def _small_results() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "SIDE", SMALL)
        yield


@pytest.fixture(autouse=True, scope="session")
def _a_judge_at_hand() -> None:
    """Have the judge of the Bot API read its models before anything is timed: that takes seconds."""
    oracle.check("getMe", {}, {})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world without a running bot."""
    async with a_world(tmp_path) as opened:
        yield opened


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Put the logging of the test runner back."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    yield
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = before
