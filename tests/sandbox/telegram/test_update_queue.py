"""Updates are kept until they are confirmed, and only one poller gets them."""

import asyncio

import httpx
import pytest
from telegram import Bot
from telegram.error import Conflict

from bot.sandbox.telegram import LocalTelegram, Person
from bot.sandbox.telegram.update_queue import UPDATE_LIFETIME_SECONDS
from tests.sandbox.telegram.setup import TOKEN, make_bot


async def test_reading_confirms_nothing(telegram: LocalTelegram, bot: Bot) -> None:
    telegram.person().send_text("hello")
    first = await bot.get_updates()
    again = await bot.get_updates()
    assert [one.update_id for one in first] == [one.update_id for one in again]


async def test_a_higher_offset_confirms(bot: Bot, ada: Person) -> None:
    ada.send_text("one")
    ada.send_text("two")
    first, second = await bot.get_updates()
    assert await bot.get_updates(offset=first.update_id + 1) == (second,)
    assert await bot.get_updates() == (second,)


async def test_a_negative_offset_keeps_only_the_newest(bot: Bot, ada: Person) -> None:
    for text in ("one", "two", "three"):
        ada.send_text(text)
    assert [one.message.text for one in await bot.get_updates(offset=-2) if one.message] == ["two", "three"]
    assert len(await bot.get_updates()) == 2


async def test_limit_bounds_a_batch(bot: Bot, ada: Person) -> None:
    for number in range(120):
        ada.send_text(str(number))
    assert len(await bot.get_updates(limit=7)) == 7
    assert len(await bot.get_updates()) == 100


async def test_a_poll_that_waits_hears_what_comes(telegram: LocalTelegram, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await telegram.wait_for(lambda server: server.calls, 5)
    telegram.person().send_text("hello")
    assert len(await poll) == 1


async def test_a_poll_without_news_ends_empty(telegram: LocalTelegram, bot: Bot) -> None:
    assert await bot.get_updates(timeout=0) == ()


async def test_the_newer_poll_ends_the_older(telegram: LocalTelegram, bot: Bot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=20))
    await telegram.wait_for(lambda server: server.calls, 5)
    async with make_bot(telegram) as rival:
        await rival.get_updates(timeout=0)
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await older


async def read_and_die(telegram: LocalTelegram, offset: int = 0) -> None:
    async with httpx.AsyncClient() as dying:
        address = f"{telegram.url}/bot{TOKEN}/getUpdates?timeout=20&offset={offset}"
        before = len(telegram.calls)
        poll = asyncio.create_task(dying.get(address, timeout=30))
        await telegram.wait_for(lambda server: len(server.calls) > before, 5)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)


async def test_a_reader_that_dies_while_it_waits_loses_nothing(telegram: LocalTelegram, bot: Bot) -> None:
    await read_and_die(telegram)
    telegram.person().send_text("hello")
    assert len(await bot.get_updates()) == 1


async def test_a_redelivery_is_not_spent_on_a_dead_reader(telegram: LocalTelegram, bot: Bot) -> None:
    telegram.person().send_text("hello")
    (update,) = await bot.get_updates()
    await read_and_die(telegram, update.update_id + 1)
    await bot.get_me()
    telegram.redeliver(update.update_id)
    await telegram.wait_for(lambda server: server.calls[-2].result == [], 5)
    assert await bot.get_updates(offset=update.update_id + 1) == (update,)


async def test_redelivery_brings_a_confirmed_update_back_once(telegram: LocalTelegram, bot: Bot) -> None:
    telegram.person().send_text("hello")
    (update,) = await bot.get_updates()
    offset = update.update_id + 1
    assert await bot.get_updates(offset=offset) == ()
    telegram.redeliver(update.update_id)
    assert await bot.get_updates(offset=offset) == (update,)
    assert await bot.get_updates(offset=offset) == ()


async def test_unwanted_kinds_never_arrive(telegram: LocalTelegram, bot: Bot) -> None:
    await bot.get_updates(allowed_updates=["callback_query"])
    telegram.person().send_text("hello")
    assert await bot.get_updates() == ()


async def test_allowed_updates_stay_until_they_are_named_again(bot: Bot, ada: Person) -> None:
    await bot.get_updates(allowed_updates=["callback_query"])
    await bot.get_updates()
    ada.send_text("unheard")
    await bot.get_updates(allowed_updates=[])
    ada.send_text("heard")
    assert [one.message.text for one in await bot.get_updates() if one.message] == ["heard"]


async def test_any_poison_can_be_pushed(telegram: LocalTelegram) -> None:
    update_id = telegram.push({"message": {"date": "never"}})
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{telegram.url}/bot{TOKEN}/getUpdates")
    assert answer.json()["result"] == [{"update_id": update_id, "message": {"date": "never"}}]


async def test_updates_of_yesterday_are_gone() -> None:
    now = 1_000_000.0
    telegram = LocalTelegram(token=TOKEN, clock=lambda: now)
    telegram.person().send_text("hello")
    now += UPDATE_LIFETIME_SECONDS + 1
    assert telegram.state.updates.pending == []


async def test_an_outage_loses_nothing(telegram: LocalTelegram, bot: Bot) -> None:
    address = telegram.url
    await telegram.stop()
    telegram.person().send_text("hello")
    await telegram.start()
    assert telegram.url == address
    assert len(await bot.get_updates()) == 1
