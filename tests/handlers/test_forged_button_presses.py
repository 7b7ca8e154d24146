"""Forged callback data: a press affects only what its message is about, and what was deleted stays deleted.

A modified client can send any data for any message of the bot, and Telegram passes it on (Bot API, CallbackQuery:
"the message originated the query can contain no callback buttons with this data").
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.handlers.update_parser import parse_update
from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram import Person
from bot.sandbox.telegram.errors import bad_request, too_many_requests
from bot.store.database import Transaction
from bot.store.inbox import StoredUpdate
from bot.telegram.buttons import Button, ButtonAction, parse_callback_data
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import GroupHarness, create_group
from tests.process_harness import make_photo, render_english

#: Actions of answers, whose callback data is only the id of the job; an uncertain order adds the time of the question.
ABOUT_ANSWERS = (
    ButtonAction.SEND_ORIGINAL,
    ButtonAction.VARIATION,
    ButtonAction.DELETE_ANSWER,
    ButtonAction.FETCH_RESULT,
)


@pytest.fixture
def here(house: BotHarness) -> GroupHarness:
    """A supergroup, with Eve among the others."""
    made = create_group(house)
    made.group.join(_create_eve(made).user)
    return made


def _create_eve(here: GroupHarness) -> Person:
    return here.harness.telegram.person(user_id=666, first_name="Eve")


async def _finish_edit(here: GroupHarness, person: Person, words: str = "make it snow") -> dict[str, Any]:
    person.send_photo(make_photo(), caption=f"/edit {words}", chat=here.group)
    return (await here.finish_edits())[-1]


async def _press_forged(here: GroupHarness, person: Person, message_id: int, data: str) -> str | None:
    press = person.press_with_data(message_id, data, here.group)
    await here.process_updates()
    answer = person.callback_answer(press)
    return None if answer is None else str(answer.get("text", ""))


def _callback_data_of_buttons(message: dict[str, Any]) -> dict[str, str]:
    """Return the callback data of a message's buttons, by their labels."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {button["text"]: button["callback_data"] for row in rows for button in row}


def _inaccessible_message(message_id: int, chat: dict[str, Any]) -> dict[str, Any]:
    """Return a message as Telegram shows one that is too old or deleted."""
    return {"chat": chat, "message_id": message_id, "date": 0}


async def _press_inaccessible(here: GroupHarness, person: Person, message_id: int, data: str) -> str | None:
    query_id = f"55{len(here.harness.telegram.state.callback_answers)}"
    here.harness.telegram.state.callback_answers[query_id] = None
    message = _inaccessible_message(message_id, here.group.chat.api_object)
    query = {"id": query_id, "from": person.user, "message": message, "chat_instance": "1", "data": data}
    here.harness.telegram.push({"callback_query": query})
    await here.process_updates()
    return (person.callback_answer(query_id) or {}).get("text")


# -- job and message must belong together


async def test_nobody_deletes_with_an_edit_of_theirs_what_others_had_made(here: GroupHarness) -> None:
    adas = await _finish_edit(here, here.ada)
    eves = await _finish_edit(here, _create_eve(here))
    reply_text = await _press_forged(
        here, _create_eve(here), adas["message_id"], _callback_data_of_buttons(eves)["Delete"]
    )
    await here.harness.advance_time(5)
    assert reply_text == render_english("toast-old")
    assert [each["message_id"] for each in here.pictures()] == [adas["message_id"], eves["message_id"]]
    assert here.visible_calls("deleteMessage") == []


async def test_nobody_takes_a_menu_away_with_an_edit_of_theirs(here: GroupHarness) -> None:
    eves = await _finish_edit(here, _create_eve(here))
    here.group.promote(here.ada.user)
    here.ada.send_text("/settings@darkroom_bot", chat=here.group)
    await here.process_updates()
    menu = here.text_messages()[-1]
    reply_text = await _press_forged(
        here, _create_eve(here), menu["message_id"], _callback_data_of_buttons(eves)["Delete"]
    )
    await here.harness.advance_time(5)
    assert reply_text == render_english("toast-old")
    assert here.text_messages()[-1] == menu


