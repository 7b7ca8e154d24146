"""Kie calls the bot's process back through a reverse proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.callbacks import CallbackOptions
from tests.process_harness import (
    KEY,
    TOKEN,
    BotSubprocess,
    ProcessHarness,
    make_photo,
    open_process_harness,
    parse_port,
)
from tests.reverse_proxy import ReverseProxy, open_reverse_proxy

WEBHOOK_KEY = "canary-webhook-" * 2 + "key"


@pytest.fixture
async def front() -> AsyncIterator[ReverseProxy]:
    """The bot's public address."""
    async with open_reverse_proxy() as opened:
        yield opened


@pytest.fixture
async def signing(tmp_path: Path) -> AsyncIterator[ProcessHarness]:
    """A harness whose Kie signs its callbacks and takes two seconds for an image."""
    async with open_process_harness(tmp_path, webhook_key=WEBHOOK_KEY, duration=lambda: 2.0) as opened:
        yield opened


async def _start_until_ready(bot: BotSubprocess, front: ReverseProxy) -> None:
    front.upstream = f"http://127.0.0.1:{parse_port(await bot.start_until_ready())}"


def _create_bot(world: ProcessHarness, front: ReverseProxy) -> BotSubprocess:
    return world.create_bot(PUBLIC_URL=front.url, KIE_WEBHOOK_KEY=WEBHOOK_KEY)


async def test_a_picture_comes_by_a_callback_and_nothing_of_it_can_be_found_in_the_log(
    signing: ProcessHarness, front: ReverseProxy
) -> None:
    bot = _create_bot(signing, front)
    await _start_until_ready(bot, front)
    ada = signing.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    await signing.wait_for_pictures(ada.id)
    assert front.statuses == [200]
    assert len(signing.kie.calls_named("recordInfo")) == 1
    await bot.stop()
    [attempt] = signing.query("SELECT reference FROM attempts")
    for secret in (WEBHOOK_KEY, attempt["reference"], TOKEN.split(":")[1], KEY):
        assert secret not in bot.log
    files = [file for file in signing.folder.rglob("*") if file.is_file()]
    assert all(WEBHOOK_KEY.encode() not in file.read_bytes() for file in files)


async def test_killed_while_the_order_was_under_way_the_bot_gives_the_picture_when_kie_calls(
    signing: ProcessHarness, front: ReverseProxy
) -> None:
    signing.kie.faults.add("createTask", Fault(FaultKind.HOLD_RESPONSE))
    bot = _create_bot(signing, front)
    await _start_until_ready(bot, front)
    ada = signing.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    await signing.kie.wait_for(lambda: signing.kie.tasks, 20)
    await bot.kill()
    front.upstream = None
    await _start_until_ready(bot, front)
    await signing.wait_for_pictures(ada.id)
    assert signing.count_orders() == 1
    assert "cannot find out" not in repr(signing.telegram.bot_messages(ada.id))


async def test_killed_between_a_callback_and_its_look_the_bot_still_gives_the_picture(
    signing: ProcessHarness, front: ReverseProxy
) -> None:
    """Kie was told that its callback had arrived, and will not call again."""
    signing.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
    signing.kie.faults.add("recordInfo", Fault(FaultKind.HANG))
    bot = _create_bot(signing, front)
    await _start_until_ready(bot, front)
    ada = signing.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    await signing.kie.wait_for(lambda: signing.kie.calls_named("recordInfo"), 20)
    await bot.kill()
    assert front.statuses == [200]
    await _start_until_ready(bot, front)
    await signing.wait_for_pictures(ada.id)
    assert (signing.count_orders(), front.statuses) == (1, [200])


async def test_many_people_get_a_picture_each_with_one_look_each(tmp_path: Path, front: ReverseProxy) -> None:
    async with open_process_harness(tmp_path, credits=1000.0, duration=lambda: 1.0) as world:
        world.kie.callbacks.options = CallbackOptions(copies=2)
        await _start_until_ready(world.create_bot(PUBLIC_URL=front.url), front)
        people = [world.telegram.person() for _ in range(15)]
        for person in people:
            person.send_photo(make_photo(), caption=f"wish of {person.id}")
        for person in people:
            assert len(await world.wait_for_pictures(person.id)) == 1
        assert len(world.kie.calls_named("recordInfo")) == world.count_orders() == 15
