"""Telegram delivers updates to the bot's process; switching from polling and back loses nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.process_harness import BotSubprocess, ProcessHarness, make_photo, open_process_harness, parse_port
from tests.reverse_proxy import ReverseProxy, open_reverse_proxy


@pytest.fixture
async def front() -> AsyncIterator[ReverseProxy]:
    """The bot's public address."""
    async with open_reverse_proxy() as opened:
        yield opened


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ProcessHarness]:
    """A Telegram, a Kie, and a folder for the bot."""
    async with open_process_harness(tmp_path) as opened:
        yield opened


def _brought(world: ProcessHarness, front: ReverseProxy) -> BotSubprocess:
    return world.create_bot(PUBLIC_URL=front.url, TELEGRAM_UPDATES="webhook")


async def _start_until_ready(bot: BotSubprocess, front: ReverseProxy) -> None:
    front.upstream = f"http://127.0.0.1:{parse_port(await bot.start_until_ready())}"


async def test_a_photo_and_an_album_come_by_the_webhook(world: ProcessHarness, front: ReverseProxy) -> None:
    bot = _brought(world, front)
    await _start_until_ready(bot, front)
    ada = world.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    ada.send_album([make_photo("red"), make_photo("blue")], {1: "a duel"})
    await world.wait_for_pictures(ada.id, 2)
    assert sorted(len(task.inputs) for task in world.kie.tasks.values()) == [1, 2]
    assert [call.method for call in world.telegram.calls if call.method == "getUpdates"] == []
    assert await bot.stop() == 0
    assert world.telegram.state.webhook is not None
    assert str(world.telegram.state.webhook["secret_token"]) not in bot.log


async def test_what_is_sent_while_the_bot_is_killed_is_brought_again(
    world: ProcessHarness, front: ReverseProxy
) -> None:
    bot = _brought(world, front)
    await _start_until_ready(bot, front)
    await bot.kill()
    front.upstream = None
    ada = world.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    await world.telegram.wait_for(lambda _: 502 in front.statuses, 20)
    await _start_until_ready(bot, front)
    await world.wait_for_pictures(ada.id)
    assert world.count_orders() == 1


async def test_switching_there_and_back_loses_nothing(world: ProcessHarness, front: ReverseProxy) -> None:
    ada = world.telegram.person()
    for number, bot in enumerate((world.create_bot(), _brought(world, front), world.create_bot()), start=1):
        front.upstream = None
        ada.send_photo(make_photo(), caption=f"wish {number}")
        await _start_until_ready(bot, front)
        await world.wait_for_pictures(ada.id, number)
        await bot.stop()
    assert [task.prompt for task in world.kie.tasks.values()] == ["wish 1", "wish 2", "wish 3"]