async def test_an_order_in_doubt_is_decided_under_its_question_only(here: GroupHarness) -> None:
    eves = await _finish_edit(here, _create_eve(here))
    here.harness.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
    here.ada.send_photo(make_photo(), caption="/edit make it rain", chat=here.group)
    await here.process_updates()
    await here.harness.advance_time(5)
    question = here.text_messages()[-1]
    for label in ("Try again", "Leave it"):
        reply_text = await _press_forged(here, here.ada, eves["message_id"], _callback_data_of_buttons(question)[label])
        assert reply_text == render_english("toast-old")
    assert (await here.harness.read_job(2)).state is State.SUBMITTING
    assert await here.press_button(here.ada, question["message_id"], "Leave it") == render_english("toast-left")


async def test_an_edit_is_taken_back_under_a_message_about_it_only(here: GroupHarness) -> None:
    eves = await _finish_edit(here, _create_eve(here))
    here.ada.send_photo(make_photo(), caption="/edit", chat=here.group)
    await here.process_updates()
    question = here.text_messages()[-1]
    for data in (
        _callback_data_of_buttons(question)["Cancel"],
        Button("x", ButtonAction.USE_SUGGESTION, 2, 1).callback_data,
    ):
        assert await _press_forged(here, here.ada, eves["message_id"], data) == render_english("toast-old")
    assert (await here.harness.read_job(2)).state is State.GATHERING
    assert await here.press_button(here.ada, question["message_id"], "Cancel") == render_english("toast-cancelled")


@pytest.mark.parametrize("action", ABOUT_ANSWERS)
async def test_a_message_about_an_edit_is_not_its_answer(here: GroupHarness, action: ButtonAction) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    here.ada.send_text("/status@darkroom_bot", chat=here.group)
    await here.process_updates()
    status = here.text_messages()[-1]
    assert await _press_forged(
        here, here.ada, status["message_id"], Button("x", action, 1).callback_data
    ) == render_english("toast-old")
    assert len(await here.finish_edits()) == 1
    assert here.visible_calls("deleteMessage") != [], "the status goes when the answer has come"


