"""Here the pictures of the local Kie are looked at, so they are as large as people see them."""

import pytest

from bot.sandbox.fake_edit import render

#: Pixels of the longer side.
REAL_SIDE = 1024


@pytest.fixture(autouse=True)
def _real_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "SIDE", REAL_SIDE)
