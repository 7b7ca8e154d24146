"""Fixtures of the page."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.page.opened import Page, a_page


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page whose bot does nothing."""
    async with a_page() as opened:
        yield opened
