"""Long polling stores updates before it confirms them, and never hangs, spins or dies silently."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.handlers.addressed_to_bot import UpdateFilter
from bot.inbound.long_polling import LongPoller, TokenRejection
from bot.inbound.update_recorder import UpdateRecorder
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.errors import conflict, too_many_requests, unauthorized
from bot.settings import CannotRun, MustRestart
from bot.store.database import Database
from bot.telegram.client import BotAccount, TelegramClient, load_tls_context
from tests import bot_api_validator
from tests.bot_harness import BotHarness, open_bot_harness
from tests.handlers.sample_updates import GROUP_CHAT, PHOTO_SIZES, make_update
from tests.process_harness import TOKEN


class LongPollingHarness:
    """A poller between a local Telegram and a real database."""

    def __init__(self, telegram: LocalTelegram, db: Database, client: TelegramClient) -> None:
        self.telegram = telegram
        self.db = db
        self.now = 0.0
        self.wakeups = 0
        self.update_filter = UpdateFilter()
        self.update_filter.set_identity(BotAccount(424242, "darkroom_bot"))
        recorder = UpdateRecorder(db, self.update_filter, lambda _: None, clock=lambda: 1, wake_others=self._wake)
        token_rejection = TokenRejection(client.get_me, monotonic=lambda: self.now)
        self.poll = LongPoller(client, recorder, token_rejection, monotonic=lambda: self.now)

    def _wake(self) -> None:
        self.wakeups += 1

    async def stored_updates(self) -> list[dict[str, Any]]:
        """Return the updates in the inbox."""
        rows = await self.db.transact(lambda tx: tx.inbox._db.execute("SELECT body FROM inbox").fetchall())
        return [json.loads(row["body"]) for row in rows]

    def confirmed_offsets(self) -> list[object]:
        """Return the offset of each poll."""
        return [call.params["offset"] for call in self.telegram.calls if call.method == "getUpdates"]


@asynccontextmanager
async def open_long_polling_harness(folder: Path, **timing: Any) -> AsyncIterator[LongPollingHarness]:
    """Open a poller with its two neighbours."""
    telegram = LocalTelegram(token=TOKEN, check=bot_api_validator.validate_request)
    await telegram.start()
    db = await Database.open(str(folder / "darkroom.db"))
    client = TelegramClient(token=TOKEN, api_url=telegram.url, tls=load_tls_context(), redact=str, **timing)
    yield LongPollingHarness(telegram, db, client)
    await client.aclose()
    await db.close()
    await telegram.stop()
    assert telegram.check_failures == []


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[LongPollingHarness]:
    """A poller with the default timeouts."""
    async with open_long_polling_harness(tmp_path) as opened:
        yield opened


async def test_an_update_is_stored_before_it_is_confirmed(harness: LongPollingHarness) -> None:
    ada = harness.telegram.person()
    ada.send_text("hello")
    assert await harness.poll.poll_once() == 0.0
    assert [update["message"]["text"] for update in await harness.stored_updates()] == ["hello"]
    assert harness.confirmed_offsets() == [0]
    assert harness.wakeups == 1


async def test_the_next_question_confirms_what_was_stored(harness: LongPollingHarness) -> None:
    ada = harness.telegram.person()
    ada.send_text("one")
    await harness.poll.poll_once()
    ada.send_text("two")
    await harness.poll.poll_once()
    assert len(await harness.stored_updates()) == 2
    assert harness.confirmed_offsets() == [0, (await harness.stored_updates())[0]["update_id"] + 1]


async def test_an_update_that_was_not_confirmed_comes_again_and_is_kept_once(harness: LongPollingHarness) -> None:
    harness.telegram.person().send_text("hello")
    await harness.poll.poll_once()
    recorder = UpdateRecorder(harness.db, UpdateFilter(), lambda _: None, clock=lambda: 2, wake_others=lambda: None)
    successor = LongPoller(harness.poll._telegram, recorder, harness.poll._token_rejection, monotonic=lambda: 0.0)
    await successor.poll_once()
    assert len(await harness.stored_updates()) == 1


async def test_group_chatter_is_confirmed_and_never_stored(harness: LongPollingHarness) -> None:
    harness.telegram.push(make_update(chat=GROUP_CHAT, photo=PHOTO_SIZES, caption="make it snow"))
    assert await harness.poll.poll_once() == 0.0
    assert await harness.stored_updates() == []


async def test_only_kinds_of_updates_that_can_matter_are_asked_for(harness: LongPollingHarness) -> None:
    harness.telegram.person().send_text("hello")
    await harness.poll.poll_once()
    assert harness.telegram.calls[0].params["allowed_updates"] == [
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
    ]


@pytest.mark.parametrize(
    "body", [b'[{"no":"id"}]', b"[5,null]", b'[{"update_id":1e9}]', b'[{"update_id":99999999999999999999}]']
)
async def test_updates_without_an_id_make_no_hot_loop(harness: LongPollingHarness, body: bytes) -> None:
    harness.telegram.faults.always(
        "getUpdates", Fault(FaultKind.RESPOND, status=200, body=b'{"ok":true,"result":%s}' % body)
    )
    pauses = [await harness.poll.poll_once() for _ in range(7)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    "fault",
    [
        HTML_502,
        Fault(FaultKind.DISCONNECT_BEFORE),
        Fault(FaultKind.RESPOND, status=200, body=b'{"ok":true,"result":7}'),
    ],
)
async def test_trouble_is_answered_with_growing_pauses_and_ends_with_the_next_answer(
    harness: LongPollingHarness, fault: Fault
) -> None:
    harness.telegram.faults.add("getUpdates", fault, times=3)
    assert [await harness.poll.poll_once() for _ in range(3)] == [1, 2, 4]
    harness.telegram.person().send_text("hello")
    assert await harness.poll.poll_once() == 0.0
    assert len(await harness.stored_updates()) == 1


async def test_telegrams_own_wish_for_a_pause_is_granted(harness: LongPollingHarness) -> None:
    harness.telegram.faults.add("getUpdates", too_many_requests(25))
    assert await harness.poll.poll_once() == 25


NOT_FOUND = Fault(FaultKind.RESPOND, status=404, body=b'{"ok":false,"error_code":404,"description":"Not Found"}')


@pytest.mark.parametrize("fault", [unauthorized(), NOT_FOUND])
async def test_a_token_that_telegram_refuses_for_a_minute_ends_the_bot_with_the_remedy(
    harness: LongPollingHarness, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    harness.telegram.faults.always("getUpdates", fault)
    harness.telegram.faults.always("getMe", fault)
    assert await harness.poll.poll_once() == 1
    assert "TELEGRAM_BOT_TOKEN is not known to Telegram: copy" in caplog.text, "at once"
    harness.now = 59.0
    await harness.poll.poll_once()
    harness.now = 60.0
    with pytest.raises(CannotRun, match="TELEGRAM_BOT_TOKEN is not known to Telegram: copy"):
        await harness.poll.poll_once()


@pytest.mark.parametrize("fault", [unauthorized(), NOT_FOUND])
async def test_a_refusal_of_the_token_that_passes_is_forgotten(harness: LongPollingHarness, fault: Fault) -> None:
    harness.telegram.faults.always("getMe", unauthorized())
    harness.telegram.faults.add("getUpdates", fault)
    await harness.poll.poll_once()
    harness.telegram.person().send_text("hello")
    assert await harness.poll.poll_once() == 0.0
    harness.now = 1000.0
    harness.telegram.faults.add("getUpdates", fault)
    assert await harness.poll.poll_once() == 1


async def test_a_token_that_get_me_takes_is_good_whatever_another_question_is_told(harness: LongPollingHarness) -> None:
    harness.telegram.faults.always("getUpdates", unauthorized())
    for harness.now in (0.0, 60.0, 119.0, 240.0):
        assert await harness.poll.poll_once() > 0


@pytest.mark.parametrize("status", [401, 404])
async def test_a_gateways_page_says_nothing_about_the_token(harness: LongPollingHarness, status: int) -> None:
    page = Fault(FaultKind.RESPOND, status=status, body=b"<html>nginx</html>")
    harness.telegram.faults.always("getUpdates", page)
    harness.telegram.faults.always("getMe", page)
    for harness.now in (0.0, 60.0, 600.0):
        assert await harness.poll.poll_once() > 0


async def test_a_rival_is_put_up_with_for_a_while_and_then_named(harness: LongPollingHarness) -> None:
    harness.telegram.faults.always("getUpdates", conflict())
    await harness.poll.poll_once()
    harness.now = 59.0
    await harness.poll.poll_once()
    harness.now = 61.0
    with pytest.raises(MustRestart, match="another program receives the updates"):
        await harness.poll.poll_once()


async def test_a_rival_is_named_even_when_some_questions_succeed_between_its_own(harness: LongPollingHarness) -> None:
    ada = harness.telegram.person()
    for _ in range(6):
        harness.telegram.faults.add("getUpdates", conflict())
        await harness.poll.poll_once()
        ada.send_text("hello")
        await harness.poll.poll_once()
        harness.now += 10.0
    harness.telegram.faults.add("getUpdates", conflict())
    with pytest.raises(MustRestart):
        await harness.poll.poll_once()


async def test_a_rival_that_goes_away_is_forgotten(harness: LongPollingHarness) -> None:
    harness.telegram.faults.add("getUpdates", conflict())
    await harness.poll.poll_once()
    harness.telegram.person().send_text("hello")
    await harness.poll.poll_once()
    harness.now = 1000.0
    harness.telegram.faults.add("getUpdates", conflict())
    assert await harness.poll.poll_once() > 0


async def test_a_stalled_poll_is_noticed_and_rebuilt(tmp_path: Path) -> None:
    async with open_long_polling_harness(tmp_path, poll_timeout=0, poll_deadline=1.0) as harness:
        harness.telegram.faults.add("getUpdates", Fault(FaultKind.HANG))
        stalled = harness.poll._telegram._poll_request._client
        assert await harness.poll.poll_once() == 1.0
        assert stalled.is_closed
        harness.telegram.person().send_text("hello")
        await harness.poll.poll_once()
        assert len(await harness.stored_updates()) == 1


async def test_the_time_of_the_last_good_answer_is_known(harness: LongPollingHarness) -> None:
    harness.now = 5.0
    harness.telegram.person().send_text("hello")
    await harness.poll.poll_once()
    harness.now = 9.0
    harness.telegram.faults.add("getUpdates", HTML_502)
    await harness.poll.poll_once()
    assert harness.poll.last_contact_at == 5.0


# -- the token, at the start


HTML_404 = Fault(FaultKind.RESPOND, status=404, body=b"<html>nginx</html>")


@pytest.fixture
async def bot_harness(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot that has not asked Telegram for its account yet."""
    async with open_bot_harness(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("fault", [unauthorized(), HTML_404])
async def test_a_first_question_that_is_refused_in_passing_is_asked_again(
    bot_harness: BotHarness, fault: Fault
) -> None:
    bot_harness.telegram.faults.add("getMe", fault)
    assert await bot_harness.bot.try_fetch_identity(1.0) is None
    me = await bot_harness.bot.try_fetch_identity(1.0)
    assert me is not None
    assert me.username == "darkroom_bot"


async def test_a_token_that_is_refused_for_a_minute_ends_the_start(bot_harness: BotHarness) -> None:
    bot_harness.telegram.faults.always("getMe", unauthorized())
    for _ in range(6):
        assert await bot_harness.bot.try_fetch_identity(1.0) is None
        bot_harness.clock.now += 10.0
    with pytest.raises(CannotRun, match="TELEGRAM_BOT_TOKEN is not known to Telegram: copy"):
        await bot_harness.bot.try_fetch_identity(1.0)


async def test_a_gateways_page_for_an_hour_ends_nothing(bot_harness: BotHarness) -> None:
    bot_harness.telegram.faults.always("getMe", HTML_404)
    for _ in range(60):
        assert await bot_harness.bot.try_fetch_identity(1.0) is None
        bot_harness.clock.now += 60.0
