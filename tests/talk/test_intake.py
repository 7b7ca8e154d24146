"""From the inbox to rows: everything an update causes, once."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.chat.client import Me
from bot.job import Instant, State
from bot.settings import MustRestart
from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.store.outbox import Kind
from bot.store.transaction import Transaction
from bot.talk.access import Access
from bot.talk.address import Address
from bot.talk.intake import Intake
from bot.talk.room import Daily, Room
from bot.texts import sentence
from tests.talk.updates import FILE, PHOTO, PRIVATE, message
from tests.world import english

NOON = 1_800_000_000_000
DAY = 86_400_000
ADMIN = 9009
NO_LIMITS = Daily(0, 0, 0, 0)
PRIVACY = sentence("privacy", days=30, transport="upload", messages=3, uploads=3, results=14, records=2)


class Office:
    """An intake on a real database."""

    def __init__(self, db: Database, allowed: frozenset[int] = frozenset()) -> None:
        self.db = db
        self.now = NOON
        self.woken = 0
        #: what goes wrong the next times that something is handled
        self.troubles: list[Exception] = []
        access = Access(allowed, frozenset({ADMIN}))
        address = Address()
        address.meet(Me(424242, "darkroom_bot"))
        self.intake = Intake(
            db,
            address,
            access,
            Room(NO_LIMITS, access),
            PRIVACY,
            admits_original=lambda _: True,
            woken=asyncio.Event(),
            album_window=2,
            clock=self._clock,
            monotonic=lambda: self.now / 1000,
            wake_worker=self._wake,
            wake_retention=self._wake,
        )

    def _clock(self) -> Instant:
        if self.troubles:
            raise self.troubles.pop(0)
        return self.now

    def _wake(self) -> None:
        self.woken += 1

    async def take(self, *updates: dict[str, Any] | str) -> None:
        """Put updates into the inbox and let them be handled."""
        await self.keep(*updates)
        await self.intake.handle_all()

    async def keep(self, *updates: dict[str, Any] | str) -> None:
        """Put updates into the inbox."""
        letters = [
            Letter(json.loads(each)["update_id"], each, self.now)
            if isinstance(each, str)
            else Letter(each["update_id"], json.dumps(each), self.now)
            for each in updates
        ]
        await self.db.unit(lambda tx: tx.inbox.keep(letters))

    async def said(self, chat_id: int = 5) -> list[str]:
        """Return the texts that wait in the outbox for a chat."""

        def texts(tx: Transaction) -> list[str]:
            rows = tx.outbox._db.execute(
                "SELECT body FROM outbox WHERE chat_id = ? AND kind = ? AND due_at IS NOT NULL ORDER BY id",
                (chat_id, Kind.TEXT),
            )
            return [row["body"] for row in rows]

        return await self.db.unit(texts)

    async def jobs(self) -> list[State]:
        """Return the states of all jobs."""
        return await self.db.unit(
            lambda tx: [State(row["state"]) for row in tx.jobs._db.execute("SELECT state FROM jobs ORDER BY id")]
        )


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database."""
    database = await Database.open(str(tmp_path / "darkroom.db"))
    yield database
    await database.close()


@pytest.fixture
def office(db: Database) -> Office:
    """An intake that admits everyone."""
    return Office(db)


def _photo(update_id: int = 1, **content: Any) -> dict[str, Any]:
    photo: dict[str, Any] = {"photo": PHOTO, "caption": "make it snow", "message_id": update_id}
    return message(update_id, **(photo | content))


async def test_a_photo_with_a_caption_becomes_a_job_that_is_due_at_once(office: Office) -> None:
    await office.take(_photo())
    assert await office.jobs() == [State.QUEUED]
    assert await office.db.unit(lambda tx: tx.line.to_prepare(NOON, 9)) == [1]
    assert office.woken == 1


async def test_the_same_update_delivered_twice_makes_nothing_twice(office: Office) -> None:
    await office.take(_photo(1), message(2, text="hello", message_id=2))
    await office.take(_photo(1), message(2, text="hello", message_id=2))
    assert len(await office.jobs()) == 1
    assert len(await office.said()) == 1


async def test_the_same_message_under_another_update_id_makes_nothing_twice(office: Office) -> None:
    await office.take(_photo(1), _photo(90, message_id=1))
    assert len(await office.jobs()) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"document": FILE | {"file_size": 20 * 1024 * 1024 + 1}, "caption": "x"}, english("file-too-large")),
        ({"text": "make it snow"}, english("no-picture")),
        ({"text": "/edit make it snow"}, english("no-picture")),
        ({"text": "/start"}, english("start")),
        ({"text": "/help"}, english("help")),
        ({"text": "/privacy"}, PRIVACY.into("en")),
        ({"text": "/cancel"}, english("nothing-to-cancel")),
        ({"text": "/unknown"}, english("unknown-command")),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, english("unsupported")),
    ],
)
async def test_everything_else_gets_one_helpful_answer_and_no_job(
    office: Office, content: dict[str, Any], told: str
) -> None:
    await office.take(message(**content))
    assert await office.said() == [told]
    assert await office.jobs() == []


@pytest.mark.parametrize("caption", ["x" * 5000, "🎨" * 5000])
async def test_a_prompt_is_counted_in_characters_as_people_see_them(office: Office, caption: str) -> None:
    await office.take(_photo(caption=caption))
    assert await office.jobs() == [State.QUEUED]