async def test_the_two_menus_are_not_mistaken_for_each_other(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    for command, data in (("/delete", "1:page:1:0"), ("/settings", "1:erase:0:0"), ("/settings", "1:keep:0:0")):
        house.ada.send_text(command)
        await house.process_updates()
        menu = [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m][-1]
        press = house.ada.press_with_data(menu["message_id"], data)
        await house.process_updates()
        assert house.ada.callback_answer(press) == {"text": render_english("toast-old")}
        assert [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m][-1] == menu
    assert (await house.read_job()).request.prompt == "make it snow"


async def test_who_makes_up_that_everything_is_to_be_deleted_does_not_keep_the_disk_busy(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(30)
    house.ada.press_with_data(house.pictures()[0]["message_id"], "1:erase:0:0")
    await house.process_updates()
    assert not house.bot.retention._woken.is_set()


# -- what was deleted stays deleted


@pytest.mark.parametrize("action", [ButtonAction.SEND_ORIGINAL, ButtonAction.VARIATION])
async def test_a_deleted_picture_is_not_brought_back_by_anybody_from_any_message(
    here: GroupHarness, action: ButtonAction
) -> None:
    adas = await _finish_edit(here, here.ada)
    eves = await _finish_edit(here, _create_eve(here))
    here.group.promote(here.grace.user)
    assert await here.press_button(here.grace, adas["message_id"], "Delete") == render_english("toast-deleted")
    await here.harness.advance_time(5)
    for person in (_create_eve(here), here.ada, here.grace):
        for message_id in (adas["message_id"], eves["message_id"]):
            reply_text = await _press_forged(here, person, message_id, Button("x", action, 1).callback_data)
            assert reply_text == render_english("toast-picture-deleted")
    assert [each["message_id"] for each in await here.finish_edits()] == [eves["message_id"]]
    assert len(here.harness.kie.tasks) == 2
    assert (await here.harness.read_job(1)).result_url is None, "where it is at Kie is forgotten as well"


async def test_a_picture_stays_deleted_after_a_restart(here: GroupHarness) -> None:
    adas = await _finish_edit(here, here.ada)
    await here.press_button(here.ada, adas["message_id"], "Delete")
    await here.harness.restart()
    reply_text = await _press_forged(
        here, _create_eve(here), adas["message_id"], _callback_data_of_buttons(adas)["Original file"]
    )
    assert reply_text == render_english("toast-picture-deleted")
    assert await here.finish_edits() == []


async def test_a_reply_that_crossed_the_deletion_makes_nothing_of_the_picture(here: GroupHarness) -> None:
    adas = await _finish_edit(here, here.ada)
    here.ada.press_button(adas["message_id"], "Delete", chat=here.group)
    here.grace.send_text("/edit make it night", reply_to=adas["message_id"], chat=here.group)
    assert await here.finish_edits() == []
    assert here.sent_texts() == [render_english("picture-deleted")]
    assert len(here.harness.kie.tasks) == 1


async def test_of_a_deleted_picture_only_the_one_who_asked_may_make_another_by_a_word_about_it(
    here: GroupHarness,
) -> None:
    request = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.finish_edits()
    here.ada.edit_caption(request, "/edit make it rain", chat=here.group)
    await here.process_updates()
    [hint] = here.text_messages()
    await here.press_button(here.ada, answer["message_id"], "Delete")
    here.grace.send_text("/edit make it night", reply_to=hint["message_id"], chat=here.group)
    assert await here.finish_edits() == []
    assert here.sent_texts()[1:] == [render_english("picture-deleted")]
    here.ada.send_text("/edit make it night", reply_to=hint["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 1
    here.grace.send_text("/edit make it day", reply_to=request, chat=here.group)
    assert len(await here.finish_edits()) == 2, "a photo that stands in the group is there for all"


async def _run_until_held(here: GroupHarness, method: str, pictures: int, fault: Fault) -> "asyncio.Task[float]":
    """Run the bot until it has sent several images, with Telegram's answer to the last one outstanding."""
    here.harness.telegram.faults.add(method, fault)
    turning = asyncio.create_task(here.harness.run_due_work())
    await here.harness.telegram.wait_for(lambda _: len(here.pictures()) == pictures or None, 20.0)
    return turning


async def test_a_file_that_is_being_fetched_when_its_answer_is_deleted_does_not_come(here: GroupHarness) -> None:
    adas = await _finish_edit(here, here.ada)
    fault, fetched = Fault(FaultKind.HOLD_RESPONSE), len(here.harness.kie.calls_named("result"))
    here.harness.kie.faults.add("result", fault)
    here.grace.press_button(adas["message_id"], "Original file", chat=here.group)
    await here.harness.receive_updates()
    turning = asyncio.create_task(here.harness.run_due_work())
    await here.harness.kie.wait_for(lambda: len(here.harness.kie.calls_named("result")) > fetched, 20.0)
    here.ada.press_button(adas["message_id"], "Delete", chat=here.group)
    await here.harness.receive_updates()
    fault.release.set()
    await turning
    await here.harness.advance_time(60)
    assert here.visible_calls("sendDocument") == []
    assert (here.pictures(), here.sent_texts()) == ([], [])


async def test_a_file_that_arrives_while_its_answer_is_deleted_goes_with_it(here: GroupHarness) -> None:
    adas = await _finish_edit(here, here.ada)
    here.grace.press_button(adas["message_id"], "Original file", chat=here.group)
    await here.harness.receive_updates()
    fault = Fault(FaultKind.HOLD_RESPONSE)
    turning = await _run_until_held(here, "sendDocument", 2, fault)
    here.ada.press_button(adas["message_id"], "Delete", chat=here.group)
    await here.harness.receive_updates()
    fault.release.set()
    await turning
    await here.harness.advance_time(60)
    assert here.pictures() == []


@pytest.mark.parametrize("refusal", [bad_request("message to be replied not found"), bad_request("no such thing")])
async def test_a_file_that_telegram_refuses_while_its_answer_is_deleted_is_not_sent_otherwise(
    here: GroupHarness, refusal: Fault
) -> None:
    adas = await _finish_edit(here, here.ada)
    here.grace.press_button(adas["message_id"], "Original file", chat=here.group)
    await here.harness.receive_updates()
    fault = Fault(FaultKind.HOLD_RESPONSE, status=refusal.status, body=refusal.body)
    turning = await _run_until_held(here, "sendDocument", 2, fault)
    here.ada.delete(here.pictures()[1]["message_id"], chat=here.group)  # it was refused, and never stood there
    here.ada.press_button(adas["message_id"], "Delete", chat=here.group)
    await here.harness.receive_updates()
    fault.release.set()
    await turning
    await here.harness.advance_time(60)
    assert (here.pictures(), here.sent_texts()) == ([], [])


# -- genuine presses are not refused


@pytest.mark.parametrize("label", ["Again", "Original file", "Delete"])
async def test_an_answer_may_be_pressed_before_the_bot_knows_that_it_arrived(here: GroupHarness, label: str) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    await here.harness.kie.wait_for(lambda: all(task.prepared_at for task in here.harness.kie.tasks.values()))
    here.harness.clock.now += 30
    fault = Fault(FaultKind.HOLD_RESPONSE)
    turning = await _run_until_held(here, "sendPhoto", 1, fault)
    [answer] = here.pictures()
    press = here.ada.press_button(answer["message_id"], label, chat=here.group)
    await here.harness.receive_updates()
    fault.release.set()
    await turning
    await here.finish_edits()
    reply_text = {"Again": "toast-varied", "Original file": "toast-fetching", "Delete": "toast-deleted"}[label]
    assert (here.ada.callback_answer(press) or {}).get("text") == render_english(reply_text)
    assert len(here.pictures()) == (0 if label == "Delete" else 2)
    assert (await here.harness.read_job()).answered_at is not None


async def test_an_answer_that_came_twice_because_nobody_knew_goes_twice(here: GroupHarness) -> None:
    here.harness.telegram.faults.add("sendPhoto", Fault(FaultKind.DISCONNECT_AFTER))
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    first, second = await here.finish_edits()
    for answer in (second, first):
        assert await here.press_button(here.ada, answer["message_id"], "Delete") == render_english("toast-deleted")
    await here.harness.advance_time(5)
    assert here.pictures() == []


async def test_an_answer_in_doubt_that_is_deleted_is_not_sent_once_more(here: GroupHarness) -> None:
    here.harness.telegram.faults.add("sendPhoto", Fault(FaultKind.DISCONNECT_AFTER))
    here.harness.telegram.faults.add("sendPhoto", too_many_requests(100))
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.finish_edits()
    assert await here.press_button(here.ada, answer["message_id"], "Delete") == render_english("toast-deleted")
    await here.harness.advance_time(600)
    assert (here.pictures(), here.sent_texts()) == ([], [])
    assert (await here.harness.read_job()).answered_at is not None


async def test_under_a_message_that_telegram_shows_no_more_a_press_counts_as_well(here: GroupHarness) -> None:
    answer = await _finish_edit(here, here.ada)
    data = _callback_data_of_buttons(answer)
    reply_text = [await _press_inaccessible(here, here.ada, answer["message_id"], data[label]) for label in data]
    assert reply_text == [
        render_english("toast-varied"),
        render_english("toast-fetching"),
        render_english("toast-deleted"),
    ]


async def test_after_the_return_of_an_older_database_an_old_button_is_not_taken_for_one_of_another_job(
    here: GroupHarness,
) -> None:
    old = await _finish_edit(here, here.ada)
    here.ada.send_text("/help", chat=here.group)
    await here.process_updates()  # so that Telegram does not deliver the request again
    await here.harness.close()
    for file in Path(here.harness._settings.database_path).parent.glob("darkroom.db*"):
        file.unlink()
    await here.harness.open()
    await _finish_edit(here, here.ada, "make it rain")
    assert await here.press_button(here.ada, old["message_id"], "Delete") == render_english("toast-old")
    assert len(here.pictures()) == 2


# -- any press with any data


@dataclass
class ButtonScene:
    """A group and Ada's private chat, with messages of all kinds in them."""

    group: GroupHarness
    #: the users who press
    people: list[Person]
    #: the messages of the bot by chat and id, as they were first seen
    messages: dict[tuple[int, int], dict[str, Any]]

    def remember_messages(self) -> None:
        """Record the messages that are in the chats now."""
        for chat_id in (self.group.group.id, self.group.ada.id):
            for message in self.group.harness.telegram.bot_messages(chat_id):
                self.messages[chat_id, message["message_id"]] = message

    def job_of(self, key: tuple[int, int]) -> int | None:
        """Return the job that a message is about, by its own buttons."""
        found = [parse_callback_data(data) for data in _callback_data_of_buttons(self.messages[key]).values()]
        jobs = {
            each.target
            for each in found
            if each
            and each.action not in (ButtonAction.SETTINGS_PAGE, ButtonAction.DELETE_MY_DATA, ButtonAction.KEEP_MY_DATA)
        }
        return jobs.pop() if jobs else None


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[ButtonScene]:
    """Answers, a file, a deleted answer, questions, an uncertain order, a progress message, menus."""
    async with open_bot_harness(tmp_path) as house:
        here = create_group(house)
        here.group.join(_create_eve(here).user)
        made = ButtonScene(here, [here.ada, here.grace, _create_eve(here)], {})
        adas, _, graces = [await _finish_edit(here, person) for person in (here.ada, _create_eve(here), here.grace)]
        await here.press_button(here.ada, adas["message_id"], "Original file")
        made.remember_messages()
        await here.press_button(here.grace, graces["message_id"], "Delete")
        await house.request_edit(make_photo())
        await house.advance_time(30)
        await _leave_work_unfinished(here)
        here.group.promote(here.ada.user)
        here.ada.send_text("/settings@darkroom_bot", chat=here.group)
        house.ada.send_text("/delete")
        await here.process_updates()
        made.remember_messages()
        yield made


async def _leave_work_unfinished(here: GroupHarness) -> None:
    """Leave an uncertain order, a queued edit with its progress message, and two questions."""
    here.harness.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
    here.grace.send_photo(make_photo(), caption="/edit make it rain", chat=here.group)
    await here.process_updates()
    await here.harness.advance_time(5)
    here.harness.kie.refuse_next_create(433, "cap")
    here.ada.send_photo(make_photo(), caption="/edit make it night", chat=here.group)
    here.ada.send_photo(make_photo())
    await here.process_updates()
    here.ada.send_text("/status@darkroom_bot", chat=here.group)
    _create_eve(here).send_photo(make_photo(), caption="/edit", chat=here.group)
    await here.process_updates()


Rows = dict[int, dict[str, Any]]
#: A job by its id, a menu by its chat and message, or None.
AffectedId = int | tuple[int, int] | None
PressAttempt = tuple[tuple[int, int], Person, str]


def _read_contents(tx: Transaction) -> tuple[Rows, Rows]:
    """Return the jobs and the outbox messages by their ids."""
    db = tx.jobs._db
    jobs = {row["id"]: dict(row) for row in db.execute("SELECT * FROM jobs")}
    return jobs, {row["id"]: dict(row) for row in db.execute("SELECT * FROM outbox WHERE kind <> 'callback_answer'")}


class Rollback(Exception):
    """Rolls a transaction back."""


async def _affected_by_press(scene: ButtonScene, key: tuple[int, int], person: Person, data: str) -> set[AffectedId]:
    """Return the jobs and menus that a press would change."""
    house, (chat_id, message_id) = scene.group.harness, key
    shown = house.telegram.state.chats[chat_id].messages.get(message_id)
    message = shown or _inaccessible_message(message_id, scene.messages[key]["chat"])
    query = {"id": "1", "from": person.user, "message": message, "chat_instance": "1", "data": data}
    update = {"update_id": 10**9, "callback_query": query}
    found: set[AffectedId] = set()

    def work(tx: Transaction) -> None:
        before = _read_contents(tx)
        dispatcher = house.bot.dispatcher
        dispatcher._handle_update(
            tx, StoredUpdate(10**9, json.dumps(update), 1), parse_update(update, dispatcher._update_filter.me)
        )
        found.update(_changed_ids(before, _read_contents(tx)))
        raise Rollback

    with pytest.raises(Rollback):
        await house.bot.db.transact(work)
    return found


def _changed_ids(before: tuple[Rows, Rows], after: tuple[Rows, Rows]) -> set[AffectedId]:
    known = before[0]
    changed = [
        new.get(row_id) or old[row_id]
        for old, new in zip(before, after, strict=True)
        for row_id in old.keys() | new.keys()
        if old.get(row_id) != new.get(row_id)
    ]
    found: set[AffectedId] = set()
    for row in changed:
        if row.get("kind") == "menu":
            found.add((row["chat_id"], row["message_id"]))
        else:  # a new variation counts as a change of the job that it varies
            job_id = row["job_id"] if "kind" in row else row["id"]
            found.add(job_id if job_id in known or job_id is None else after[0][job_id]["variation_of"])
    return found


def _all_callback_data(scene: ButtonScene) -> list[str]:
    """Return the callback data of all buttons, and of each action for each job."""
    shown = {data for message in scene.messages.values() for data in _callback_data_of_buttons(message).values()}
    jobs = {scene.job_of(key) for key in scene.messages} - {None}
    about_jobs = set(ButtonAction) - {
        ButtonAction.SETTINGS_PAGE,
        ButtonAction.SETTINGS_CHOICE,
        ButtonAction.DELETE_MY_DATA,
        ButtonAction.KEEP_MY_DATA,
    }
    made_up = {Button("x", action, job_id or 0, 1).callback_data for action in about_jobs for job_id in jobs}
    return sorted(shown | made_up | {"1:choose:2:3223857", "1:page:2:0"})


def _sample_pairs(pairs: list[PressAttempt], count: int) -> list[PressAttempt]:
    return random.Random(1).sample(pairs, count)  # noqa: S311 - no secret


async def test_a_press_has_an_effect_on_nothing_but_what_was_pressed(scene: ButtonScene) -> None:
    everything = _all_callback_data(scene)
    pairs = [(key, person, data) for key in scene.messages for person in scene.people for data in everything]
    for key, person, data in _sample_pairs(pairs, 400):
        touched = await _affected_by_press(scene, key, person, data)
        if ":erase:" in data and data in _callback_data_of_buttons(scene.messages[key]).values():
            continue  # it erases everything of the user who was asked
        assert touched <= {scene.job_of(key), key} - {None}, (person.user["first_name"], scene.messages[key], data)


async def test_every_button_that_stands_there_has_its_effect(scene: ButtonScene) -> None:
    deleted = {key for key in scene.messages if scene.job_of(key) == 3}
    pressed = [
        (key, data) for key, message in scene.messages.items() for data in _callback_data_of_buttons(message).values()
    ]
    idle = [
        (key, data)
        for key, data in pressed
        if not any([await _affected_by_press(scene, key, person, data) for person in scene.people])
    ]
    once = [(key, data) for key, data in idle if key not in deleted]
    assert [data for _, data in once] == ["1:original:1:0"], "its file is there already"
    assert len(pressed) > 25
