"""With a webhook, updates are posted until they are accepted, and polling is refused."""

import pytest
from telegram import Bot
from telegram.error import BadRequest, Conflict

from bot.sandbox.telegram import LocalTelegram
from tests.sandbox.http_receiver import HttpReceiver


async def test_updates_are_posted_with_the_secret(telegram: LocalTelegram, bot: Bot, receiver: HttpReceiver) -> None:
    telegram.person().send_text("hello")
    await bot.set_webhook(receiver.url, secret_token="fake-secret")
    await telegram.wait_for(lambda _: receiver.received, 5)
    headers, update = receiver.received[0]
    assert update["message"]["text"] == "hello"
    assert headers["X-Telegram-Bot-Api-Secret-Token"] == "fake-secret"


async def test_a_refused_update_is_posted_again(telegram: LocalTelegram, bot: Bot, receiver: HttpReceiver) -> None:
    receiver.statuses = [500]
    await bot.set_webhook(receiver.url)
    telegram.person().send_text("hello")
    await telegram.wait_for(lambda _: len(receiver.received) == 2, 5)
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"


async def test_polling_is_refused_while_there_is_a_webhook(bot: Bot, receiver: HttpReceiver) -> None:
    await bot.set_webhook(receiver.url)
    with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()


async def test_without_the_webhook_what_waits_can_be_polled(telegram: LocalTelegram, bot: Bot) -> None:
    await bot.set_webhook("http://127.0.0.1:9/nobody", allowed_updates=["message"])
    telegram.person().send_text("hello")
    info = await bot.get_webhook_info()
    assert (info.pending_update_count, info.allowed_updates) == (1, ("message",))
    await bot.delete_webhook()
    assert len(await bot.get_updates()) == 1


async def test_waiting_updates_can_be_dropped(telegram: LocalTelegram, bot: Bot) -> None:
    telegram.person().send_text("hello")
    await bot.delete_webhook(drop_pending_updates=True)
    assert telegram.state.updates.pending == []


async def test_a_webhook_in_the_open_must_be_https(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="https"):
        await bot.set_webhook("http://example.invalid/hook")
