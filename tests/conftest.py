"""Fixtures for all tests."""

import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import certifi
import pytest

from bot.sandbox.fake_edit import render
from tests import bot_api_validator
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import ProcessHarness, open_process_harness

#: Pixels of the longer side of the local Kie's results: small, because nobody looks at them.
RESULT_SIDE = 64

#: The marks around a certificate in a bundle.
CERTIFICATE_BEGIN, CERTIFICATE_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@pytest.fixture(autouse=True, scope="session")
def _small_results() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "SIDE", RESULT_SIDE)
        yield


@pytest.fixture(autouse=True, scope="session")
def _single_certificate_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust a single authority, since tests use plain HTTP: loading all of them takes each bot 50 ms."""
    bundle = Path(certifi.where()).read_text()
    alone = tmp_path_factory.mktemp("trust") / "authority.pem"
    alone.write_text(bundle[bundle.index(CERTIFICATE_BEGIN) : bundle.index(CERTIFICATE_END)] + CERTIFICATE_END)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(alone))
        yield


@pytest.fixture(autouse=True, scope="session")
def _loaded_validator() -> None:
    """Load the models of the Bot API, which takes seconds, before any test is timed."""
    bot_api_validator.validate_request("getMe", {}, {})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ProcessHarness]:
    """The local servers, and a bot that is not started."""
    async with open_process_harness(tmp_path) as opened:
        yield opened


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Restore the logging of the test runner afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    yield
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = before


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """The bot with its usual settings and one admin, 9009."""
    async with open_bot_harness(tmp_path, admin_ids=frozenset({9009})) as opened:
        opened.telegram.person(user_id=9009)
        yield opened
