"""The long poll: stores before it confirms, and never hangs, spins or dies in silence."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.handlers.addressed_to_bot import UpdateFilter
from bot.inbound.long_polling import LongPoller
from bot.inbound.token_rejection import TokenRejection
from bot.inbound.update_recorder import UpdateRecorder
from bot.metrics import Meters
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.errors import conflict, too_many_requests, unauthorized
from bot.settings import CannotRun, MustRestart
from bot.store.database import Database
from bot.telegram.client import BotAccount, TelegramClient, load_tls_context
from bot.telegram.get_updates import GetUpdatesClient
from tests import bot_api_validator
from tests.handlers.sample_updates import GROUP_CHAT, PHOTO_SIZES, make_update
from tests.process_harness import TOKEN


class LongPollingHarness:
    """A poll between a local Telegram and a real database."""

    def __init__(
        self, telegram: LocalTelegram, db: Database, updates: GetUpdatesClient, me: Callable[[], Awaitable[object]]
    ) -> None:
        self.telegram = telegram
        self.db = db
        self.now = 0.0
        self.wakeups = 0
        self.address = UpdateFilter()
        self.address.set_identity(BotAccount(424242, "darkroom_bot"))
        letters = UpdateRecorder(db, self.address, Meters().updates, clock=lambda: 1, wake_others=self._wake)
        token = TokenRejection(me, monotonic=lambda: self.now, patience=60.0)
        self.poll = LongPoller(updates, letters, token, monotonic=lambda: self.now, rival_patience=60.0)

    def _wake(self) -> None:
        self.wakeups += 1

    async def stored_updates(self) -> list[dict[str, Any]]:
        """Return the updates in the inbox."""
        rows = await self.db.transact(lambda tx: tx.inbox._db.execute("SELECT body FROM inbox").fetchall())
        return [json.loads(row["body"]) for row in rows]

    def confirmed_offsets(self) -> list[object]:
        """Return what each question has confirmed."""
        return [call.params["offset"] for call in self.telegram.calls if call.method == "getUpdates"]


@asynccontextmanager
async def open_long_polling_harness(folder: Path, **timing: Any) -> AsyncIterator[LongPollingHarness]:
    """Open a desk."""
    telegram = LocalTelegram(token=TOKEN, check=bot_api_validator.validate_request)
    await telegram.start()
    db = await Database.open(str(folder / "darkroom.db"))
    updates = GetUpdatesClient(token=TOKEN, api_url=telegram.url, tls=load_tls_context(), redact=str, **timing)
    chat = TelegramClient(token=TOKEN, api_url=telegram.url, tls=load_tls_context(), redact=str)
    yield LongPollingHarness(telegram, db, updates, chat.get_me)
    await updates.aclose()
    await chat.aclose()
    await db.close()
    await telegram.stop()
    assert telegram.check_failures == []


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[LongPollingHarness]:
    """A desk with the usual patience."""
    async with open_long_polling_harness(tmp_path) as opened:
        yield opened


async def test_an_update_is_stored_before_it_is_confirmed(desk: LongPollingHarness) -> None:
    ada = desk.telegram.person()
    ada.send_text("hello")
    assert await desk.poll.poll_once() == 0.0
    assert [update["message"]["text"] for update in await desk.stored_updates()] == ["hello"]
    assert desk.confirmed_offsets() == [0]
    assert desk.wakeups == 1


async def test_the_next_question_confirms_what_was_stored(desk: LongPollingHarness) -> None:
    ada = desk.telegram.person()
    ada.send_text("one")
    await desk.poll.poll_once()
    ada.send_text("two")
    await desk.poll.poll_once()
    assert len(await desk.stored_updates()) == 2
    assert desk.confirmed_offsets() == [0, (await desk.stored_updates())[0]["update_id"] + 1]


async def test_an_update_that_was_not_confirmed_comes_again_and_is_kept_once(desk: LongPollingHarness) -> None:
    desk.telegram.person().send_text("hello")
    await desk.poll.poll_once()
    letters = UpdateRecorder(desk.db, UpdateFilter(), Meters().updates, clock=lambda: 2, wake_others=lambda: None)
    successor = LongPoller(desk.poll._client, letters, desk.poll._token_rejection, monotonic=lambda: 0.0)
    await successor.poll_once()
    assert len(await desk.stored_updates()) == 1


async def test_group_chatter_is_confirmed_and_never_stored(desk: LongPollingHarness) -> None:
    desk.telegram.push(make_update(chat=GROUP_CHAT, photo=PHOTO_SIZES, caption="make it snow"))
    assert await desk.poll.poll_once() == 0.0
    assert await desk.stored_updates() == []


async def test_only_kinds_of_updates_that_can_matter_are_asked_for(desk: LongPollingHarness) -> None:
    desk.telegram.person().send_text("hello")
    await desk.poll.poll_once()
    assert desk.telegram.calls[0].params["allowed_updates"] == [
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
    ]


@pytest.mark.parametrize(
    "body", [b'[{"no":"id"}]', b"[5,null]", b'[{"update_id":1e9}]', b'[{"update_id":99999999999999999999}]']
)
async def test_updates_without_an_id_make_no_hot_loop(desk: LongPollingHarness, body: bytes) -> None:
    desk.telegram.faults.always(
        "getUpdates", Fault(FaultKind.ANSWER, status=200, body=b'{"ok":true,"result":%s}' % body)
    )
    pauses = [await desk.poll.poll_once() for _ in range(7)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    "fault",
    [HTML_502, Fault(FaultKind.CUT_BEFORE), Fault(FaultKind.ANSWER, status=200, body=b'{"ok":true,"result":7}')],
)
async def test_trouble_is_answered_with_growing_pauses_and_ends_with_the_next_answer(
    desk: LongPollingHarness, fault: Fault
) -> None:
    desk.telegram.faults.add("getUpdates", fault, times=3)
    assert [await desk.poll.poll_once() for _ in range(3)] == [1, 2, 4]
    desk.telegram.person().send_text("hello")
    assert await desk.poll.poll_once() == 0.0
    assert len(await desk.stored_updates()) == 1


async def test_telegrams_own_wish_for_a_pause_is_granted(desk: LongPollingHarness) -> None:
    desk.telegram.faults.add("getUpdates", too_many_requests(25))
    assert await desk.poll.poll_once() == 25


NOT_FOUND = Fault(FaultKind.ANSWER, status=404, body=b'{"ok":false,"error_code":404,"description":"Not Found"}')


@pytest.mark.parametrize("fault", [unauthorized(), NOT_FOUND])
async def test_a_token_that_telegram_refuses_for_a_minute_ends_the_bot_with_the_remedy(
    desk: LongPollingHarness, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    desk.telegram.faults.always("getUpdates", fault)
    desk.telegram.faults.always("getMe", fault)
    assert await desk.poll.poll_once() == 1
    assert "TELEGRAM_BOT_TOKEN is not known to Telegram: copy" in caplog.text, "at once"
    desk.now = 59.0
    await desk.poll.poll_once()
    desk.now = 60.0
    with pytest.raises(CannotRun, match="TELEGRAM_BOT_TOKEN is not known to Telegram: copy"):
        await desk.poll.poll_once()


@pytest.mark.parametrize("fault", [unauthorized(), NOT_FOUND])
async def test_a_refusal_of_the_token_that_passes_is_forgotten(desk: LongPollingHarness, fault: Fault) -> None:
    desk.telegram.faults.always("getMe", unauthorized())
    desk.telegram.faults.add("getUpdates", fault)
    await desk.poll.poll_once()
    desk.telegram.person().send_text("hello")
    assert await desk.poll.poll_once() == 0.0
    desk.now = 1000.0
    desk.telegram.faults.add("getUpdates", fault)
    assert await desk.poll.poll_once() == 1


async def test_a_token_that_get_me_takes_is_good_whatever_another_question_is_told(desk: LongPollingHarness) -> None:
    desk.telegram.faults.always("getUpdates", unauthorized())
    for desk.now in (0.0, 60.0, 119.0, 240.0):
        assert await desk.poll.poll_once() > 0


@pytest.mark.parametrize("status", [401, 404])
async def test_a_gateways_page_says_nothing_about_the_token(desk: LongPollingHarness, status: int) -> None:
    page = Fault(FaultKind.ANSWER, status=status, body=b"<html>nginx</html>")
    desk.telegram.faults.always("getUpdates", page)
    desk.telegram.faults.always("getMe", page)
    for desk.now in (0.0, 60.0, 600.0):
        assert await desk.poll.poll_once() > 0


async def test_a_rival_is_put_up_with_for_a_while_and_then_named(desk: LongPollingHarness) -> None:
    desk.telegram.faults.always("getUpdates", conflict())
    await desk.poll.poll_once()
    desk.now = 59.0
    await desk.poll.poll_once()
    desk.now = 61.0
    with pytest.raises(MustRestart, match="another program receives the updates"):
        await desk.poll.poll_once()


async def test_a_rival_is_named_even_when_some_questions_succeed_between_its_own(desk: LongPollingHarness) -> None:
    ada = desk.telegram.person()
    for _ in range(6):
        desk.telegram.faults.add("getUpdates", conflict())
        await desk.poll.poll_once()
        ada.send_text("hello")
        await desk.poll.poll_once()
        desk.now += 10.0
    desk.telegram.faults.add("getUpdates", conflict())
    with pytest.raises(MustRestart):
        await desk.poll.poll_once()


async def test_a_rival_that_goes_away_is_forgotten(desk: LongPollingHarness) -> None:
    desk.telegram.faults.add("getUpdates", conflict())
    await desk.poll.poll_once()
    desk.telegram.person().send_text("hello")
    await desk.poll.poll_once()
    desk.now = 1000.0
    desk.telegram.faults.add("getUpdates", conflict())
    assert await desk.poll.poll_once() > 0


async def test_a_stalled_poll_is_noticed_and_rebuilt(tmp_path: Path) -> None:
    async with open_long_polling_harness(tmp_path, poll_timeout=0, overdue=1.0) as desk:
        desk.telegram.faults.add("getUpdates", Fault(FaultKind.HANG))
        wedged = desk.poll._client._request
        assert await desk.poll.poll_once() == 1.0
        assert desk.poll._client._request is not wedged
        desk.telegram.person().send_text("hello")
        await desk.poll.poll_once()
        assert len(await desk.stored_updates()) == 1


async def test_the_time_of_the_last_good_answer_is_known(desk: LongPollingHarness) -> None:
    desk.now = 5.0
    desk.telegram.person().send_text("hello")
    await desk.poll.poll_once()
    desk.now = 9.0
    desk.telegram.faults.add("getUpdates", HTML_502)
    await desk.poll.poll_once()
    assert desk.poll.last_contact_at == 5.0
