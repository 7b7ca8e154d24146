"""The dispatcher turns each update of the inbox into rows exactly once, whatever fails."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.clock import Instant
from bot.handlers.access import AccessPolicy
from bot.handlers.addressed_to_bot import UpdateFilter
from bot.handlers.dispatch import Dispatcher
from bot.handlers.quotas import DailyLimits, QuotaPolicy
from bot.i18n import sentence
from bot.job import State
from bot.settings import MustRestart
from bot.store.database import Database, Transaction
from bot.store.inbox import StoredUpdate
from bot.store.outbox import MessageKind
from bot.telegram.client import BotAccount
from tests.handlers.sample_updates import DOCUMENT, PHOTO_SIZES, PRIVATE_CHAT, make_update
from tests.process_harness import render_english

NOON = 1_800_000_000_000
DAY = 86_400_000
ADMIN = 9009
NO_DAILY_LIMITS = DailyLimits(0, 0, 0, 0)
PRIVACY_NOTICE = sentence("privacy", days=30, transport="upload", messages=3, uploads=3, results=14, records=2)


class DispatchHarness:
    """A dispatcher on a real database."""

    def __init__(self, db: Database, allowed: frozenset[int] = frozenset()) -> None:
        self.db = db
        self.now = NOON
        self.wakeups = 0
        #: the errors that the next attempts raise
        self.errors_to_raise: list[Exception] = []
        access = AccessPolicy(allowed, frozenset({ADMIN}))
        update_filter = UpdateFilter()
        update_filter.set_identity(BotAccount(424242, "darkroom_bot"))
        self.dispatcher = Dispatcher(
            db,
            update_filter,
            access,
            QuotaPolicy(NO_DAILY_LIMITS, access),
            PRIVACY_NOTICE,
            allows_resend=lambda _: True,
            wakeup=asyncio.Event(),
            album_window=2,
            clock=self._clock,
            monotonic=lambda: self.now / 1000,
            wake_worker=self._wake,
            wake_retention=self._wake,
        )

    def _clock(self) -> Instant:
        if self.errors_to_raise:
            raise self.errors_to_raise.pop(0)
        return self.now

    def _wake(self) -> None:
        self.wakeups += 1

    async def handle_updates(self, *updates: dict[str, Any] | str) -> None:
        """Store updates and handle them."""
        await self.store_updates(*updates)
        await self.dispatcher.handle_all()

    async def store_updates(self, *updates: dict[str, Any] | str) -> None:
        """Store updates in the inbox."""
        stored = [
            StoredUpdate(json.loads(each)["update_id"], each, self.now)
            if isinstance(each, str)
            else StoredUpdate(each["update_id"], json.dumps(each), self.now)
            for each in updates
        ]
        await self.db.transact(lambda tx: tx.inbox.add(stored))

    async def queued_texts(self, chat_id: int = 5) -> list[str]:
        """Return the pending texts to a chat."""

        def texts(tx: Transaction) -> list[str]:
            rows = tx.outbox._db.execute(
                "SELECT body FROM outbox WHERE chat_id = ? AND kind = ? AND due_at IS NOT NULL ORDER BY id",
                (chat_id, MessageKind.TEXT),
            )
            return [row["body"] for row in rows]

        return await self.db.transact(texts)

    async def job_states(self) -> list[State]:
        """Return the states of all jobs."""
        return await self.db.transact(
            lambda tx: [State(row["state"]) for row in tx.jobs._db.execute("SELECT state FROM jobs ORDER BY id")]
        )


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A new database."""
    database = await Database.open(str(tmp_path / "darkroom.db"))
    yield database
    await database.close()


@pytest.fixture
def harness(db: Database) -> DispatchHarness:
    """A dispatcher that everybody may use."""
    return DispatchHarness(db)


def _photo_update(update_id: int = 1, **content: Any) -> dict[str, Any]:
    photo: dict[str, Any] = {"photo": PHOTO_SIZES, "caption": "make it snow", "message_id": update_id}
    return make_update(update_id, **(photo | content))


async def test_a_photo_with_a_caption_becomes_a_job_that_is_due_at_once(harness: DispatchHarness) -> None:
    await harness.handle_updates(_photo_update())
    assert await harness.job_states() == [State.QUEUED]
    assert await harness.db.transact(lambda tx: tx.fair_queue.list_to_prepare(NOON, 9)) == [1]
    assert harness.wakeups == 1


