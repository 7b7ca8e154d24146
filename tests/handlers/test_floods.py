"""Floods of messages: notices are throttled, and nothing that a user needs is dropped."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.handlers import dispatch, quotas
from bot.job import State
from bot.pipeline.collect_request import close_due_requests
from bot.pipeline.error_containment import ErrorContainment
from bot.store.database import Database, Transaction
from bot.store.outbox import MAX_PENDING_PER_KIND, MessageKind
from bot.telegram.buttons import Button, ButtonAction
from tests.handlers.sample_updates import ADA_USER, DOCUMENT, GROUP_CHAT, PHOTO_SIZES, PRIVATE_CHAT, make_update
from tests.handlers.test_dispatch import NOON, PRIVACY_NOTICE, DispatchHarness
from tests.process_harness import render_english

MINUTE = 60_000
FLOOD = 100

#: Messages that the bot cannot use, and its replies.
MEANINGLESS_UPDATES = [
    ({"text": "word"}, render_english("no-picture")),
    ({"text": "/edit"}, render_english("no-picture")),
    ({"text": "/nonsense"}, render_english("unknown-command")),
    (
        {
            "sticker": {
                "file_id": "s",
                "file_unique_id": "s",
                "type": "regular",
                "width": 9,
                "height": 9,
                "is_animated": False,
                "is_video": False,
            }
        },
        render_english("unsupported"),
    ),
    ({"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}}, render_english("unsupported")),
]


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[DispatchHarness]:
    """A dispatcher on a real database."""
    database = await Database.open(str(tmp_path / "darkroom.db"))
    yield DispatchHarness(database)
    await database.close()


def _make_flood(content: dict[str, Any], count: int = FLOOD, first: int = 1, **where: Any) -> list[dict[str, Any]]:
    return [make_update(first + n, **(content | {"message_id": first + n} | where)) for n in range(count)]


async def _count_waiting(harness: DispatchHarness, kind: MessageKind) -> int:
    def count(tx: Transaction) -> int:
        found = tx.outbox._db.execute(
            "SELECT count(*) AS n FROM outbox WHERE kind = ? AND ended_at IS NULL AND is_to_be_deleted = 0", (kind,)
        )
        return int(found.fetchone()["n"])

    return await harness.db.transact(count)


@pytest.mark.parametrize(("content", "reply_text"), MEANINGLESS_UPDATES)
async def test_what_means_nothing_is_answered_once_a_minute_and_chat(
    harness: DispatchHarness, content: dict[str, Any], reply_text: str
) -> None:
    harness.now = NOON + 59_000  # shortly before the end of a window
    await harness.handle_updates(*_make_flood(content))
    assert await harness.queued_texts() == [reply_text]
    harness.now += MINUTE - 1
    await harness.handle_updates(*_make_flood(content, first=1000))
    assert await harness.queued_texts() == [reply_text]
    harness.now += 1
    await harness.handle_updates(*_make_flood(content, first=2000))
    assert await harness.queued_texts() == [reply_text] * 2


async def test_another_chat_is_answered_in_the_same_minute(harness: DispatchHarness) -> None:
    bob: dict[str, Any] = {"chat": PRIVATE_CHAT | {"id": 6}, "from": ADA_USER | {"id": 6}}
    await harness.handle_updates(*_make_flood({"text": "word"}), *_make_flood({"text": "word"}, first=1000, **bob))
    assert await harness.queued_texts(6) == [render_english("no-picture")]


async def test_words_about_an_edit_under_way_are_answered_once_a_minute_for_each(harness: DispatchHarness) -> None:
    await harness.handle_updates(make_update(1, photo=PHOTO_SIZES, caption="make it snow", message_id=1))
    await harness.handle_updates(
        *_make_flood({"text": "or rain", "reply_to_message": make_update(1, message_id=1)["message"]}, first=10)
    )
    assert await harness.queued_texts() == [render_english("still-under-way")]


@pytest.mark.parametrize("command", ["/help", "/start", "/privacy", "/usage", "/cancel", "/status"])
async def test_commands_are_answered_each_as_long_as_not_too_much_waits(harness: DispatchHarness, command: str) -> None:
    await harness.handle_updates(*_make_flood({"text": command}, count=5))
    assert len(await harness.queued_texts()) == 5
    await harness.handle_updates(*_make_flood({"text": command}, first=100))
    assert len(await harness.queued_texts()) == MAX_PENDING_PER_KIND
    await harness.db.transact(lambda tx: tx.outbox.drop_chat(5, harness.now))
    await harness.handle_updates(make_update(900, text="/help", message_id=900))
    assert await harness.queued_texts() == [render_english("help")], "when those have left, it goes on"


@pytest.mark.parametrize(
    ("command", "reply_text"),
    [("/help", render_english("help", where="group")), ("/privacy", PRIVACY_NOTICE.translate("en"))],
)
async def test_what_everybody_reads_alike_is_said_once_a_minute_in_a_group(
    harness: DispatchHarness, command: str, reply_text: str
) -> None:
    await harness.handle_updates(*_make_flood({"text": command}, chat=GROUP_CHAT))
    assert await harness.queued_texts(-100) == [reply_text]


async def test_files_that_are_too_large_are_refused_each_within_bounds(harness: DispatchHarness) -> None:
    await harness.handle_updates(*_make_flood({"document": DOCUMENT | {"file_size": 1 << 30}, "caption": "x"}))
    assert await harness.queued_texts() == [render_english("file-too-large")] * MAX_PENDING_PER_KIND


async def test_presses_are_answered_within_bounds_and_count_all_the_same(harness: DispatchHarness) -> None:
    await harness.handle_updates(make_update(1, photo=PHOTO_SIZES, caption="make it snow", message_id=1))
    presses = [
        {
            "id": f"{number}",
            "from": ADA_USER,
            "chat_instance": "1",
            "data": Button("", ButtonAction.CANCEL, number).callback_data,
            "message": make_update(1, message_id=2)["message"],
        }
        for number in range(2, FLOOD)
    ]
    cancel = Button("Cancel", ButtonAction.CANCEL, 1).callback_data
    shown = {"reply_markup": {"inline_keyboard": [[{"text": "Cancel", "callback_data": cancel}]]}}
    status = make_update(1, message_id=2)["message"] | shown
    presses.append(presses[0] | {"id": "last", "data": cancel, "message": status})
    await harness.handle_updates(
        *({"update_id": 10 + place, "callback_query": press} for place, press in enumerate(presses))
    )
    assert await _count_waiting(harness, MessageKind.CALLBACK_ANSWER) == MAX_PENDING_PER_KIND
    assert await harness.job_states() == [State.CANCELLED]


async def test_changes_are_noted_within_bounds_and_followed_all_the_same(harness: DispatchHarness) -> None:
    await harness.handle_updates(make_update(1, photo=PHOTO_SIZES, caption="make it snow", message_id=1))
    changes = [
        make_update(10 + n, kind="edited_message", photo=PHOTO_SIZES, caption=f"wish {n}", message_id=1)
        for n in range(FLOOD)
    ]
    await harness.handle_updates(*changes)
    assert await _count_waiting(harness, MessageKind.REACTION) == MAX_PENDING_PER_KIND
    job = await harness.db.transact(lambda tx: tx.jobs.get(1))
    assert job is not None
    assert job.request.prompt == f"wish {FLOOD - 1}"


async def test_how_an_edit_stands_is_told_once_until_that_has_been_sent(harness: DispatchHarness) -> None:
    await harness.handle_updates(
        *(make_update(n, photo=PHOTO_SIZES, caption="make it snow", message_id=n) for n in range(1, 4))
    )
    await harness.handle_updates(*_make_flood({"text": "/status"}, first=100))
    rows = await harness.db.transact(
        lambda tx: tx.outbox._db.execute("SELECT is_requested FROM outbox WHERE kind = 'progress_message'").fetchall()
    )
    assert [row["is_requested"] for row in rows] == [1, 1, 1]


@pytest.mark.parametrize("command", ["/settings", "/delete"])
async def test_a_menu_is_sent_once_however_often_it_is_asked_for(harness: DispatchHarness, command: str) -> None:
    await harness.handle_updates(make_update(1, photo=PHOTO_SIZES, caption="make it snow", message_id=1))
    await harness.handle_updates(*_make_flood({"text": command}, first=100))
    rows = await harness.db.transact(
        lambda tx: tx.outbox._db.execute("SELECT key FROM outbox WHERE kind = 'menu'").fetchall()
    )
    assert len(rows) == 1


async def test_who_has_nothing_to_delete_is_told_so_within_bounds(harness: DispatchHarness) -> None:
    await harness.handle_updates(*_make_flood({"text": "/help"}, count=MAX_PENDING_PER_KIND))
    await harness.db.transact(lambda tx: tx.outbox._db.execute("UPDATE outbox SET key = 'last:' || key"))
    await harness.handle_updates(*_make_flood({"text": "/delete"}, first=100))
    assert len(await harness.queued_texts()) == MAX_PENDING_PER_KIND


async def test_an_edit_is_taken_and_told_of_beside_any_flood(harness: DispatchHarness) -> None:
    await harness.handle_updates(*_make_flood({"text": "/help"}))
    await harness.handle_updates(make_update(1000, photo=PHOTO_SIZES, caption="make it snow", message_id=1000))
    assert await harness.job_states() == [State.QUEUED]
    assert await _count_waiting(harness, MessageKind.PROGRESS_MESSAGE) == 1


async def test_an_album_that_is_refused_beside_a_flood_is_refused_as_a_whole(
    harness: DispatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.handle_updates(*_make_flood({"text": "/help"}))
    monkeypatch.setattr(quotas, "MAX_WAITING_PER_USER", 0)
    items = [make_update(n, photo=PHOTO_SIZES, caption="x", media_group_id="7", message_id=n) for n in (500, 501)]
    await harness.handle_updates(items[0])
    monkeypatch.undo()
    await harness.handle_updates(items[1])
    assert await harness.job_states() == []


async def test_albums_that_are_refused_are_told_of_once_a_minute(
    harness: DispatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "MAX_WAITING_PER_USER", 0)
    await harness.handle_updates(
        *(make_update(n, photo=PHOTO_SIZES, caption="x", media_group_id=f"{n}", message_id=n) for n in range(1, FLOOD))
    )
    assert await harness.queued_texts() == [render_english("too-many-wait", most=0)]


async def test_poison_is_told_of_within_bounds(harness: DispatchHarness) -> None:
    await harness.handle_updates(
        *(make_update(n, text=5, date="yesterday", entities=7, message_id=n) for n in range(1, 60))
    )
    assert len(await harness.queued_texts()) == MAX_PENDING_PER_KIND
    assert len(await harness.queued_texts(9009)) == MAX_PENDING_PER_KIND


async def test_somebody_else_is_heard_before_thousands_of_one_person(harness: DispatchHarness) -> None:
    bob: dict[str, Any] = {"chat": PRIVATE_CHAT | {"id": 6}, "from": ADA_USER | {"id": 6}}
    flood = _make_flood({"text": "word"}, count=2000)
    await harness.store_updates(*flood)
    await harness.store_updates(make_update(5000, text="/help", message_id=1, **bob))
    await harness.db.transact(lambda tx: harness.dispatcher._handle_in_transaction(tx, []))
    assert await harness.queued_texts(6) == [render_english("help")]
    left = "SELECT min(update_id) AS first FROM inbox WHERE handled_at IS NULL"
    first = await harness.db.transact(lambda tx: tx.inbox._db.execute(left).fetchone()["first"])
    assert first == dispatch.BATCH_SIZE, "those of one chat come in order, and one of these was Bob's"


async def test_updates_of_one_chat_are_handled_in_order_however_they_arrive(harness: DispatchHarness) -> None:
    """A webhook may deliver them in any order."""
    for number in (30, 10, 20):
        await harness.store_updates(make_update(number, photo=PHOTO_SIZES, caption=f"wish {number}", message_id=number))
    await harness.dispatcher.handle_all()
    jobs = await harness.db.transact(lambda tx: [tx.jobs.get(number) for number in (1, 2, 3)])
    assert [job and job.request.prompt for job in jobs] == ["wish 10", "wish 20", "wish 30"]


async def test_what_is_handled_together_is_bounded_by_number_and_by_time(
    harness: DispatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.handle_updates(*_make_flood({"text": "word"}, count=3 * dispatch.BATCH_SIZE))
    assert harness.wakeups == 3
    monkeypatch.setattr(dispatch, "BATCH_SECONDS", -1.0)
    await harness.handle_updates(*_make_flood({"text": "word"}, count=5, first=1000))
    assert harness.wakeups == 3 + 5


async def test_what_was_handled_together_with_poison_is_handled_once(harness: DispatchHarness) -> None:
    poison = make_update(2, text=5, date="yesterday", entities=7)
    photos = [make_update(n, photo=PHOTO_SIZES, caption="make it snow", message_id=n) for n in (1, 3)]
    await harness.handle_updates(photos[0], poison, photos[1], make_update(4, text="/help", message_id=4))
    assert await harness.job_states() == [State.QUEUED] * 2
    assert await harness.queued_texts() == [render_english("trouble"), render_english("help")]


async def test_an_album_closes_when_nothing_of_its_own_chat_waits(harness: DispatchHarness) -> None:
    bob: dict[str, Any] = {"chat": PRIVATE_CHAT | {"id": 6}, "from": ADA_USER | {"id": 6}}
    item: dict[str, Any] = {"photo": PHOTO_SIZES, "caption": "make it snow", "media_group_id": "7"}
    await harness.handle_updates(make_update(1, **item, message_id=1), make_update(2, **item, message_id=1, **bob))
    await harness.store_updates(make_update(3, **item, message_id=3, **bob))
    harness.now += 10_000
    await harness.db.transact(
        lambda tx: close_due_requests(tx, ErrorContainment((), clock=lambda: harness.now), harness.now)
    )
    assert await harness.job_states() == [State.QUEUED, State.GATHERING]
