"""Small results, which are faster and enough for these tests."""

import pytest

from bot.sandbox.fake_edit import render
from tests.sandbox.fake_edit.image_probes import RESULT_SIDE


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "SIDE", RESULT_SIDE)
