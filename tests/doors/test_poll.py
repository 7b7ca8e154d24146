"""The long poll: stores before it confirms, and never hangs, spins or dies in silence."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.chat.client import Me, certificates
from bot.chat.updates import Updates
from bot.doors.letters import Letters
from bot.doors.poll import Poll
from bot.meters import Meters
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.refusals import conflict, too_many, unauthorized
from bot.settings import CannotRun, MustRestart
from bot.store.connection import Database
from bot.talk.address import Address
from tests import oracle
from tests.talk.updates import GROUP, PHOTO, message
from tests.world import TOKEN


class Desk:
    """A poll between a local Telegram and a real database."""

    def __init__(self, telegram: LocalTelegram, db: Database, updates: Updates) -> None:
        self.telegram = telegram
        self.db = db
        self.now = 0.0
        self.woken = 0
        self.address = Address()
        self.address.meet(Me(424242, "darkroom_bot"))
        letters = Letters(db, self.address, Meters().updates, clock=lambda: 1, wake_others=self._wake)
        self.poll = Poll(updates, letters, monotonic=lambda: self.now, rival_patience=60.0)

    def _wake(self) -> None:
        self.woken += 1

    async def kept(self) -> list[dict[str, Any]]:
        """Return the updates in the inbox."""
        rows = await self.db.unit(lambda tx: tx.inbox._db.execute("SELECT body FROM inbox").fetchall())
        return [json.loads(row["body"]) for row in rows]

    def offsets(self) -> list[object]:
        """Return what each question has confirmed."""
        return [call.params["offset"] for call in self.telegram.calls if call.method == "getUpdates"]


@asynccontextmanager
async def a_desk(folder: Path, **timing: Any) -> AsyncIterator[Desk]:
    """Open a desk."""
    telegram = LocalTelegram(token=TOKEN, check=oracle.check)
    await telegram.start()
    db = await Database.open(str(folder / "darkroom.db"))
    updates = Updates(token=TOKEN, api_url=telegram.url, tls=certificates(), redact=str, **timing)
    yield Desk(telegram, db, updates)
    await updates.aclose()
    await db.close()
    await telegram.stop()
    assert telegram.complaints == []


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with the usual patience."""
    async with a_desk(tmp_path) as opened:
        yield opened


async def test_an_update_is_stored_before_it_is_confirmed(desk: Desk) -> None:
    ada = desk.telegram.person()
    ada.send_text("hello")
    assert await desk.poll.once() == 0.0
    assert [update["message"]["text"] for update in await desk.kept()] == ["hello"]
    assert desk.offsets() == [0]
    assert desk.woken == 1


async def test_the_next_question_confirms_what_was_stored(desk: Desk) -> None:
    ada = desk.telegram.person()
    ada.send_text("one")
    await desk.poll.once()
    ada.send_text("two")
    await desk.poll.once()
    assert len(await desk.kept()) == 2
    assert desk.offsets() == [0, (await desk.kept())[0]["update_id"] + 1]


async def test_an_update_that_was_not_confirmed_comes_again_and_is_kept_once(desk: Desk) -> None:
    desk.telegram.person().send_text("hello")
    await desk.poll.once()
    letters = Letters(desk.db, Address(), Meters().updates, clock=lambda: 2, wake_others=lambda: None)
    successor = Poll(desk.poll._updates, letters, monotonic=lambda: 0.0)
    await successor.once()
    assert len(await desk.kept()) == 1


async def test_group_chatter_is_confirmed_and_never_stored(desk: Desk) -> None:
    desk.telegram.push(message(chat=GROUP, photo=PHOTO, caption="make it snow"))
    assert await desk.poll.once() == 0.0
    assert await desk.kept() == []


async def test_only_kinds_of_updates_that_can_matter_are_asked_for(desk: Desk) -> None:
    desk.telegram.person().send_text("hello")
    await desk.poll.once()
    assert desk.telegram.calls[0].params["allowed_updates"] == [
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
    ]


