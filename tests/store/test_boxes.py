"""Inbox and outbox: once each, in order, and forgotten in time."""

from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.store.outbox import Busy, Ending, Say
from tests.store.rows import NOON


async def test_the_same_update_twice_is_kept_once_even_after_it_was_handled(db: Database) -> None:
    letter = Letter(1, "{}", NOON)
    await db.unit(lambda tx: tx.inbox.keep([letter]))
    await db.unit(lambda tx: tx.inbox.handled(1, NOON))
    await db.unit(lambda tx: tx.inbox.keep([letter]))
    assert await db.unit(lambda tx: tx.inbox.next_waiting()) is None


async def test_a_handled_update_leaves_no_words_behind(db: Database) -> None:
    await db.unit(lambda tx: tx.inbox.keep([Letter(1, '{"text": "private"}', NOON)]))
    await db.unit(lambda tx: tx.inbox.handled(1, NOON))
    rows = await db.unit(lambda tx: tx.inbox._db.execute("SELECT body FROM inbox").fetchall())
    assert [row["body"] for row in rows] == [None]


async def test_an_old_id_does_not_shadow_a_random_later_one(db: Database) -> None:
    await db.unit(lambda tx: tx.inbox.keep([Letter(1, "{}", NOON)]))
    await db.unit(lambda tx: tx.inbox.handled(1, NOON))
    await db.unit(lambda tx: tx.inbox.forget(NOON + 1, NOON + 1))
    await db.unit(lambda tx: tx.inbox.keep([Letter(1, "{}", NOON + 2)]))
    assert await db.unit(lambda tx: tx.inbox.next_waiting()) == Letter(1, "{}", NOON + 2)


async def test_the_same_thing_is_said_once(db: Database) -> None:
    say = Say(key="hello", chat_id=5, body="Hello!")
    assert await db.unit(lambda tx: tx.outbox.add(say, NOON))
    await db.unit(lambda tx: tx.outbox.ended(1, Ending.SENT, NOON))
    assert not await db.unit(lambda tx: tx.outbox.add(say, NOON))
    assert await db.unit(lambda tx: tx.outbox.due(NOON, Busy(), 10)) == []


async def test_one_message_per_chat_is_taken_and_busy_chats_are_left_out(db: Database) -> None:
    for number, chat_id in enumerate((5, 5, 6, 7)):
        say = Say(key=str(number), chat_id=chat_id, body=str(number))
        await db.unit(lambda tx, say=say: tx.outbox.add(say, NOON))  # type: ignore[misc]
    due = await db.unit(lambda tx: tx.outbox.due(NOON, Busy(chats=frozenset({6})), 10))
    assert [parcel.say.body for parcel in due] == ["0", "3"]
