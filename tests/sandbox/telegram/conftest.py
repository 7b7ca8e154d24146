"""A local Telegram, judged by the oracle, and the bot's own library in front of it."""

from collections.abc import AsyncIterator

import pytest
from telegram import Bot

from bot.sandbox.telegram import LocalTelegram
from tests import oracle
from tests.sandbox.telegram.given import TOKEN, bot_for, served


@pytest.fixture
async def telegram() -> AsyncIterator[LocalTelegram]:
    async with served(LocalTelegram(token=TOKEN, check=oracle.check)) as server:
        yield server
        assert server.complaints == []


@pytest.fixture
async def bot(telegram: LocalTelegram) -> AsyncIterator[Bot]:
    async with bot_for(telegram) as bot:
        yield bot
