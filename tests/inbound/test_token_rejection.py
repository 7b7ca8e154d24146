"""At the start, too, a token is wrong only when Telegram says so for a minute."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import unauthorized
from bot.settings import CannotRun
from tests.bot_harness import BotHarness, open_bot_harness

PAGE = Fault(FaultKind.ANSWER, status=404, body=b"<html>nginx</html>")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot that has not been introduced to Telegram by itself."""
    async with open_bot_harness(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("fault", [unauthorized(), PAGE])
async def test_a_first_question_that_is_refused_in_passing_is_asked_again(house: BotHarness, fault: Fault) -> None:
    house.telegram.faults.add("getMe", fault)
    assert await house.bot.try_fetch_identity(1.0) is None
    me = await house.bot.try_fetch_identity(1.0)
    assert me is not None
    assert me.username == "darkroom_bot"


async def test_a_token_that_is_refused_for_a_minute_ends_the_start(house: BotHarness) -> None:
    house.telegram.faults.always("getMe", unauthorized())
    for _ in range(6):
        assert await house.bot.try_fetch_identity(1.0) is None
        house.clock.now += 10.0
    with pytest.raises(CannotRun, match="TELEGRAM_BOT_TOKEN is not known to Telegram: copy"):
        await house.bot.try_fetch_identity(1.0)


async def test_a_gateways_page_for_an_hour_ends_nothing(house: BotHarness) -> None:
    house.telegram.faults.always("getMe", PAGE)
    for _ in range(60):
        assert await house.bot.try_fetch_identity(1.0) is None
        house.clock.now += 60.0
