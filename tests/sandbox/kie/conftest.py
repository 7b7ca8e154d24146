"""A local Kie with a manual clock, and an HTTP client for it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.kie.local_kie import LocalKie
from tests.sandbox.kie.api_client import KEY, WEBHOOK_KEY, KieApiClient, SandboxManualClock


@pytest.fixture
def clock() -> SandboxManualClock:
    return SandboxManualClock()


@pytest.fixture
def task_seconds() -> float:
    return 10.0


@pytest.fixture
async def kie(clock: SandboxManualClock, task_seconds: float) -> AsyncIterator[LocalKie]:
    kie = LocalKie(key=KEY, clock=clock, duration=lambda: task_seconds, webhook_key=WEBHOOK_KEY)
    await kie.start()
    yield kie
    await kie.stop()


@pytest.fixture
async def kie_client(kie: LocalKie) -> AsyncIterator[KieApiClient]:
    async with aiohttp.ClientSession() as session:
        yield KieApiClient(kie, session)
