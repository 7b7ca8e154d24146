"""/delete: users see what is stored about them, and after they confirm, no trace of it is left."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot import job_operations
from bot.job import FailureReason, State
from bot.store import erasure
from bot.store.users import AccessRule
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import GroupHarness, create_group
from tests.privacy.canary_user import CANARY, CANARY_USER_ID, CanaryUser
from tests.privacy.column_classification import COLUMN_CLASSES
from tests.process_harness import make_photo, query_database, render_english


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """The bot with its usual settings."""
    async with open_bot_harness(tmp_path) as opened:
        yield opened


def _database_bytes(house: BotHarness) -> bytes:
    path = Path(house.bot.settings.database_path)
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def _encode_id(value: int) -> bytes:
    """Return an id as SQLite stores it in a row."""
    return value.to_bytes(6, "big")


async def test_nothing_of_somebody_can_be_found_after_delete(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({CANARY_USER_ID, 9009})) as house:
        admin = house.telegram.person(user_id=9009)
        life = CanaryUser(house)
        await life.cause_errors()
        await life.create_history()
        files = {
            row["file_id"] for row in query_database(tmp_path / "darkroom.db", "SELECT file_id FROM source_images")
        }
        traces = [CANARY.encode(), str(CANARY_USER_ID).encode(), *(each.encode() for each in files)]
        assert [each for each in [*traces, _encode_id(CANARY_USER_ID)] if each not in _database_bytes(house)] == []
        assert await life.answer_delete_question("Borrar todo") == ""
        assert house.bot.retention._woken.is_set()
        await house.bot.retention.run_once()
        assert [each for each in traces if each in _database_bytes(house)] == []
        assert not await house.bot.db.transact(lambda tx: tx.erasure.has_pending())
        # the daily usage is kept for two days, so that /delete resets no limit
        assert _encode_id(CANARY_USER_ID) in _database_bytes(house)
        house.clock.now += 2 * 86_400
        await house.bot.retention.run_once()
        assert [each for each in [*traces, _encode_id(CANARY_USER_ID)] if each in _database_bytes(house)] == []
        # what /privacy says of the others
        assert [line for line in house.log_capture.lines if CANARY in line] == []
        told = [message["text"] for message in house.telegram.bot_messages(admin.id)]
        assert len(told) == 3
        assert [words for words in told if CANARY in words or str(CANARY_USER_ID) in words] == []
        assert [
            call for call in house.kie.calls if str(CANARY_USER_ID) in f"{call.path} {call.headers} {call.body}"
        ] == []


def _delete_question(house: BotHarness) -> dict[str, Any]:
    return [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m and "text" in m][-1]


async def _ask_to_delete(house: BotHarness) -> dict[str, Any]:
    house.ada.send_text("/delete")
    await house.process_updates()
    return _delete_question(house)


async def _answer_delete_question(house: BotHarness, label: str) -> str | None:
    """Have Ada send /delete and press a button, and return the callback answer."""
    press = house.ada.press_button((await _ask_to_delete(house))["message_id"], label)
    await house.process_updates()
    answer = house.ada.callback_answer(press)
    return None if answer is None else str(answer.get("text", ""))


async def test_it_says_in_plain_words_what_is_stored_and_what_becomes_of_it(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(40)
    await house.request_edit(make_photo("gold"))
    await house.request_edit(make_photo("plum"), caption="")
    told = (await _ask_to_delete(house))["text"]
    for words in (
        "Edits: 3, with 2 captions or wishes of yours and 3 references to pictures",
        "one edit that waits, and will be cancelled; one that is ordered and paid for",
        "Settings and language: nothing",
    ):
        assert words in told
    assert len(house.kie.tasks) == 2
    await house.advance_time(40)
    assert len(house.pictures()) == 2, "nothing is lost by asking"


async def test_of_very_much_it_is_counted_no_further_than_makes_a_difference(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "MAX_COUNTED", 2)
    for colour in ("red", "gold", "plum"):
        await house.request_edit(make_photo(colour))
    told = (await _ask_to_delete(house))["text"]
    assert "Edits: 2+, with 2+ captions or wishes of yours and 2+ references to pictures" in told


async def test_keep_it_keeps_it(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    assert await _answer_delete_question(house, "Keep it") == render_english("toast-kept")
    await house.advance_time(40)
    assert len(house.pictures()) == 1
    assert (await house.read_job()).request.prompt == "make it snow"


async def test_what_waits_is_cancelled_and_what_is_ordered_is_never_sent(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.request_edit(make_photo("plum"), caption="")
    await _answer_delete_question(house, "Delete everything")
    await house.advance_time(100)
    assert house.pictures() == []
    texts = [message["text"] for message in house.telegram.bot_messages(house.ada.id) if "text" in message]
    assert texts == [render_english("deleted", records=2)], "nothing is left that tells how an edit stands"
    ordered, waiting = await house.read_job(1), await house.read_job(2)
    assert (ordered.state, ordered.reason) == (State.FAILED, FailureReason.DELETED)
    assert (waiting.state, waiting.request.user_id, waiting.request.sources) == (State.CANCELLED, 0, ())
    assert len(house.kie.tasks) == 1


async def test_what_was_paid_stays_as_numbers(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(40)
    await _answer_delete_question(house, "Delete everything")
    [task_id] = house.kie.tasks
    path = Path(house.bot.settings.database_path)
    [kept] = query_database(
        path, "SELECT jobs.task_id AS ours, credits, outcome, attempts.task_id FROM jobs JOIN attempts"
    )
    assert (kept["ours"], kept["task_id"], kept["outcome"]) == (task_id, task_id, "accepted")
    assert kept["credits"] > 0


async def test_an_order_that_is_being_made_is_written_down_and_brings_nothing_back(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "cap")
    await house.request_edit(make_photo())
    worker = house.bot.worker
    submit = worker._steps.order_submitter
    house.clock.now += 1000
    await house.bot.db.transact(lambda tx: tx.circuit_breakers.close("cap"))
    [order], _ = await house.bot.db.transact(
        lambda tx: submit.begin_due_orders(tx, worker._containment, house.clock.instant())
    )
    await house.bot.db.transact(lambda tx: job_operations.erase_user(tx, house.ada.id, house.clock.instant()))
    await submit.place_order(order)
    await house.advance_time(100)
    latest = await house.bot.db.transact(lambda tx: tx.attempts.get_latest(1))
    assert latest is not None
    assert [latest.task_id] == list(house.kie.tasks)
    assert ((await house.read_job()).state, house.pictures()) == (State.FAILED, [])
    assert str(house.ada.id) not in _dump_rows(house)


async def test_a_crash_while_an_order_of_somebody_gone_is_made_keeps_no_gate_shut(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    now = house.clock.instant()
    await house.bot.db.transact(lambda tx: job_operations.erase_user(tx, house.ada.id, now))
    await house.bot.db.transact(lambda tx: tx.attempts.begin(1, "of a call that nobody hears the end of", now))
    await house.restart()
    assert (await house.bot.db.transact(lambda tx: tx.attempts.count_recent(now, 10)))[0] == 0


def _dump_rows(house: BotHarness) -> str:
    """Return the contents of all rows, without the daily usage."""
    path = Path(house.bot.settings.database_path)
    held = [
        row
        for table in COLUMN_CLASSES
        if table != "daily_usage"
        for row in query_database(path, f"SELECT * FROM {table}")  # noqa: S608 - our own names
    ]
    return "\n".join(str(tuple(row)) for row in held)


async def test_with_nothing_stored_it_says_so_and_stores_nothing(house: BotHarness) -> None:
    house.ada.send_text("/delete")
    await house.process_updates()
    assert house.sent_texts() == [render_english("nothing-to-delete")]
    assert str(house.ada.id) not in _dump_rows(house)


async def test_the_old_buttons_say_that_nothing_is_known_any_more(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(40)
    await _answer_delete_question(house, "Delete everything")
    [picture] = house.pictures()
    told = []
    for label in ("Again", "Original file", "Delete"):
        press = house.ada.press_button(picture["message_id"], label)
        await house.process_updates()
        told.append((house.ada.callback_answer(press) or {}).get("text"))
    assert told == [render_english("toast-erased"), render_english("original-gone"), render_english("toast-old")]


async def _add_bot_to_group(house: BotHarness) -> GroupHarness:
    """Have Ada add the bot to a group, and post there in the name of the group."""
    here = create_group(house)
    here.add_bot(here.ada)
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.finish_edits()
    return here


async def test_that_somebody_added_the_bot_to_a_group_is_shown_and_forgotten(house: BotHarness) -> None:
    here = await _add_bot_to_group(house)
    here.ada.send_photo(make_photo("gold"), caption="/edit make it rain", chat=here.group, anonymously=True)
    await here.process_updates()
    assert str(here.ada.id) in _dump_rows(house)
    assert "Groups to which you added me: 1" in (await _ask_to_delete(house))["text"]
    house.ada.press_button(_delete_question(house)["message_id"], "Delete everything")
    await house.process_updates()
    await house.advance_time(5)
    assert str(here.ada.id) not in _dump_rows(house)
    assert len(await here.finish_edits()) == 2, "what a group asked for is the group's"
    house.ada.send_text("/delete")
    await house.process_updates()
    assert house.sent_texts()[-1] == render_english("nothing-to-delete")


async def test_whom_an_admin_has_shut_out_is_not_let_in_again_by_deleting_everything(house: BotHarness) -> None:
    here = await _add_bot_to_group(house)
    await house.request_edit(make_photo())
    await house.advance_time(40)
    await house.bot.db.transact(lambda tx: tx.access_rules.set_rule(here.ada.id, AccessRule.BLOCKED, 9009, 1))
    await _answer_delete_question(house, "Delete everything")
    here.ada.send_photo(make_photo(), caption="/edit make it rain", chat=here.group, anonymously=True)
    await here.finish_edits()
    assert len(house.kie.tasks) == 2


async def test_strangers_may_see_and_delete_what_is_stored_about_them(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, allowed_ids=frozenset({5})) as house:
        house.ada.send_text("hello")
        await house.process_updates()
        assert await _answer_delete_question(house, "Delete everything") == ""
        await house.advance_time(2)
        assert house.sent_texts()[-1] == render_english("deleted", records=2)
        assert str(house.ada.id) not in _dump_rows(house)


async def test_in_a_group_it_is_heard_by_name_only_and_sends_people_to_the_private_chat(house: BotHarness) -> None:
    here = create_group(house)
    here.ada.send_text("/delete", chat=here.group)  # it may be meant for another bot
    here.ada.send_text("/delete@darkroom_bot", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("delete-in-private")]


async def test_it_covers_what_was_asked_for_in_groups_and_leaves_what_others_asked_for(house: BotHarness) -> None:
    here = create_group(house)
    for person in (here.ada, here.grace):
        person.send_photo(make_photo(), caption=f"/edit as {person.user['first_name']} likes it", chat=here.group)
    await here.finish_edits()
    await _answer_delete_question(house, "Delete everything")
    stored = _dump_rows(house)
    assert ("as Ada likes it" in stored, str(here.ada.id) in stored) == (False, False)
    assert "as Grace likes it" in stored
    assert len(here.pictures()) == 2, "messages are not taken away"
