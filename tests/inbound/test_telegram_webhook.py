"""The webhook stores updates before it answers, and refuses everybody but Telegram."""

import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.inbound.telegram_webhook import MAX_BODY_BYTES, SECRET_HEADER
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import bad_request
from bot.settings import CannotRun
from tests.bot_harness import BotHarness, open_bot_harness
from tests.handlers.sample_updates import GROUP_CHAT, PHOTO_SIZES, make_update
from tests.process_harness import query_database


class WebhookSender:
    """A bot with a webhook, and a client that plays Telegram."""

    def __init__(self, house: BotHarness, session: aiohttp.ClientSession) -> None:
        self.harness = house
        self._session = session
        self.secret = house.bot.settings.webhook_secret

    async def post(self, body: bytes, secret: str | None = None) -> int:
        """Send a body with a secret, the right one by default."""
        headers = {SECRET_HEADER: self.secret if secret is None else secret}
        url = f"{self.harness.reverse_proxy.upstream}/telegram/webhook"
        async with self._session.post(url, data=io.BytesIO(body), headers=headers) as answer:
            assert not await answer.read() or answer.status >= 400
            return answer.status

    async def post_update(self, update: dict[str, Any], secret: str | None = None) -> int:
        """Send an update."""
        return await self.post(json.dumps(update).encode(), secret)

    def stored_update_ids(self) -> list[int]:
        """Return the ids in the inbox."""
        found = query_database(
            Path(self.harness.bot.settings.database_path), "SELECT update_id FROM inbox ORDER BY update_id"
        )
        return [row["update_id"] for row in found]


@pytest.fixture
async def sender(tmp_path: Path) -> AsyncIterator[WebhookSender]:
    """A bot that receives its updates by webhook."""
    async with (
        open_bot_harness(tmp_path, is_called=True, telegram_updates="webhook") as house,
        aiohttp.ClientSession() as http,
    ):
        yield WebhookSender(house, http)


async def test_an_update_is_stored_before_it_is_answered(sender: WebhookSender) -> None:
    assert await sender.post_update(make_update(7, text="hello")) == 200
    assert sender.stored_update_ids() == [7]


async def test_the_same_update_twice_is_kept_and_counted_once(sender: WebhookSender) -> None:
    assert [await sender.post_update(make_update(7, text="hello")) for _ in range(2)] == [200, 200]
    assert sender.stored_update_ids() == [7]
    assert sender.harness.bot.metrics.registry.get_sample_value("darkroom_updates_total") == 1


@pytest.mark.parametrize("secret", ["", "wrong", "ü"])
async def test_whoever_does_not_know_the_secret_is_turned_away(
    sender: WebhookSender, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    with caplog.at_level(logging.WARNING):
        answers = [await sender.post_update(make_update(7, text="hello"), secret) for _ in range(3)]
    assert (answers, sender.stored_update_ids()) == ([403] * 3, [])
    assert caplog.text.count("without the secret") == 1
    assert sender.secret not in caplog.text


async def test_what_cannot_be_kept_is_not_taken_for_safe(sender: WebhookSender) -> None:
    await sender.harness.bot.db.close()
    assert await sender.post_update(make_update(7, text="hello")) == 503


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b'{"update_id": "x"}', b'{"no": "id"}', b"\xff\xfe"])
async def test_what_has_no_id_is_not_asked_for_again(sender: WebhookSender, body: bytes) -> None:
    assert await sender.post(body) == 200
    assert sender.stored_update_ids() == []


@given(body=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
async def test_any_body_gets_an_answer(sender: WebhookSender, body: bytes) -> None:
    assert await sender.post(body) == 200


async def test_what_is_too_large_is_refused(sender: WebhookSender) -> None:
    assert await sender.post(b" " * (MAX_BODY_BYTES + 1)) == 413
    assert await sender.post_update(make_update(7, text="x" * 100_000)) == 200


async def test_a_malformed_update_is_kept_for_somebody_to_look_at(sender: WebhookSender) -> None:
    assert await sender.post_update({"update_id": 7, "message": {"chat": {"id": 5}, "text": 5}}) == 200
    assert sender.stored_update_ids() == [7]


async def test_group_chatter_is_answered_and_never_stored(sender: WebhookSender) -> None:
    assert await sender.post_update(make_update(7, chat=GROUP_CHAT, photo=PHOTO_SIZES, caption="the beach")) == 200
    assert sender.stored_update_ids() == []


async def test_an_album_waits_for_nobody_inside_a_request(sender: WebhookSender) -> None:
    for number, caption in ((7, None), (8, "/edit a duel"), (9, None)):
        content: dict[str, Any] = {
            "photo": PHOTO_SIZES,
            "media_group_id": "a",
            "message_id": number,
            "chat": GROUP_CHAT,
        }
        content |= {"caption": caption} if caption else {}
        assert await sender.post_update(make_update(number, **content)) == 200
    assert sender.stored_update_ids() == [7, 8, 9]


# -- the webhook that is registered with Telegram


def _webhook_status(sender: WebhookSender) -> dict[str, Any]:
    return dict(sender.harness.telegram.state.webhook or {})


async def test_telegram_is_told_where_to_bring_updates_and_drops_none(sender: WebhookSender) -> None:
    sender.harness.ada.send_text("hello")
    await sender.harness.bot._fetch_identity()
    assert _webhook_status(sender)["url"] == f"{sender.harness.reverse_proxy.url}/telegram/webhook"
    assert _webhook_status(sender)["secret_token"] == sender.secret
    assert not _webhook_status(sender).get("drop_pending_updates")
    await sender.harness.telegram.wait_for(lambda telegram: not telegram.state.updates.pending, 5)
    assert len(sender.stored_update_ids()) == 1


async def test_an_address_that_telegram_does_not_take_is_named(sender: WebhookSender) -> None:
    sender.harness.telegram.faults.always("setWebhook", bad_request("bad webhook: IP address 10.0.0.1 is reserved"))
    with pytest.raises(CannotRun, match=r"PUBLIC_URL: .*is reserved"):
        await sender.harness.bot._fetch_identity()


async def test_what_somebody_else_has_changed_is_set_right(
    sender: WebhookSender, caplog: pytest.LogCaptureFixture
) -> None:
    assert sender.harness.bot.webhook is not None
    await sender.harness.bot.webhook.register()
    sender.harness.telegram.state.webhook = None
    with caplog.at_level(logging.WARNING):
        await sender.harness.bot.webhook.check()
    assert _webhook_status(sender)["url"].startswith(sender.harness.reverse_proxy.url)
    assert "registered again" in caplog.text


async def test_that_telegram_cannot_bring_them_is_said_once(
    sender: WebhookSender, caplog: pytest.LogCaptureFixture
) -> None:
    webhook = sender.harness.bot.webhook
    assert webhook is not None
    await webhook.register()
    sender.harness.telegram.state.webhook = _webhook_status(sender) | {
        "last_error_date": 5,
        "last_error_message": "502",
    }
    with caplog.at_level(logging.WARNING):
        await webhook.check()
        await webhook.check()
    assert caplog.text.count("could not send an update") == 1


async def test_a_telegram_that_is_away_is_asked_again_later(sender: WebhookSender) -> None:
    assert sender.harness.bot.webhook is not None
    sender.harness.telegram.faults.add("getWebhookInfo", Fault(FaultKind.DISCONNECT_BEFORE))
    await sender.harness.bot.webhook.check()
