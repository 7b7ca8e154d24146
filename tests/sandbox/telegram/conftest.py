"""A local Telegram whose calls are validated, with a user and python-telegram-bot's client."""

from collections.abc import AsyncIterator

import pytest
from telegram import Bot

from bot.sandbox.telegram import LocalTelegram, Person
from tests import bot_api_validator
from tests.sandbox.telegram.setup import TOKEN, make_bot, serve_telegram


@pytest.fixture
async def telegram() -> AsyncIterator[LocalTelegram]:
    async with serve_telegram(LocalTelegram(token=TOKEN, check=bot_api_validator.validate_request)) as server:
        yield server
        assert server.check_failures == []


@pytest.fixture
def ada(telegram: LocalTelegram) -> Person:
    return telegram.person()


@pytest.fixture
async def bot(telegram: LocalTelegram) -> AsyncIterator[Bot]:
    async with make_bot(telegram) as bot:
        yield bot
