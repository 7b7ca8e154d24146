"""Fixtures for the sandbox's tests."""

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.fake_edit import render
from tests.sandbox.http_receiver import HttpReceiver, open_http_receiver


@pytest.fixture(autouse=True)
def _full_size_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render results as large as users see them."""
    monkeypatch.setattr(render, "SIDE", 1024)


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with open_http_receiver() as opened:
        yield opened
