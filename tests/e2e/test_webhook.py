"""Telegram brings its updates to the bot's process; from polling to that and back nothing is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.front import Front, a_front
from tests.world import Bot, World, a_photo, a_world, port_of


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    """The bot's public address."""
    async with a_front() as opened:
        yield opened


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A Telegram, a Kie, and a folder for the bot."""
    async with a_world(tmp_path) as opened:
        yield opened


def _brought(world: World, front: Front) -> Bot:
    return world.bot(PUBLIC_URL=front.url, TELEGRAM_UPDATES="webhook")


async def _ready(bot: Bot, front: Front) -> None:
    front.door = f"http://127.0.0.1:{port_of(await bot.ready())}"


async def test_a_photo_and_an_album_come_by_the_webhook(world: World, front: Front) -> None:
    bot = _brought(world, front)
    await _ready(bot, front)
    ada = world.telegram.person()
    ada.send_photo(a_photo(), caption="make it snow")
    ada.send_album([a_photo("red"), a_photo("blue")], {1: "a duel"})
    await world.pictures(ada.id, 2)
    assert sorted(len(task.inputs) for task in world.kie.tasks.values()) == [1, 2]
    assert [call.method for call in world.telegram.calls if call.method == "getUpdates"] == []
    assert await bot.stop() == 0
    assert world.telegram.cloud.webhook is not None
    assert str(world.telegram.cloud.webhook["secret_token"]) not in bot.log


async def test_what_is_sent_while_the_bot_is_killed_is_brought_again(world: World, front: Front) -> None:
    bot = _brought(world, front)
    await _ready(bot, front)
    await bot.kill()
    front.door = None
    ada = world.telegram.person()
    ada.send_photo(a_photo(), caption="make it snow")
    await world.telegram.wait_for(lambda _: 502 in front.statuses, 20)
    await _ready(bot, front)
    await world.pictures(ada.id)
    assert world.creates() == 1


async def test_switching_there_and_back_loses_nothing(world: World, front: Front) -> None:
    ada = world.telegram.person()
    for number, bot in enumerate((world.bot(), _brought(world, front), world.bot()), start=1):
        front.door = None
        ada.send_photo(a_photo(), caption=f"wish {number}")
        await _ready(bot, front)
        await world.pictures(ada.id, number)
        await bot.stop()
    assert [task.prompt for task in world.kie.tasks.values()] == ["wish 1", "wish 2", "wish 3"]
