"""Here the pictures of the local Kie are looked at, so they are as large as people see them."""

import pytest

from bot.sandbox import stand_in

#: Pixels of the longer side.
REAL = 1024


@pytest.fixture(autouse=True)
def _real_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "SIDE", REAL)
