"""Floods: what costs nothing to ask for is answered within bounds, and nothing that anybody needs is left out."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.chat.buttons import Action, Button
from bot.job import State
from bot.jobs.containment import Containment
from bot.jobs.gather import close_due
from bot.store.connection import Database
from bot.store.outbox import MOST_OF_A_KIND, Kind
from bot.store.transaction import Transaction
from bot.talk import intake, room
from tests.talk.test_intake import NOON, PRIVACY, Office
from tests.talk.updates import ADA, FILE, GROUP, PHOTO, PRIVATE, message
from tests.world import english

MINUTE = 60_000
FLOOD = 100

#: What means nothing to the bot, and what it says to that.
NOTHING_MEANT = [
    ({"text": "word"}, english("no-picture")),
    ({"text": "/edit"}, english("no-picture")),
    ({"text": "/nonsense"}, english("unknown-command")),
    ({"sticker": {"file_id": "s", "file_unique_id": "s", "type": "regular", "width": 9, "height": 9,
                  "is_animated": False, "is_video": False}}, english("unsupported")),
    ({"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}}, english("unsupported")),
]  # fmt: skip


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """An intake on a real database."""
    database = await Database.open(str(tmp_path / "darkroom.db"))
    yield Office(database)
    await database.close()


def _flood(content: dict[str, Any], count: int = FLOOD, first: int = 1, **where: Any) -> list[dict[str, Any]]:
    return [message(first + n, **(content | {"message_id": first + n} | where)) for n in range(count)]


async def _waiting(office: Office, kind: Kind) -> int:
    def count(tx: Transaction) -> int:
        found = tx.outbox._db.execute(
            "SELECT count(*) AS n FROM outbox WHERE kind = ? AND ended_at IS NULL AND is_over = 0", (kind,)
        )
        return int(found.fetchone()["n"])

    return await office.db.unit(count)


@pytest.mark.parametrize(("content", "told"), NOTHING_MEANT)
async def test_what_means_nothing_is_answered_once_a_minute_and_chat(
    office: Office, content: dict[str, Any], told: str
) -> None:
    office.now = NOON + 59_000  # shortly before a minute of the clock is over
    await office.take(*_flood(content))
    assert await office.said() == [told]
    office.now += MINUTE - 1
    await office.take(*_flood(content, first=1000))
    assert await office.said() == [told]
    office.now += 1
    await office.take(*_flood(content, first=2000))
    assert await office.said() == [told] * 2


async def test_another_chat_is_answered_in_the_same_minute(office: Office) -> None:
    bob: dict[str, Any] = {"chat": PRIVATE | {"id": 6}, "from": ADA | {"id": 6}}
    await office.take(*_flood({"text": "word"}), *_flood({"text": "word"}, first=1000, **bob))
    assert await office.said(6) == [english("no-picture")]


async def test_words_about_an_edit_under_way_are_answered_once_a_minute_for_each(office: Office) -> None:
    await office.take(message(1, photo=PHOTO, caption="make it snow", message_id=1))
    await office.take(*_flood({"text": "or rain", "reply_to_message": message(1, message_id=1)["message"]}, first=10))
    assert await office.said() == [english("still-under-way")]


@pytest.mark.parametrize("command", ["/help", "/start", "/privacy", "/usage", "/cancel", "/status"])
async def test_commands_are_answered_each_as_long_as_not_too_much_waits(office: Office, command: str) -> None:
    await office.take(*_flood({"text": command}, count=5))
    assert len(await office.said()) == 5
    await office.take(*_flood({"text": command}, first=100))
    assert len(await office.said()) == MOST_OF_A_KIND
    await office.db.unit(lambda tx: tx.outbox.drop_chat(5, office.now))
    await office.take(message(900, text="/help", message_id=900))
    assert await office.said() == [english("help")], "when those have left, it goes on"


@pytest.mark.parametrize(
    ("command", "told"), [("/help", english("help", where="group")), ("/privacy", PRIVACY.into("en"))]
)
async def test_what_everybody_reads_alike_is_said_once_a_minute_in_a_group(
    office: Office, command: str, told: str
) -> None:
    await office.take(*_flood({"text": command}, chat=GROUP))
    assert await office.said(-100) == [told]


async def test_files_that_are_too_large_are_refused_each_within_bounds(office: Office) -> None:
    await office.take(*_flood({"document": FILE | {"file_size": 1 << 30}, "caption": "x"}))
    assert await office.said() == [english("file-too-large")] * MOST_OF_A_KIND


async def test_presses_are_answered_within_bounds_and_count_all_the_same(office: Office) -> None:
    await office.take(message(1, photo=PHOTO, caption="make it snow", message_id=1))
    presses = [
        {"id": f"{number}", "from": ADA, "chat_instance": "1", "data": Button("", Action.CANCEL, number).data,
         "message": message(1, message_id=2)["message"]}
        for number in range(2, FLOOD)
    ]  # fmt: skip
    cancel = Button("Cancel", Action.CANCEL, 1).data
    shown = {"reply_markup": {"inline_keyboard": [[{"text": "Cancel", "callback_data": cancel}]]}}
    status = message(1, message_id=2)["message"] | shown
    presses.append(presses[0] | {"id": "last", "data": cancel, "message": status})
    await office.take(*({"update_id": 10 + place, "callback_query": press} for place, press in enumerate(presses)))
    assert await _waiting(office, Kind.TOAST) == MOST_OF_A_KIND
    assert await office.jobs() == [State.CANCELLED]


async def test_changes_are_noted_within_bounds_and_followed_all_the_same(office: Office) -> None:
    await office.take(message(1, photo=PHOTO, caption="make it snow", message_id=1))
    changes = [
        message(10 + n, kind="edited_message", photo=PHOTO, caption=f"wish {n}", message_id=1) for n in range(FLOOD)
    ]
    await office.take(*changes)
    assert await _waiting(office, Kind.REACTION) == MOST_OF_A_KIND
    job = await office.db.unit(lambda tx: tx.jobs.get(1))
    assert job is not None
    assert job.request.prompt == f"wish {FLOOD - 1}"


async def test_how_an_edit_stands_is_told_once_until_that_has_been_sent(office: Office) -> None:
    await office.take(*(message(n, photo=PHOTO, caption="make it snow", message_id=n) for n in range(1, 4)))
    await office.take(*_flood({"text": "/status"}, first=100))
    rows = await office.db.unit(
        lambda tx: tx.outbox._db.execute("SELECT is_asked_for FROM outbox WHERE kind = 'status'").fetchall()
    )
    assert [row["is_asked_for"] for row in rows] == [1, 1, 1]


@pytest.mark.parametrize("command", ["/settings", "/delete"])
async def test_a_menu_is_sent_once_however_often_it_is_asked_for(office: Office, command: str) -> None:
    await office.take(message(1, photo=PHOTO, caption="make it snow", message_id=1))
    await office.take(*_flood({"text": command}, first=100))
    rows = await office.db.unit(
        lambda tx: tx.outbox._db.execute("SELECT key FROM outbox WHERE kind = 'menu'").fetchall()
    )
    assert len(rows) == 1


async def test_who_has_nothing_to_delete_is_told_so_within_bounds(office: Office) -> None:
    await office.take(*_flood({"text": "/help"}, count=MOST_OF_A_KIND))
    await office.db.unit(lambda tx: tx.outbox._db.execute("UPDATE outbox SET key = 'last:' || key"))
    await office.take(*_flood({"text": "/delete"}, first=100))
    assert len(await office.said()) == MOST_OF_A_KIND


async def test_an_edit_is_taken_and_told_of_beside_any_flood(office: Office) -> None:
    await office.take(*_flood({"text": "/help"}))
    await office.take(message(1000, photo=PHOTO, caption="make it snow", message_id=1000))
    assert await office.jobs() == [State.QUEUED]
    assert await _waiting(office, Kind.STATUS) == 1


async def test_an_album_that_is_refused_beside_a_flood_is_refused_as_a_whole(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.take(*_flood({"text": "/help"}))
    monkeypatch.setattr(room, "MOST_WAITING_OF_ONE", 0)
    items = [message(n, photo=PHOTO, caption="x", media_group_id="7", message_id=n) for n in (500, 501)]
    await office.take(items[0])
    monkeypatch.undo()
    await office.take(items[1])
    assert await office.jobs() == []


async def test_albums_that_are_refused_are_told_of_once_a_minute(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_WAITING_OF_ONE", 0)
    await office.take(
        *(message(n, photo=PHOTO, caption="x", media_group_id=f"{n}", message_id=n) for n in range(1, FLOOD))
    )
    assert await office.said() == [english("too-many-wait", most=0)]


async def test_poison_is_told_of_within_bounds(office: Office) -> None:
    await office.take(*(message(n, text=5, date="yesterday", entities=7, message_id=n) for n in range(1, 60)))
    assert len(await office.said()) == MOST_OF_A_KIND
    assert len(await office.said(9009)) == MOST_OF_A_KIND


async def test_somebody_else_is_heard_before_thousands_of_one_person(office: Office) -> None:
    bob: dict[str, Any] = {"chat": PRIVATE | {"id": 6}, "from": ADA | {"id": 6}}
    flood = _flood({"text": "word"}, count=2000)
    await office.keep(*flood)
    await office.keep(message(5000, text="/help", message_id=1, **bob))
    await office.db.unit(lambda tx: office.intake._handle(tx, []))
    assert await office.said(6) == [english("help")]
    left = "SELECT min(update_id) AS first FROM inbox WHERE handled_at IS NULL"
    first = await office.db.unit(lambda tx: tx.inbox._db.execute(left).fetchone()["first"])
    assert first == intake.AT_ONCE, "those of one chat come in order, and one of these was Bob's"


async def test_updates_of_one_chat_are_handled_in_order_however_they_arrive(office: Office) -> None:
    """A webhook may bring them in any."""
    for number in (30, 10, 20):
        await office.keep(message(number, photo=PHOTO, caption=f"wish {number}", message_id=number))
    await office.intake.handle_all()
    jobs = await office.db.unit(lambda tx: [tx.jobs.get(number) for number in (1, 2, 3)])
    assert [job and job.request.prompt for job in jobs] == ["wish 10", "wish 20", "wish 30"]


async def test_what_is_handled_together_is_bounded_by_number_and_by_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.take(*_flood({"text": "word"}, count=3 * intake.AT_ONCE))
    assert office.woken == 3
    monkeypatch.setattr(intake, "SLICE", -1.0)
    await office.take(*_flood({"text": "word"}, count=5, first=1000))
    assert office.woken == 3 + 5


async def test_what_was_handled_together_with_poison_is_handled_once(office: Office) -> None:
    poison = message(2, text=5, date="yesterday", entities=7)
    photos = [message(n, photo=PHOTO, caption="make it snow", message_id=n) for n in (1, 3)]
    await office.take(photos[0], poison, photos[1], message(4, text="/help", message_id=4))
    assert await office.jobs() == [State.QUEUED] * 2
    assert await office.said() == [english("trouble"), english("help")]


async def test_an_album_closes_when_nothing_of_its_own_chat_waits(office: Office) -> None:
    bob: dict[str, Any] = {"chat": PRIVATE | {"id": 6}, "from": ADA | {"id": 6}}
    item: dict[str, Any] = {"photo": PHOTO, "caption": "make it snow", "media_group_id": "7"}
    await office.take(message(1, **item, message_id=1), message(2, **item, message_id=1, **bob))
    await office.keep(message(3, **item, message_id=3, **bob))
    office.now += 10_000
    await office.db.unit(lambda tx: close_due(tx, Containment((), clock=lambda: office.now), office.now))
    assert await office.jobs() == [State.QUEUED, State.GATHERING]
