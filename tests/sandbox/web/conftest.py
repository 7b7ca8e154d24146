"""Fixtures for the page."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.web.web_client import WebPageClient, open_web_page


@pytest.fixture
async def page() -> AsyncIterator[WebPageClient]:
    """A page whose bot does nothing."""
    async with open_web_page() as opened:
        yield opened
