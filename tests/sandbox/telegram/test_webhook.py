"""With a webhook, updates are posted until they are taken, and polling is refused."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from telegram import Bot
from telegram.error import BadRequest, Conflict

from bot.sandbox.telegram import LocalTelegram


@dataclass
class WebhookReceiver:
    """An HTTP server that takes updates, with the statuses it was told to answer first."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, Any], str | None]] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        self.received.append((await request.json(), request.headers.get("X-Telegram-Bot-Api-Secret-Token")))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


def wait_until_delivered(telegram: LocalTelegram) -> bool:
    return not telegram.state.updates.pending


async def test_updates_are_posted_with_the_secret(telegram: LocalTelegram, bot: Bot, receiver: WebhookReceiver) -> None:
    telegram.person().send_text("hello")
    await bot.set_webhook(receiver.url, secret_token="fake-secret")
    await telegram.wait_for(lambda _: receiver.received, 5)
    update, secret = receiver.received[0]
    assert (update["message"]["text"], secret) == ("hello", "fake-secret")


async def test_a_refused_update_is_posted_again(telegram: LocalTelegram, bot: Bot, receiver: WebhookReceiver) -> None:
    receiver.statuses = [500]
    await bot.set_webhook(receiver.url)
    telegram.person().send_text("hello")
    await telegram.wait_for(lambda _: len(receiver.received) == 2, 5)
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"


async def test_polling_is_refused_while_there_is_a_webhook(bot: Bot, receiver: WebhookReceiver) -> None:
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
    assert wait_until_delivered(telegram)


async def test_a_webhook_in_the_open_must_be_https(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="https"):
        await bot.set_webhook("http://example.invalid/hook")
