"""The worker never scans: every question that is asked while the bot works is answered by an index.

The questions are not listed here. A day of all sorts is played with the real
parts, and each statement that reaches the database is put before SQLite's planner,
so one that somebody adds is looked at by itself.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import fail
from bot.stats.figures import count
from bot.stats.period import USUAL
from bot.store import connection
from bot.store.lives import Lives
from bot.store.transaction import Transaction
from tests.house import House, a_house
from tests.pictures.files import saved
from tests.world import a_photo

#: Tables with a row or two, whatever happens.
SMALL = frozenset({"breakers", "line_clock", "owner"})

#: Questions that stop at the first row.
AT_ONCE = frozenset({"SELECT 1 FROM line LIMIT 1"})

SCAN = re.compile(r"SCAN (?!CONSTANT ROW|json_each|value )(\w+)(?: USING (?:COVERING )?INDEX (\w+))?")

Asked = dict[str, Any]


class Ear:
    """A connection that remembers what it was asked, with the values of the last time."""

    def __init__(self, db: sqlite3.Connection, asked: Asked) -> None:
        self._db = db
        self._asked = asked

    @property
    def total_changes(self) -> int:
        """The changes of rows so far."""
        return self._db.total_changes

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        """Ask the database."""
        self._asked[sql] = values
        return self._db.execute(sql, values)

    def executemany(self, sql: str, rows: list[Any]) -> sqlite3.Cursor:
        """Ask the database for each row."""
        if rows:
            self._asked[sql] = rows[-1]
        return self._db.executemany(sql, rows)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the database is asked from here on, but for the opening of the file."""
    heard: Asked = {}
    monkeypatch.setattr(connection, "Transaction", lambda db: Transaction(Ear(db, heard)))  # type: ignore[arg-type]  # all that is used of it
    return heard


async def test_no_question_of_the_worker_or_the_intake_reads_a_whole_table(tmp_path: Path, asked: Asked) -> None:
    async with a_house(tmp_path, admin_ids=frozenset({1001, 9009})) as house:
        house.telegram.person(user_id=9009)
        await _a_day_of_all_sorts(house)
        await house.bot.db.unit(lambda tx: tx.sight.at(house.clock.instant()))
        await _a_look_at_it(house)
        assert len(asked) > 80
        plans = await house.bot.db.unit(lambda tx: dict(_plans(tx.jobs._db, asked)))
        partial = await house.bot.db.unit(lambda tx: _partial_indexes(tx.jobs._db))
    assert {sql: plan for sql, plan in plans.items() if sql not in AT_ONCE and _reads_it_all(plan, partial)} == {}


async def _a_day_of_all_sorts(house: House) -> None:
    """Let everything happen once that makes the bot ask its database something."""
    await house.bot.worker.recover()
    await _all_sorts_of_messages(house)
    await _all_sorts_of_trouble(house)
    await house.bot.worker.recover()
    house.ada.block()
    await house.receive()
    await house.settle()


async def _a_look_at_it(house: House) -> None:
    """Ask what admins and operators ask."""
    await count(house.bot.db, USUAL, house.clock.instant())
    await house.bot.db.unit(lambda tx: Lives(tx.jobs._db).open(10))
    await house.bot.db.unit(lambda tx: Lives(tx.jobs._db).of(1))


async def _all_sorts_of_messages(house: House) -> None:
    photo = await house.ask(a_photo())
    house.ada.edit_caption(photo, "too late")
    house.ada.send_album([a_photo("red"), a_photo("blue")])
    house.ada.send_album([saved("BMP"), saved("TIFF")], {0: "to be decoded"}, as_documents=True)
    await house.receive()
    await house.pass_time(60)
    house.ada.send_text("make it snow", reply_to=house.pictures()[0]["message_id"])
    house.ada.press(house.pictures()[0]["message_id"], "Original file")
    house.ada.send_text("for the album")
    waits = house.ada.send_photo(a_photo("green"))
    await house.receive()
    house.ada.edit_caption(waits, "so")
    for text in ("/status", "/cancel", "/help", "hello"):
        house.ada.send_text(text)
    house.telegram.push({"message": {"chat": {"id": house.ada.id}}})
    await house.receive()
    await house.pass_time(60)
    house.ada.press(house.pictures()[0]["message_id"], "Delete")
    await house.receive()
    await house.pass_time(5)


async def _all_sorts_of_trouble(house: House) -> None:
    house.kie.refuse(455, "maintenance")
    house.kie.script(fail("Internal Error, Please try again later."))
    house.telegram.faults.add("sendPhoto", Fault(Kind.CUT_AFTER))
    await house.ask(a_photo("gold"))
    await house.pass_time(60)
    house.kie.refuse(401, "no")
    await house.ask(a_photo("silver"))
    await house.pass_time(100)
    for label in ("Try again", "Leave it"):
        house.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
        await house.ask(a_photo("plum"))
        house.ada.press(house.statuses()[-1]["message_id"], label)
        await house.receive()
        await house.pass_time(60)


#: Tables that hold a day's people or a single row, those that are read no further than to the first one, what is no
#: table but was just found in one, and the chats for which messages wait, which all change when the clock was set.
AT_HAND = frozenset({"lanes", "people", "erasures", "account", "line", "variations", "json_tree", "chat_queues"})


async def test_what_is_done_now_and_then_reads_no_whole_table_either(tmp_path: Path, asked: Asked) -> None:
    async with a_house(tmp_path, keep_days=1) as house:
        await _all_sorts_of_messages(house)
        asked.clear()
        await house.bot.db.unit(lambda tx: tx.erasure.held(house.ada.id))
        await house.bot.db.unit(lambda tx: tx.forget_person(house.ada.id, house.clock.instant()))
        house.clock.now += 5 * 86_400
        await house.bot.db.unit(house.bot.retention.erase)
        house.clock.now -= 9 * 86_400
        await house.bot.worker.recover()
        assert len(asked) > 50
        plans = await house.bot.db.unit(lambda tx: dict(_plans(tx.jobs._db, asked)))
        partial = await house.bot.db.unit(lambda tx: _partial_indexes(tx.jobs._db))
    assert {sql: plan for sql, plan in plans.items() if _reads_it_all(plan, partial, SMALL | AT_HAND)} == {}


def _plans(db: sqlite3.Connection, asked: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for sql, values in list(asked.items()):
        yield sql, [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def _partial_indexes(db: sqlite3.Connection) -> frozenset[str]:
    """Return the indexes that hold only the rows for which there is something to do."""
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'")
    return frozenset(row["name"] for row in rows)


def _reads_it_all(plan: list[str], partial: frozenset[str], small: frozenset[str] = SMALL) -> bool:
    scans = [found for found in map(SCAN.match, plan) if found is not None]
    return any(scan[1] not in small and scan[2] not in partial for scan in scans)


def test_a_question_that_no_index_answers_is_noticed() -> None:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    connection._prepare(raw)
    for sql in ("SELECT id FROM jobs WHERE prompt = ?", "SELECT chat_id FROM outbox WHERE body = ?"):
        [(_, plan)] = _plans(raw, {sql: ("x",)})
        assert _reads_it_all(plan, _partial_indexes(raw))
    raw.close()
