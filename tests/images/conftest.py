"""An environment without proxies, so that loopback is reached directly, and one converter per test file."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.images.convert import ImageConverter


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def converter() -> AsyncIterator[ImageConverter]:
    """Shared by the tests of a file that share one event loop."""
    made = ImageConverter()
    yield made
    await made.aclose()
