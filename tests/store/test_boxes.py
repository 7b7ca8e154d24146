"""Inbox and outbox: once each, in order, and forgotten in time."""

from bot.store.agenda import has_come
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
        await db.unit(lambda tx, say=say: tx.outbox.add(say, NOON))  # type: ignore[misc]  # mypy: a default in a lambda
    due = await db.unit(lambda tx: tx.outbox.due(NOON, Busy(chats=frozenset({6})), 10))
    assert [parcel.say.body for parcel in due] == ["0", "3"]


async def test_more_is_due_where_it_waits_for_another_message_and_not_where_it_waits_for_a_moment(db: Database) -> None:
    for key, chat_id in (("first", 5), ("second", 5), ("third", 6)):
        say = Say(key=key, chat_id=chat_id, body=key)
        await db.unit(lambda tx, say=say: tx.outbox.add(say, NOON))  # type: ignore[misc]  # mypy: a default in a lambda
    first, second, third = 1, 2, 3
    behind_the_first = Busy(chats=frozenset({5}), parcels=frozenset({first}))
    assert await db.unit(lambda tx: tx.outbox.are_more_due(NOON, [third], behind_the_first))
    assert not await db.unit(lambda tx: tx.outbox.are_more_due(NOON, [second, third], behind_the_first))
    left_alone = Busy(held=frozenset({5}))
    assert not await db.unit(lambda tx: tx.outbox.are_more_due(NOON, [third], left_alone))
    assert [each.say.body for each in await db.unit(lambda tx: tx.outbox.due(NOON, left_alone, 10))] == ["third"]


async def test_the_agenda_names_the_first_moments_and_whether_anybody_waits(db: Database) -> None:
    nothing = await db.unit(lambda tx: tx.agenda())
    assert (nothing.jobs_at, nothing.messages_at, nothing.groups_at) == (None, None, None)
    assert not nothing.somebody_waits
    await db.unit(lambda tx: tx.outbox.add(Say(key="later", chat_id=5, body="later"), NOON, due_at=NOON + 9))
    await db.unit(lambda tx: tx.outbox.add(Say(key="sooner", chat_id=5, body="sooner"), NOON, due_at=NOON + 7))
    await db.unit(lambda tx: tx.chats.want_admins(-5, NOON + 3))
    agenda = await db.unit(lambda tx: tx.agenda())
    assert (agenda.messages_at, agenda.groups_at) == (NOON + 7, NOON + 3)
    assert has_come(agenda.groups_at, NOON + 3)
    assert not has_come(agenda.messages_at, NOON + 6)
