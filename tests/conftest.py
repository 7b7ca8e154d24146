"""Fixtures for everybody."""

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import certifi
import pytest
import uvloop

from bot.sandbox import stand_in
from tests import oracle
from tests.world import World, a_world

#: Pixels of the longer side of what the local Kie makes: here nobody looks at it.
SMALL = 64

#: Around a certificate in a bundle.
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Have every test run on the loop that the bot runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True, scope="session")
def _small_results() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "SIDE", SMALL)
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust a single authority: there is nothing but plain loopback here, and to read all of them takes a bot 50 ms."""
    bundle = Path(certifi.where()).read_text()
    alone = tmp_path_factory.mktemp("trust") / "authority.pem"
    alone.write_text(bundle[bundle.index(BEGIN) : bundle.index(END)] + END)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(alone))
        yield


@pytest.fixture(autouse=True, scope="session")
def _a_judge_at_hand() -> None:
    """Have the judge of the Bot API read its models before anything is timed: that takes seconds.

    Nothing that is loaded by then is garbage, and nobody has to look for some in it again and again.
    """
    gc.disable()
    oracle.check("getMe", {}, {})
    gc.enable()
    gc.freeze()


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
