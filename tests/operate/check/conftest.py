"""Fixtures for the tests of `check`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.operate.check.site import Site, a_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site at which all is well."""
    async with a_site(tmp_path) as opened:
        yield opened
