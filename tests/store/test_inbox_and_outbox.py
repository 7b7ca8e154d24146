"""Inbox and outbox: deduplicated, in order, and deleted in time."""

from bot.store.database import Database
from bot.store.due_times import is_due
from bot.store.inbox import StoredUpdate
from bot.store.outbox import DeliveryOutcome, MessageDraft, OutboxExclusions
from tests.store.sample_requests import NOON


async def test_the_same_update_twice_is_kept_once_even_after_it_was_handled(db: Database) -> None:
    update = StoredUpdate(1, "{}", NOON)
    await db.transact(lambda tx: tx.inbox.add([update]))
    await db.transact(lambda tx: tx.inbox.mark_handled(1, NOON))
    await db.transact(lambda tx: tx.inbox.add([update]))
    assert await db.transact(lambda tx: tx.inbox.get_next_waiting()) is None


async def test_a_handled_update_leaves_no_words_behind(db: Database) -> None:
    await db.transact(lambda tx: tx.inbox.add([StoredUpdate(1, '{"text": "private"}', NOON)]))
    await db.transact(lambda tx: tx.inbox.mark_handled(1, NOON))
    rows = await db.transact(lambda tx: tx.inbox._db.execute("SELECT body FROM inbox").fetchall())
    assert [row["body"] for row in rows] == [None]


async def test_an_old_id_does_not_shadow_a_random_later_one(db: Database) -> None:
    await db.transact(lambda tx: tx.inbox.add([StoredUpdate(1, "{}", NOON)]))
    await db.transact(lambda tx: tx.inbox.mark_handled(1, NOON))
    await db.transact(lambda tx: tx.inbox.delete_handled(NOON + 1, NOON + 1))
    await db.transact(lambda tx: tx.inbox.add([StoredUpdate(1, "{}", NOON + 2)]))
    assert await db.transact(lambda tx: tx.inbox.get_next_waiting()) == StoredUpdate(1, "{}", NOON + 2)


async def test_the_same_thing_is_said_once(db: Database) -> None:
    draft = MessageDraft(key="hello", chat_id=5, body="Hello!")
    assert await db.transact(lambda tx: tx.outbox.add(draft, NOON))
    await db.transact(lambda tx: tx.outbox.mark_ended(1, DeliveryOutcome.SENT, NOON))
    assert not await db.transact(lambda tx: tx.outbox.add(draft, NOON))
    assert await db.transact(lambda tx: tx.outbox.list_due(NOON, OutboxExclusions(), 10)) == []


async def test_one_message_per_chat_is_taken_and_busy_chats_are_left_out(db: Database) -> None:
    for number, chat_id in enumerate((5, 5, 6, 7)):
        draft = MessageDraft(key=str(number), chat_id=chat_id, body=str(number))
        await db.transact(lambda tx, draft=draft: tx.outbox.add(draft, NOON))  # type: ignore[misc]  # mypy: a default in a lambda
    due = await db.transact(lambda tx: tx.outbox.list_due(NOON, OutboxExclusions(chat_ids=frozenset({6})), 10))
    assert [message.draft.body for message in due] == ["0", "3"]


async def test_a_chat_that_a_rate_limit_holds_back_keeps_no_other_waiting(db: Database) -> None:
    for key, chat_id in (("first", 5), ("second", 5), ("third", 6)):
        draft = MessageDraft(key=key, chat_id=chat_id, body=key)
        await db.transact(lambda tx, draft=draft: tx.outbox.add(draft, NOON))  # type: ignore[misc]  # mypy: a default in a lambda
    left_alone = OutboxExclusions(held_chat_ids=frozenset({5}))
    assert [each.draft.body for each in await db.transact(lambda tx: tx.outbox.list_due(NOON, left_alone, 10))] == [
        "third"
    ]


async def test_the_agenda_names_the_first_moments_and_whether_anybody_waits(db: Database) -> None:
    nothing = await db.transact(lambda tx: tx.read_due_times())
    assert (nothing.jobs_at, nothing.messages_at, nothing.admins_at) == (None, None, None)
    assert not nothing.has_queued_jobs
    await db.transact(
        lambda tx: tx.outbox.add(MessageDraft(key="later", chat_id=5, body="later"), NOON, due_at=NOON + 9)
    )
    await db.transact(
        lambda tx: tx.outbox.add(MessageDraft(key="sooner", chat_id=5, body="sooner"), NOON, due_at=NOON + 7)
    )
    await db.transact(lambda tx: tx.chats.request_admins(-5, NOON + 3))
    due_times = await db.transact(lambda tx: tx.read_due_times())
    assert (due_times.messages_at, due_times.admins_at) == (NOON + 7, NOON + 3)
    assert is_due(due_times.admins_at, NOON + 3)
    assert not is_due(due_times.messages_at, NOON + 6)
