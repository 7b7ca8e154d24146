"""Small results: what is looked at here is to be seen at any size."""

import pytest

from bot.sandbox import stand_in
from tests.sandbox.edits.seeing import SIDE


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "SIDE", SIDE)
