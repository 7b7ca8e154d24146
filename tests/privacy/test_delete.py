"""/delete: somebody sees what is stored about them, and nothing of it can be found any more when they say so."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.job import Reason, State
from bot.store import erasure
from bot.store.standings import Standing
from tests.group import Friends, friends
from tests.house import House, a_house
from tests.privacy.classes import CLASSES
from tests.privacy.life import CANARY, HER_ID, Life
from tests.world import a_photo, english, rows


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The bot with its usual settings."""
    async with a_house(tmp_path) as opened:
        yield opened


def _raw(house: House) -> bytes:
    """Return every byte of the database file and of those beside it."""
    path = Path(house.bot.settings.database_path)
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def _number(value: int) -> bytes:
    """Return an id as SQLite writes it into a row."""
    return value.to_bytes(6, "big")


async def test_nothing_of_somebody_can_be_found_after_delete(tmp_path: Path) -> None:
    async with a_house(tmp_path, admin_ids=frozenset({HER_ID, 9009})) as house:
        admin = house.telegram.person(user_id=9009)
        life = Life(house)
        await life.has_troubles()
        await life.is_lived()
        files = {row["file_id"] for row in rows(tmp_path / "darkroom.db", "SELECT file_id FROM sources")}
        traces = [CANARY.encode(), str(HER_ID).encode(), *(each.encode() for each in files)]
        assert [each for each in [*traces, _number(HER_ID)] if each not in _raw(house)] == []
        assert await life.presses("Borrar todo") == ""
        assert house.bot.retention._woken.is_set()
        await house.bot.retention.round()
        assert [each for each in traces if each in _raw(house)] == []
        assert not await house.bot.db.unit(lambda tx: tx.erasure.is_under_way())
        # how much she asked for is kept for two days, so that nobody begins anew by deleting
        assert _number(HER_ID) in _raw(house)
        house.clock.now += 2 * 86_400
        await house.bot.retention.round()
        assert [each for each in [*traces, _number(HER_ID)] if each in _raw(house)] == []
        # what /privacy says of the others
        assert [line for line in house.heard.lines if CANARY in line] == []
        told = [message["text"] for message in house.telegram.bot_messages(admin.id)]
        assert len(told) == 3
        assert [words for words in told if CANARY in words or str(HER_ID) in words] == []
        assert [call for call in house.kie.calls if str(HER_ID) in f"{call.path} {call.headers} {call.body}"] == []


def _question(house: House) -> dict[str, Any]:
    return [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m and "text" in m][-1]


async def _asks(house: House) -> dict[str, Any]:
    """Let Ada send /delete, and return what she is asked."""
    house.ada.send_text("/delete")
    await house.hear()
    return _question(house)


async def _presses(house: House, label: str) -> str | None:
    """Let Ada send /delete and press a button, and return what answers the press."""
    press = house.ada.press((await _asks(house))["message_id"], label)
    await house.hear()
    answer = house.ada.answer_to(press)
    return None if answer is None else str(answer.get("text", ""))


