"""A local Telegram, judged by the oracle, and the bot's own library in front of it."""

from collections.abc import AsyncIterator

import pytest
from telegram import Bot

from bot.sandbox.telegram import LocalTelegram
from tests import bot_api_validator
from tests.sandbox.telegram.setup import TOKEN, make_bot, serve_telegram


@pytest.fixture
async def telegram() -> AsyncIterator[LocalTelegram]:
    async with serve_telegram(LocalTelegram(token=TOKEN, check=bot_api_validator.validate_request)) as server:
        yield server
        assert server.check_failures == []


@pytest.fixture
async def bot(telegram: LocalTelegram) -> AsyncIterator[Bot]:
    async with make_bot(telegram) as bot:
        yield bot