@pytest.mark.parametrize(
    "body", [b'[{"no":"id"}]', b"[5,null]", b'[{"update_id":1e9}]', b'[{"update_id":99999999999999999999}]']
)
async def test_updates_without_an_id_make_no_hot_loop(desk: Desk, body: bytes) -> None:
    desk.telegram.faults.always("getUpdates", Fault(Kind.ANSWER, status=200, body=b'{"ok":true,"result":%s}' % body))
    pauses = [await desk.poll.once() for _ in range(7)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    "fault", [HTML_502, Fault(Kind.CUT_BEFORE), Fault(Kind.ANSWER, status=200, body=b'{"ok":true,"result":7}')]
)
async def test_trouble_is_answered_with_growing_pauses_and_ends_with_the_next_answer(desk: Desk, fault: Fault) -> None:
    desk.telegram.faults.add("getUpdates", fault, times=3)
    assert [await desk.poll.once() for _ in range(3)] == [1, 2, 4]
    desk.telegram.person().send_text("hello")
    assert await desk.poll.once() == 0.0
    assert len(await desk.kept()) == 1


async def test_telegrams_own_wish_for_a_pause_is_granted(desk: Desk) -> None:
    desk.telegram.faults.add("getUpdates", too_many(25))
    assert await desk.poll.once() == 25


@pytest.mark.parametrize("fault", [unauthorized(), Fault(Kind.ANSWER, status=404, body=b"{}")])
async def test_a_token_that_telegram_does_not_know_ends_the_bot_with_the_remedy(desk: Desk, fault: Fault) -> None:
    desk.telegram.faults.add("getUpdates", fault)
    with pytest.raises(CannotRun, match="TELEGRAM_BOT_TOKEN is not known to Telegram: copy"):
        await desk.poll.once()


async def test_a_rival_is_put_up_with_for_a_while_and_then_named(desk: Desk) -> None:
    desk.telegram.faults.always("getUpdates", conflict())
    await desk.poll.once()
    desk.now = 59.0
    await desk.poll.once()
    desk.now = 61.0
    with pytest.raises(MustRestart, match="another program receives the updates"):
        await desk.poll.once()


async def test_a_rival_is_named_even_when_some_questions_succeed_between_its_own(desk: Desk) -> None:
    ada = desk.telegram.person()
    for _ in range(6):
        desk.telegram.faults.add("getUpdates", conflict())
        await desk.poll.once()
        ada.send_text("hello")
        await desk.poll.once()
        desk.now += 10.0
    desk.telegram.faults.add("getUpdates", conflict())
    with pytest.raises(MustRestart):
        await desk.poll.once()


async def test_a_rival_that_goes_away_is_forgotten(desk: Desk) -> None:
    desk.telegram.faults.add("getUpdates", conflict())
    await desk.poll.once()
    desk.telegram.person().send_text("hello")
    await desk.poll.once()
    desk.now = 1000.0
    desk.telegram.faults.add("getUpdates", conflict())
    assert await desk.poll.once() > 0


async def test_a_stalled_poll_is_noticed_and_rebuilt(tmp_path: Path) -> None:
    async with a_desk(tmp_path, poll_timeout=0, overdue=1.0) as desk:
        desk.telegram.faults.add("getUpdates", Fault(Kind.HANG))
        wedged = desk.poll._updates._request
        assert await desk.poll.once() == 1.0
        assert desk.poll._updates._request is not wedged
        desk.telegram.person().send_text("hello")
        await desk.poll.once()
        assert len(await desk.kept()) == 1


async def test_the_time_of_the_last_good_answer_is_known(desk: Desk) -> None:
    desk.now = 5.0
    desk.telegram.person().send_text("hello")
    await desk.poll.once()
    desk.now = 9.0
    desk.telegram.faults.add("getUpdates", HTML_502)
    await desk.poll.once()
    assert desk.poll.fresh_at == 5.0