async def test_the_same_update_delivered_twice_makes_nothing_twice(harness: DispatchHarness) -> None:
    await harness.handle_updates(_photo_update(1), make_update(2, text="hello", message_id=2))
    await harness.handle_updates(_photo_update(1), make_update(2, text="hello", message_id=2))
    assert len(await harness.job_states()) == 1
    assert len(await harness.queued_texts()) == 1


async def test_the_same_message_under_another_update_id_makes_nothing_twice(harness: DispatchHarness) -> None:
    await harness.handle_updates(_photo_update(1), _photo_update(90, message_id=1))
    assert len(await harness.job_states()) == 1


@pytest.mark.parametrize(
    ("content", "reply_text"),
    [
        (
            {"document": DOCUMENT | {"file_size": 20 * 1024 * 1024 + 1}, "caption": "x"},
            render_english("file-too-large"),
        ),
        ({"text": "make it snow"}, render_english("no-picture")),
        ({"text": "/edit make it snow"}, render_english("no-picture")),
        ({"text": "/start"}, render_english("start")),
        ({"text": "/help"}, render_english("help")),
        ({"text": "/privacy"}, PRIVACY_NOTICE.translate("en")),
        ({"text": "/cancel"}, render_english("nothing-to-cancel")),
        ({"text": "/unknown"}, render_english("unknown-command")),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, render_english("unsupported")),
    ],
)
async def test_everything_else_gets_one_helpful_answer_and_no_job(
    harness: DispatchHarness, content: dict[str, Any], reply_text: str
) -> None:
    await harness.handle_updates(make_update(**content))
    assert await harness.queued_texts() == [reply_text]
    assert await harness.job_states() == []


@pytest.mark.parametrize("caption", ["x" * 5000, "🎨" * 5000])
async def test_a_prompt_is_counted_in_characters_as_people_see_them(harness: DispatchHarness, caption: str) -> None:
    await harness.handle_updates(_photo_update(caption=caption))
    assert await harness.job_states() == [State.QUEUED]


async def test_cancel_takes_back_what_is_not_ordered_and_says_what_is(harness: DispatchHarness) -> None:
    await harness.handle_updates(_photo_update(1), _photo_update(2), _photo_update(3))
    first = await harness.db.transact(lambda tx: tx.jobs.get(1))
    assert first is not None
    await harness.db.transact(lambda tx: tx.jobs.transition(first, State.SUBMITTING, submitted_at=NOON))
    await harness.handle_updates(make_update(4, text="/cancel", message_id=4))
    assert await harness.queued_texts() == [render_english("taken-back-and-coming", count=2, coming=1)]
    assert await harness.job_states() == [State.SUBMITTING, State.CANCELLED, State.CANCELLED]


async def test_cancel_leaves_the_edits_of_others_alone(harness: DispatchHarness) -> None:
    bobs: dict[str, Any] = {"from": _from_bob(), "chat": PRIVATE_CHAT | {"id": 6}}
    await harness.handle_updates(_photo_update(1), make_update(2, text="/cancel", message_id=2, **bobs))
    assert await harness.job_states() == [State.QUEUED]


def _from_bob() -> dict[str, Any]:
    return {"id": 6, "is_bot": False, "first_name": "Bob"}


async def test_a_person_who_blocked_the_bot_has_nothing_ordered(harness: DispatchHarness) -> None:
    await harness.handle_updates(_photo_update(1))
    bot = {"id": 424242, "is_bot": True, "first_name": "Darkroom"}
    change = {
        "chat": PRIVATE_CHAT,
        "from": _from_bob() | {"id": 5},
        "date": 1,
        "old_chat_member": {"status": "member", "user": bot},
        "new_chat_member": {"status": "kicked", "user": bot, "until_date": 0},
    }
    await harness.handle_updates({"update_id": 2, "my_chat_member": change})
    assert await harness.job_states() == [State.CANCELLED]


POISON_UPDATE = make_update(1, text=5, date="yesterday", entities=7)
UNSTORABLE_UPDATE = make_update(1, photo=PHOTO_SIZES, caption="x", message_id={"a": 1})
OVERSIZED_ID_UPDATE = make_update(1, photo=PHOTO_SIZES, caption="x", message_id=1 << 70)


@pytest.mark.parametrize("poison", [UNSTORABLE_UPDATE, OVERSIZED_ID_UPDATE])
async def test_poison_that_only_the_database_minds_is_set_aside_as_well(
    harness: DispatchHarness, poison: dict[str, Any]
) -> None:
    await harness.handle_updates(poison, _photo_update(2))
    assert await harness.job_states() == [State.QUEUED]
    assert "set aside" in (await harness.queued_texts(ADMIN))[0]