async def test_cancel_takes_back_what_is_not_ordered_and_says_what_is(office: Office) -> None:
    await office.take(_photo(1), _photo(2), _photo(3))
    first = await office.db.unit(lambda tx: tx.jobs.get(1))
    assert first is not None
    await office.db.unit(lambda tx: tx.jobs.move(first, State.SUBMITTING, submitted_at=NOON))
    await office.take(message(4, text="/cancel", message_id=4))
    assert await office.said() == [english("taken-back-and-coming", count=2, coming=1)]
    assert await office.jobs() == [State.SUBMITTING, State.CANCELLED, State.CANCELLED]


async def test_cancel_leaves_the_edits_of_others_alone(office: Office) -> None:
    bobs: dict[str, Any] = {"from": _bob(), "chat": PRIVATE | {"id": 6}}
    await office.take(_photo(1), message(2, text="/cancel", message_id=2, **bobs))
    assert await office.jobs() == [State.QUEUED]


def _bob() -> dict[str, Any]:
    return {"id": 6, "is_bot": False, "first_name": "Bob"}


async def test_a_person_who_blocked_the_bot_has_nothing_ordered(office: Office) -> None:
    await office.take(_photo(1))
    bot = {"id": 424242, "is_bot": True, "first_name": "Darkroom"}
    change = {
        "chat": PRIVATE,
        "from": _bob() | {"id": 5},
        "date": 1,
        "old_chat_member": {"status": "member", "user": bot},
        "new_chat_member": {"status": "kicked", "user": bot, "until_date": 0},
    }
    await office.take({"update_id": 2, "my_chat_member": change})
    assert await office.jobs() == [State.CANCELLED]


POISON = message(1, text=5, date="yesterday", entities=7)
UNSTORABLE = message(1, photo=PHOTO, caption="x", message_id={"a": 1})
ENDLESS = message(1, photo=PHOTO, caption="x", message_id=1 << 70)


@pytest.mark.parametrize("poison", [UNSTORABLE, ENDLESS])
async def test_poison_that_only_the_database_minds_is_set_aside_as_well(office: Office, poison: dict[str, Any]) -> None:
    await office.take(poison, _photo(2))
    assert await office.jobs() == [State.QUEUED]
    assert "set aside" in (await office.said(ADMIN))[0]


@pytest.mark.parametrize("trouble", [OSError(errno.EMFILE, "Too many open files"), MemoryError()])
async def test_an_update_outlives_a_passing_trouble_of_the_machine(office: Office, trouble: Exception) -> None:
    for _ in range(2):
        office.troubles = [trouble]
        with pytest.raises(MustRestart, match="update 1"):
            await office.take(_photo())
        assert await office.jobs() == []
    await office.intake.handle_all()  # as the next process would
    assert await office.jobs() == [State.QUEUED]
    assert await office.said() == await office.said(ADMIN) == []


async def test_an_update_that_takes_the_memory_each_time_does_not_hold_up_the_others_for_ever(office: Office) -> None:
    office.troubles = [MemoryError(), MemoryError(), MemoryError()]
    for _ in range(2):
        with pytest.raises(MustRestart):
            await office.take(_photo(), _photo(2))
    await office.intake.handle_all()
    assert await office.jobs() == [State.QUEUED]
    assert "set aside" in (await office.said(ADMIN))[0]
    assert await office.said() == [english("trouble")]


async def test_an_update_that_is_nested_too_deep_is_to_blame_itself(office: Office) -> None:
    office.troubles = [RecursionError()]
    await office.take(_photo(), _photo(2))
    assert await office.jobs() == [State.QUEUED]
    assert "set aside" in (await office.said(ADMIN))[0]


async def test_poison_is_set_aside_and_what_is_behind_it_is_handled(office: Office) -> None:
    await office.take(POISON, _photo(2))
    assert await office.jobs() == [State.QUEUED]
    assert "set aside" in (await office.said(ADMIN))[0]
    kept = await office.db.unit(lambda tx: tx.inbox._db.execute("SELECT * FROM inbox WHERE fault <> ''").fetchall())
    assert [json.loads(row["body"]) for row in kept] == [POISON]


async def test_the_person_behind_a_poison_update_is_told(office: Office) -> None:
    await office.take(POISON)
    assert await office.said() == [english("trouble")]


async def test_poison_from_nowhere_bothers_only_the_admins(office: Office) -> None:
    await office.take('{"update_id": 3, "message": 5}', '{"update_id": 4, "message": {"chat": {"id": true}}}')
    assert await office.said() == []
    assert len(await office.said(ADMIN)) == 2


async def test_strangers_are_told_their_id_once_a_day_and_nothing_is_ordered(db: Database) -> None:
    office = Office(db, allowed=frozenset({77}))
    await office.take(_photo(1), message(2, text="please", message_id=2))
    assert await office.said() == [english("stranger", id="5")]
    assert await office.jobs() == []
    office.now += DAY
    await office.take(_photo(3))
    assert len(await office.said()) == 2


@pytest.mark.parametrize("allowed", [{5}, {5, 77}])
async def test_invited_people_are_let_in(db: Database, allowed: set[int]) -> None:
    office = Office(db, allowed=frozenset(allowed))
    await office.take(_photo(1))
    assert await office.jobs() == [State.QUEUED]


async def test_admins_are_always_let_in(db: Database) -> None:
    office = Office(db, allowed=frozenset({77}))
    await office.take(_photo(1, chat=PRIVATE | {"id": ADMIN}, **{"from": _bob() | {"id": ADMIN}}))
    assert await office.jobs() == [State.QUEUED]


async def test_even_strangers_may_ask_what_happens_to_their_data(db: Database) -> None:
    office = Office(db, allowed=frozenset({77}))
    await office.take(message(1, text="/privacy"))
    assert await office.said() == [PRIVACY.into("en")]
