"""No query scans a large table while the bot works: each uses an index.

The queries are not listed here. The tests play a day with all kinds of events on the real bot, and pass each statement
that reaches the database to EXPLAIN QUERY PLAN, so that new statements are covered automatically.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot import job_operations
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import failure
from bot.stats.aggregates import DEFAULT_PERIOD, aggregate_period
from bot.store import database
from bot.store.database import Transaction
from bot.store.job_details import JobDetailsReader
from tests.bot_harness import BotHarness, open_bot_harness
from tests.images.sample_files import encode_image
from tests.process_harness import make_photo

#: Tables that never have more than a few rows.
SMALL_TABLES = frozenset({"circuit_breakers", "fair_queue_clock", "bot_identity", "credit_balance"})

#: Scans that stop at the first row.
CHEAP_SCANS = frozenset({"SELECT 1 FROM fair_queue LIMIT 1"})

SCAN_STEP = re.compile(r"SCAN (?!CONSTANT ROW|json_each|value )(\w+)(?: USING (?:COVERING )?INDEX (\w+))?")

RecordedQueries = dict[str, Any]


class RecordingConnection:
    """A connection that records its statements, each with its latest parameters."""

    def __init__(self, db: sqlite3.Connection, asked: RecordedQueries) -> None:
        self._db = db
        self._asked = asked

    @property
    def total_changes(self) -> int:
        """The number of changed rows so far."""
        return self._db.total_changes

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        """Record and run a statement."""
        self._asked[sql] = values
        return self._db.execute(sql, values)

    def executemany(self, sql: str, rows: list[Any]) -> sqlite3.Cursor:
        """Record and run a statement for each row."""
        if rows:
            self._asked[sql] = rows[-1]
        return self._db.executemany(sql, rows)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> RecordedQueries:
    """The statements run from here on, without those that open the file."""
    recorded: RecordedQueries = {}
    monkeypatch.setattr(database, "Transaction", lambda db: Transaction(RecordingConnection(db, recorded)))  # type: ignore[arg-type]  # all that is used of it
    return recorded


async def test_no_question_of_the_worker_or_the_intake_reads_a_whole_table(
    tmp_path: Path, asked: RecordedQueries
) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({1001, 9009})) as house:
        house.telegram.person(user_id=9009)
        await _play_a_day(house)
        await house.bot.db.transact(lambda tx: tx.snapshots.take(house.clock.instant()))
        await _ask_as_operator(house)
        assert len(asked) > 80
        plans = await house.bot.db.transact(lambda tx: dict(_explain_queries(tx.jobs._db, asked)))
        partial = await house.bot.db.transact(lambda tx: _partial_indexes(tx.jobs._db))
    assert {
        sql: plan for sql, plan in plans.items() if sql not in CHEAP_SCANS and _scans_whole_table(plan, partial)
    } == {}


async def _play_a_day(house: BotHarness) -> None:
    """Make everything happen once that makes the bot run a statement."""
    await house.bot.worker.recover()
    await _send_every_kind_of_message(house)
    await _cause_every_kind_of_fault(house)
    await house.bot.worker.recover()
    house.ada.block()
    await house.receive_updates()
    await house.settle()


async def _ask_as_operator(house: BotHarness) -> None:
    """Run the queries of admins and operators."""
    await aggregate_period(house.bot.db, DEFAULT_PERIOD, house.clock.instant())
    await house.bot.db.transact(lambda tx: JobDetailsReader(tx.jobs._db).list_open(10))
    await house.bot.db.transact(lambda tx: JobDetailsReader(tx.jobs._db).get(1))


async def _send_every_kind_of_message(house: BotHarness) -> None:
    photo = await house.request_edit(make_photo())
    house.ada.edit_caption(photo, "too late")
    house.ada.send_album([make_photo("red"), make_photo("blue")])
    house.ada.send_album([encode_image("BMP"), encode_image("TIFF")], {0: "to be decoded"}, as_documents=True)
    await house.receive_updates()
    await house.advance_time(60)
    house.ada.send_text("make it snow", reply_to=house.pictures()[0]["message_id"])
    house.ada.press_button(house.pictures()[0]["message_id"], "Original file")
    house.ada.send_text("for the album")
    waits = house.ada.send_photo(make_photo("green"))
    await house.receive_updates()
    house.ada.edit_caption(waits, "so")
    for text in ("/status", "/cancel", "/help", "hello"):
        house.ada.send_text(text)
    house.telegram.push({"message": {"chat": {"id": house.ada.id}}})
    await house.receive_updates()
    await house.advance_time(60)
    house.ada.press_button(house.pictures()[0]["message_id"], "Delete")
    await house.receive_updates()
    await house.advance_time(5)


async def _cause_every_kind_of_fault(house: BotHarness) -> None:
    house.kie.refuse_next_create(455, "maintenance")
    house.kie.script_outcomes(failure("Internal Error, Please try again later."))
    house.telegram.faults.add("sendPhoto", Fault(FaultKind.DISCONNECT_AFTER))
    await house.request_edit(make_photo("gold"))
    await house.advance_time(60)
    house.kie.refuse_next_create(401, "no")
    await house.request_edit(make_photo("silver"))
    await house.advance_time(100)
    for label in ("Try again", "Leave it"):
        house.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
        await house.request_edit(make_photo("plum"))
        house.ada.press_button(house.progress_messages()[-1]["message_id"], label)
        await house.receive_updates()
        await house.advance_time(60)


#: Tables with the rows of one day's users; those read only up to the first row; intermediate results; and the outbox
#: lanes, which are all updated after the clock was set back.
AT_HAND = frozenset({"fair_queue_lanes", "users", "erasures", "fair_queue", "variations", "json_tree", "outbox_lanes"})


async def test_what_is_done_now_and_then_reads_no_whole_table_either(tmp_path: Path, asked: RecordedQueries) -> None:
    async with open_bot_harness(tmp_path, keep_days=1) as house:
        await _send_every_kind_of_message(house)
        asked.clear()
        await house.bot.db.transact(lambda tx: tx.erasure.count_stored_data(house.ada.id))
        await house.bot.db.transact(lambda tx: job_operations.erase_user(tx, house.ada.id, house.clock.instant()))
        house.clock.now += 5 * 86_400
        await house.bot.db.transact(house.bot.retention.erase_batch)
        house.clock.now -= 9 * 86_400
        await house.bot.worker.recover()
        assert len(asked) > 50
        plans = await house.bot.db.transact(lambda tx: dict(_explain_queries(tx.jobs._db, asked)))
        partial = await house.bot.db.transact(lambda tx: _partial_indexes(tx.jobs._db))
    assert {sql: plan for sql, plan in plans.items() if _scans_whole_table(plan, partial, SMALL_TABLES | AT_HAND)} == {}


def _explain_queries(db: sqlite3.Connection, asked: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for sql, values in list(asked.items()):
        yield sql, [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def _partial_indexes(db: sqlite3.Connection) -> frozenset[str]:
    """Return the indexes that hold only rows with work to do."""
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'")
    return frozenset(row["name"] for row in rows)


def _scans_whole_table(plan: list[str], partial: frozenset[str], small: frozenset[str] = SMALL_TABLES) -> bool:
    scans = [found for found in map(SCAN_STEP.match, plan) if found is not None]
    return any(scan[1] not in small and scan[2] not in partial for scan in scans)


def test_a_question_that_no_index_answers_is_noticed() -> None:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    database._prepare_connection(raw)
    for sql in ("SELECT id FROM jobs WHERE prompt = ?", "SELECT chat_id FROM outbox WHERE body = ?"):
        [(_, plan)] = _explain_queries(raw, {sql: ("x",)})
        assert _scans_whole_table(plan, _partial_indexes(raw))
    raw.close()