@pytest.mark.parametrize("trouble", [OSError(errno.EMFILE, "Too many open files"), MemoryError()])
async def test_an_update_outlives_a_passing_trouble_of_the_machine(
    harness: DispatchHarness, trouble: Exception
) -> None:
    for _ in range(2):
        harness.errors_to_raise = [trouble]
        with pytest.raises(MustRestart, match="update 1"):
            await harness.handle_updates(_photo_update())
        assert await harness.job_states() == []
    await harness.dispatcher.handle_all()  # as after a restart
    assert await harness.job_states() == [State.QUEUED]
    assert await harness.queued_texts() == await harness.queued_texts(ADMIN) == []


async def test_an_update_that_takes_the_memory_each_time_does_not_hold_up_the_others_for_ever(
    harness: DispatchHarness,
) -> None:
    harness.errors_to_raise = [MemoryError(), MemoryError(), MemoryError()]
    for _ in range(2):
        with pytest.raises(MustRestart):
            await harness.handle_updates(_photo_update(), _photo_update(2))
    await harness.dispatcher.handle_all()
    assert await harness.job_states() == [State.QUEUED]
    assert "set aside" in (await harness.queued_texts(ADMIN))[0]
    assert await harness.queued_texts() == [render_english("trouble")]


async def test_an_update_that_is_nested_too_deep_is_to_blame_itself(harness: DispatchHarness) -> None:
    harness.errors_to_raise = [RecursionError()]
    await harness.handle_updates(_photo_update(), _photo_update(2))
    assert await harness.job_states() == [State.QUEUED]
    assert "set aside" in (await harness.queued_texts(ADMIN))[0]


async def test_poison_is_set_aside_and_what_is_behind_it_is_handled(harness: DispatchHarness) -> None:
    await harness.handle_updates(POISON_UPDATE, _photo_update(2))
    assert await harness.job_states() == [State.QUEUED]
    assert "set aside" in (await harness.queued_texts(ADMIN))[0]
    kept = await harness.db.transact(
        lambda tx: tx.inbox._db.execute("SELECT * FROM inbox WHERE quarantine_reason <> ''").fetchall()
    )
    assert [json.loads(row["body"]) for row in kept] == [POISON_UPDATE]


async def test_the_person_behind_a_poison_update_is_told(harness: DispatchHarness) -> None:
    await harness.handle_updates(POISON_UPDATE)
    assert await harness.queued_texts() == [render_english("trouble")]


async def test_poison_from_nowhere_bothers_only_the_admins(harness: DispatchHarness) -> None:
    await harness.handle_updates(
        '{"update_id": 3, "message": 5}', '{"update_id": 4, "message": {"chat": {"id": true}}}'
    )
    assert await harness.queued_texts() == []
    assert len(await harness.queued_texts(ADMIN)) == 2


async def test_strangers_are_told_their_id_once_a_day_and_nothing_is_ordered(db: Database) -> None:
    harness = DispatchHarness(db, allowed=frozenset({77}))
    await harness.handle_updates(_photo_update(1), make_update(2, text="please", message_id=2))
    assert await harness.queued_texts() == [render_english("stranger", id="5")]
    assert await harness.job_states() == []
    harness.now += DAY
    await harness.handle_updates(_photo_update(3))
    assert len(await harness.queued_texts()) == 2


@pytest.mark.parametrize("allowed", [{5}, {5, 77}])
async def test_invited_people_are_let_in(db: Database, allowed: set[int]) -> None:
    harness = DispatchHarness(db, allowed=frozenset(allowed))
    await harness.handle_updates(_photo_update(1))
    assert await harness.job_states() == [State.QUEUED]


async def test_admins_are_always_let_in(db: Database) -> None:
    harness = DispatchHarness(db, allowed=frozenset({77}))
    await harness.handle_updates(
        _photo_update(1, chat=PRIVATE_CHAT | {"id": ADMIN}, **{"from": _from_bob() | {"id": ADMIN}})
    )
    assert await harness.job_states() == [State.QUEUED]


async def test_even_strangers_may_ask_what_happens_to_their_data(db: Database) -> None:
    harness = DispatchHarness(db, allowed=frozenset({77}))
    await harness.handle_updates(make_update(1, text="/privacy"))
    assert await harness.queued_texts() == [PRIVACY_NOTICE.translate("en")]