async def test_it_says_in_plain_words_what_is_stored_and_what_becomes_of_it(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(40)
    await house.ask(a_photo("gold"))
    await house.ask(a_photo("plum"), caption="")
    told = (await _asks(house))["text"]
    for words in (
        "Edits: 3, with 2 captions or wishes of yours and 3 references to pictures",
        "one edit that waits, and will be cancelled; one that is ordered and paid for",
        "Settings and language: nothing",
    ):
        assert words in told
    assert len(house.kie.tasks) == 2
    await house.pass_time(40)
    assert len(house.pictures()) == 2, "nothing is lost by asking"


async def test_of_very_much_it_is_counted_no_further_than_makes_a_difference(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "MOST_COUNTED", 2)
    for colour in ("red", "gold", "plum"):
        await house.ask(a_photo(colour))
    told = (await _asks(house))["text"]
    assert "Edits: 2+, with 2+ captions or wishes of yours and 2+ references to pictures" in told


async def test_keep_it_keeps_it(house: House) -> None:
    await house.ask(a_photo())
    assert await _presses(house, "Keep it") == english("toast-kept")
    await house.pass_time(40)
    assert len(house.pictures()) == 1
    assert (await house.job()).request.prompt == "make it snow"


async def test_what_waits_is_cancelled_and_what_is_ordered_is_never_sent(house: House) -> None:
    await house.ask(a_photo())
    await house.ask(a_photo("plum"), caption="")
    await _presses(house, "Delete everything")
    await house.pass_time(100)
    assert house.pictures() == []
    texts = [message["text"] for message in house.telegram.bot_messages(house.ada.id) if "text" in message]
    assert texts == [english("deleted", records=2)], "nothing is left that tells how an edit stands"
    ordered, waiting = await house.job(1), await house.job(2)
    assert (ordered.state, ordered.reason) == (State.FAILED, Reason.DELETED)
    assert (waiting.state, waiting.request.user_id, waiting.request.sources) == (State.CANCELLED, 0, ())
    assert len(house.kie.tasks) == 1


async def test_what_was_paid_stays_as_numbers(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(40)
    await _presses(house, "Delete everything")
    [task_id] = house.kie.tasks
    path = Path(house.bot.settings.database_path)
    [kept] = rows(path, "SELECT jobs.task_id AS ours, credits, outcome, attempts.task_id FROM jobs JOIN attempts")
    assert (kept["ours"], kept["task_id"], kept["outcome"]) == (task_id, task_id, "accepted")
    assert kept["credits"] > 0


async def test_an_order_that_is_being_made_is_written_down_and_brings_nothing_back(house: House) -> None:
    house.kie.refuse(433, "cap")
    await house.ask(a_photo())
    submit = house.bot.worker._steps.submit
    house.clock.now += 1000
    await house.bot.db.unit(lambda tx: tx.breakers.close("cap"))
    [order], _ = await house.bot.db.unit(lambda tx: submit.begin(tx, house.clock.instant()))
    await house.bot.db.unit(lambda tx: tx.forget_person(house.ada.id, house.clock.instant()))
    await submit.order(order)
    await house.pass_time(100)
    latest = await house.bot.db.unit(lambda tx: tx.attempts.latest(1))
    assert latest is not None
    assert [latest.task_id] == list(house.kie.tasks)
    assert ((await house.job()).state, house.pictures()) == (State.FAILED, [])
    assert str(house.ada.id) not in _stored(house)


async def test_a_crash_while_an_order_of_somebody_gone_is_made_keeps_no_gate_shut(house: House) -> None:
    await house.ask(a_photo())
    now = house.clock.instant()
    await house.bot.db.unit(lambda tx: tx.forget_person(house.ada.id, now))
    await house.bot.db.unit(lambda tx: tx.attempts.begin(1, "of a call that nobody hears the end of", now))
    await house.restart()
    assert (await house.bot.db.unit(lambda tx: tx.attempts.recent(now, 10)))[0] == 0


def _stored(house: House) -> str:
    """Return all that the rows hold, but for how much somebody asked for today."""
    path = Path(house.bot.settings.database_path)
    held = [row for table in CLASSES if table != "counts" for row in rows(path, f"SELECT * FROM {table}")]  # noqa: S608 - our own names
    return "\n".join(str(tuple(row)) for row in held)


async def test_with_nothing_stored_it_says_so_and_stores_nothing(house: House) -> None:
    house.ada.send_text("/delete")
    await house.hear()
    assert house.words() == [english("nothing-to-delete")]
    assert str(house.ada.id) not in _stored(house)


async def test_the_old_buttons_say_that_nothing_is_known_any_more(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(40)
    await _presses(house, "Delete everything")
    [picture] = house.pictures()
    told = []
    for label in ("Again", "Original file", "Delete"):
        press = house.ada.press(picture["message_id"], label)
        await house.hear()
        told.append((house.ada.answer_to(press) or {}).get("text"))
    assert told == [english("toast-erased"), english("original-gone"), english("toast-old")]


async def _placed(house: House) -> Friends:
    """Let Ada add the bot to a group, and speak there in its name."""
    here = friends(house)
    here.place(here.ada)
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.answered()
    return here


async def test_that_somebody_added_the_bot_to_a_group_is_shown_and_forgotten(house: House) -> None:
    here = await _placed(house)
    here.ada.send_photo(a_photo("gold"), caption="/edit make it rain", chat=here.group, anonymously=True)
    await here.hear()
    assert str(here.ada.id) in _stored(house)
    assert "Groups to which you added me: 1" in (await _asks(house))["text"]
    house.ada.press(_question(house)["message_id"], "Delete everything")
    await house.hear()
    await house.pass_time(5)
    assert str(here.ada.id) not in _stored(house)
    assert len(await here.answered()) == 2, "what a group asked for is the group's"
    house.ada.send_text("/delete")
    await house.hear()
    assert house.words()[-1] == english("nothing-to-delete")


async def test_whom_an_admin_has_shut_out_is_not_let_in_again_by_deleting_everything(house: House) -> None:
    here = await _placed(house)
    await house.ask(a_photo())
    await house.pass_time(40)
    await house.bot.db.unit(lambda tx: tx.standings.decide(here.ada.id, Standing.BLOCKED, 9009, 1))
    await _presses(house, "Delete everything")
    here.ada.send_photo(a_photo(), caption="/edit make it rain", chat=here.group, anonymously=True)
    await here.answered()
    assert len(house.kie.tasks) == 2


async def test_strangers_may_see_and_delete_what_is_stored_about_them(tmp_path: Path) -> None:
    async with a_house(tmp_path, allowed_ids=frozenset({5})) as house:
        house.ada.send_text("hello")
        await house.hear()
        assert await _presses(house, "Delete everything") == ""
        await house.pass_time(2)
        assert house.words()[-1] == english("deleted", records=2)
        assert str(house.ada.id) not in _stored(house)


async def test_in_a_group_it_is_heard_by_name_only_and_sends_people_to_the_private_chat(house: House) -> None:
    here = friends(house)
    here.ada.send_text("/delete", chat=here.group)  # which may be for another bot
    here.ada.send_text("/delete@darkroom_bot", chat=here.group)
    await here.hear()
    assert here.words() == [english("delete-in-private")]


async def test_it_covers_what_was_asked_for_in_groups_and_leaves_what_others_asked_for(house: House) -> None:
    here = friends(house)
    for person in (here.ada, here.grace):
        person.send_photo(a_photo(), caption=f"/edit as {person.user['first_name']} likes it", chat=here.group)
    await here.answered()
    await _presses(house, "Delete everything")
    stored = _stored(house)
    assert ("as Ada likes it" in stored, str(here.ada.id) in stored) == (False, False)
    assert "as Grace likes it" in stored
    assert len(here.pictures()) == 2, "messages are not taken away"
