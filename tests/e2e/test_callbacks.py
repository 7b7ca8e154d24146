"""Kie calls the bot's process back, through what stands in front of its door."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_callbacks import Calling
from tests.front import Front, a_front
from tests.world import KEY, TOKEN, Bot, World, a_photo, a_world, port_of

WEBHOOK_KEY = "canary-webhook-" * 2 + "key"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    """The bot's public address."""
    async with a_front() as opened:
        yield opened


@pytest.fixture
async def signing(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose Kie signs its callbacks and takes two seconds for a picture."""
    async with a_world(tmp_path, webhook_key=WEBHOOK_KEY, duration=lambda: 2.0) as opened:
        yield opened


async def _ready(bot: Bot, front: Front) -> None:
    front.door = f"http://127.0.0.1:{port_of(await bot.ready())}"


def _bot(world: World, front: Front) -> Bot:
    return world.bot(PUBLIC_URL=front.url, KIE_WEBHOOK_KEY=WEBHOOK_KEY)


async def test_a_picture_comes_by_a_callback_and_nothing_of_it_can_be_found_in_the_log(
    signing: World, front: Front
) -> None:
    bot = _bot(signing, front)
    await _ready(bot, front)
    ada = signing.telegram.person()
    ada.send_photo(a_photo(), caption="make it snow")
    await signing.pictures(ada.id)
    assert front.statuses == [200]
    assert len(signing.kie.called("recordInfo")) == 1
    await bot.stop()
    [attempt] = signing.rows("SELECT reference FROM attempts")
    for secret in (WEBHOOK_KEY, attempt["reference"], TOKEN.split(":")[1], KEY):
        assert secret not in bot.log
    files = [file for file in signing.folder.rglob("*") if file.is_file()]
    assert all(WEBHOOK_KEY.encode() not in file.read_bytes() for file in files)


async def test_killed_while_the_order_was_under_way_the_bot_gives_the_picture_when_kie_calls(
    signing: World, front: Front
) -> None:
    signing.kie.faults.add("createTask", Fault(Kind.HELD))
    bot = _bot(signing, front)
    await _ready(bot, front)
    ada = signing.telegram.person()
    ada.send_photo(a_photo(), caption="make it snow")
    await signing.kie.wait_for(lambda: signing.kie.tasks, 20)
    await bot.kill()
    front.door = None
    await _ready(bot, front)
    await signing.pictures(ada.id)
    assert signing.creates() == 1
    assert "cannot find out" not in repr(signing.telegram.bot_messages(ada.id))


async def test_killed_between_a_callback_and_its_look_the_bot_still_gives_the_picture(
    signing: World, front: Front
) -> None:
    """Kie was told that its callback had arrived, and will not call again."""
    signing.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
    signing.kie.faults.add("recordInfo", Fault(Kind.HANG))
    bot = _bot(signing, front)
    await _ready(bot, front)
    ada = signing.telegram.person()
    ada.send_photo(a_photo(), caption="make it snow")
    await signing.kie.wait_for(lambda: signing.kie.called("recordInfo"), 20)
    await bot.kill()
    assert front.statuses == [200]
    await _ready(bot, front)
    await signing.pictures(ada.id)
    assert (signing.creates(), front.statuses) == (1, [200])


async def test_many_people_get_a_picture_each_with_one_look_each(tmp_path: Path, front: Front) -> None:
    async with a_world(tmp_path, credits=1000.0, duration=lambda: 1.0) as world:
        world.kie.callbacks.calling = Calling(copies=2)
        await _ready(world.bot(PUBLIC_URL=front.url), front)
        people = [world.telegram.person() for _ in range(15)]
        for person in people:
            person.send_photo(a_photo(), caption=f"wish of {person.id}")
        for person in people:
            assert len(await world.pictures(person.id)) == 1
        assert len(world.kie.called("recordInfo")) == world.creates() == 15
