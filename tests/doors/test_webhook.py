"""The webhook: what Telegram brings is safe before it is answered, and nobody else is let in."""

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

from bot.doors.webhook import MOST_BYTES, SECRET_HEADER
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram.refusals import bad_request
from bot.settings import CannotRun
from tests.house import House, a_house
from tests.talk.updates import GROUP, PHOTO, message
from tests.world import rows


class Brought:
    """A bot with its door open, and somebody who brings it things."""

    def __init__(self, house: House, session: aiohttp.ClientSession) -> None:
        self.house = house
        self._session = session
        self.secret = house.bot.settings.webhook_secret

    async def bring(self, body: bytes, secret: str | None = None) -> int:
        """Bring something with a secret, the right one unless another is said."""
        headers = {SECRET_HEADER: self.secret if secret is None else secret}
        url = f"{self.house.front.door}/telegram/webhook"
        async with self._session.post(url, data=io.BytesIO(body), headers=headers) as answer:
            assert not await answer.read() or answer.status >= 400
            return answer.status

    async def update(self, update: dict[str, Any], secret: str | None = None) -> int:
        """Bring an update."""
        return await self.bring(json.dumps(update).encode(), secret)

    def kept(self) -> list[int]:
        """Return the ids in the inbox."""
        found = rows(Path(self.house.bot.settings.database_path), "SELECT update_id FROM inbox ORDER BY update_id")
        return [row["update_id"] for row in found]


@pytest.fixture
async def brought(tmp_path: Path) -> AsyncIterator[Brought]:
    """A bot to which Telegram brings its updates."""
    async with a_house(tmp_path, is_called=True, telegram_updates="webhook") as house, aiohttp.ClientSession() as http:
        yield Brought(house, http)


async def test_an_update_is_stored_before_it_is_answered(brought: Brought) -> None:
    assert await brought.update(message(7, text="hello")) == 200
    assert brought.kept() == [7]


async def test_the_same_update_twice_is_kept_and_counted_once(brought: Brought) -> None:
    assert [await brought.update(message(7, text="hello")) for _ in range(2)] == [200, 200]
    assert brought.kept() == [7]
    assert brought.house.bot.meters.updates.values == {(): 1}


@pytest.mark.parametrize("secret", ["", "wrong", "ü"])
async def test_whoever_does_not_know_the_secret_is_turned_away(
    brought: Brought, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    with caplog.at_level(logging.WARNING):
        answers = [await brought.update(message(7, text="hello"), secret) for _ in range(3)]
    assert (answers, brought.kept()) == ([403] * 3, [])
    assert caplog.text.count("does not know the secret") == 1
    assert brought.secret not in caplog.text


async def test_what_cannot_be_kept_is_not_taken_for_safe(brought: Brought) -> None:
    await brought.house.bot.db.close()
    assert await brought.update(message(7, text="hello")) == 503


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b'{"update_id": "x"}', b'{"no": "id"}', b"\xff\xfe"])
async def test_what_has_no_id_is_not_asked_for_again(brought: Brought, body: bytes) -> None:
    assert await brought.bring(body) == 200
    assert brought.kept() == []


@given(body=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
async def test_any_body_gets_an_answer(brought: Brought, body: bytes) -> None:
    assert await brought.bring(body) == 200


async def test_what_is_too_large_is_refused(brought: Brought) -> None:
    assert await brought.bring(b" " * (MOST_BYTES + 1)) == 413
    assert await brought.update(message(7, text="x" * 100_000)) == 200


async def test_a_malformed_update_is_kept_for_somebody_to_look_at(brought: Brought) -> None:
    assert await brought.update({"update_id": 7, "message": {"chat": {"id": 5}, "text": 5}}) == 200
    assert brought.kept() == [7]


async def test_group_chatter_is_answered_and_never_stored(brought: Brought) -> None:
    assert await brought.update(message(7, chat=GROUP, photo=PHOTO, caption="the beach")) == 200
    assert brought.kept() == []


async def test_an_album_waits_for_nobody_inside_a_request(brought: Brought) -> None:
    for number, caption in ((7, None), (8, "/edit a duel"), (9, None)):
        content: dict[str, Any] = {"photo": PHOTO, "media_group_id": "a", "message_id": number, "chat": GROUP}
        content |= {"caption": caption} if caption else {}
        assert await brought.update(message(number, **content)) == 200
    assert brought.kept() == [7, 8, 9]


# -- the address that Telegram knows


def _webhook(brought: Brought) -> dict[str, Any]:
    return dict(brought.house.telegram.cloud.webhook or {})


async def test_telegram_is_told_where_to_bring_updates_and_drops_none(brought: Brought) -> None:
    brought.house.ada.send_text("hello")
    await brought.house.bot._introduce()
    assert _webhook(brought)["url"] == f"{brought.house.front.url}/telegram/webhook"
    assert _webhook(brought)["secret_token"] == brought.secret
    assert not _webhook(brought).get("drop_pending_updates")
    await brought.house.telegram.wait_for(lambda telegram: not telegram.cloud.updates.pending, 5)
    assert len(brought.kept()) == 1


async def test_an_address_that_telegram_does_not_take_is_named(brought: Brought) -> None:
    brought.house.telegram.faults.always("setWebhook", bad_request("bad webhook: IP address 10.0.0.1 is reserved"))
    with pytest.raises(CannotRun, match=r"PUBLIC_URL: .*is reserved"):
        await brought.house.bot._introduce()


async def test_what_somebody_else_has_changed_is_set_right(brought: Brought, caplog: pytest.LogCaptureFixture) -> None:
    assert brought.house.bot.hook is not None
    await brought.house.bot.hook.set()
    brought.house.telegram.cloud.webhook = None
    with caplog.at_level(logging.WARNING):
        await brought.house.bot.hook.look()
    assert _webhook(brought)["url"].startswith(brought.house.front.url)
    assert "set right" in caplog.text


async def test_that_telegram_cannot_bring_them_is_said_once(brought: Brought, caplog: pytest.LogCaptureFixture) -> None:
    hook = brought.house.bot.hook
    assert hook is not None
    await hook.set()
    brought.house.telegram.cloud.webhook = _webhook(brought) | {"last_error_date": 5, "last_error_message": "502"}
    with caplog.at_level(logging.WARNING):
        await hook.look()
        await hook.look()
    assert caplog.text.count("could not bring an update") == 1


async def test_a_telegram_that_is_away_is_asked_again_later(brought: Brought) -> None:
    assert brought.house.bot.hook is not None
    brought.house.telegram.faults.add("getWebhookInfo", Fault(Kind.CUT_BEFORE))
    await brought.house.bot.hook.look()
