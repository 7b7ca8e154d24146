"""Made-up callback data: a press counts for the message that was pressed, and what was deleted stays deleted.

Whoever changes a client can send any data for any message of the bot; Telegram hands it on (Bot API, CallbackQuery:
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

from bot.chat.buttons import Action, Button, read
from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram import Person
from bot.sandbox.telegram.refusals import bad_request, too_many
from bot.store.inbox import Letter
from bot.store.transaction import Transaction
from bot.talk.reading import read_update
from tests.group import Friends, friends
from tests.house import House, a_house
from tests.world import a_photo, english

#: The question of an order in doubt has the moment of asking behind its buttons; the others have nothing.
ABOUT_ANSWERS = (Action.ORIGINAL, Action.VARIATION, Action.DELETE, Action.FETCH)


@pytest.fixture
def here(house: House) -> Friends:
    """A supergroup, with Eve among the others."""
    made = friends(house)
    made.group.join(_eve(made).user)
    return made


def _eve(here: Friends) -> Person:
    return here.house.telegram.person(user_id=666, first_name="Eve")


async def _answer(here: Friends, person: Person, words: str = "make it snow") -> dict[str, Any]:
    """Let somebody have a picture in the group, and return its message."""
    person.send_photo(a_photo(), caption=f"/edit {words}", chat=here.group)
    return (await here.answered())[-1]


async def _made_up(here: Friends, person: Person, message_id: int, data: str) -> str | None:
    """Let somebody press with data of their own, and return what answers it."""
    press = person.press_made_up(message_id, data, here.group)
    await here.hear()
    answer = person.answer_to(press)
    return None if answer is None else str(answer.get("text", ""))


def _buttons(message: dict[str, Any]) -> dict[str, str]:
    """Return what stands behind each button of a message."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {button["text"]: button["callback_data"] for row in rows for button in row}


def _old(message_id: int, chat: dict[str, Any]) -> dict[str, Any]:
    """Return a message as Telegram shows one that is too old, or gone."""
    return {"chat": chat, "message_id": message_id, "date": 0}


async def _press_old(here: Friends, person: Person, message_id: int, data: str) -> str | None:
    """Let somebody press under a message that Telegram shows no more; return what answers it."""
    query_id = f"55{len(here.house.telegram.cloud.presses)}"
    here.house.telegram.cloud.presses[query_id] = None
    message = _old(message_id, here.group.room.shown)
    query = {"id": query_id, "from": person.user, "message": message, "chat_instance": "1", "data": data}
    here.house.telegram.push({"callback_query": query})
    await here.hear()
    return (person.answer_to(query_id) or {}).get("text")


# -- job and message belong together


async def test_nobody_deletes_with_an_edit_of_theirs_what_others_had_made(here: Friends) -> None:
    adas = await _answer(here, here.ada)
    eves = await _answer(here, _eve(here))
    told = await _made_up(here, _eve(here), adas["message_id"], _buttons(eves)["Delete"])
    await here.house.pass_time(5)
    assert told == english("toast-old")
    assert [each["message_id"] for each in here.pictures()] == [adas["message_id"], eves["message_id"]]
    assert here.calls("deleteMessage") == []


async def test_nobody_takes_a_menu_away_with_an_edit_of_theirs(here: Friends) -> None:
    eves = await _answer(here, _eve(here))
    here.group.promote(here.ada.user)
    here.ada.send_text("/settings@darkroom_bot", chat=here.group)
    await here.hear()
    menu = here.texts()[-1]
    told = await _made_up(here, _eve(here), menu["message_id"], _buttons(eves)["Delete"])
    await here.house.pass_time(5)
    assert told == english("toast-old")
    assert here.texts()[-1] == menu


async def test_an_order_in_doubt_is_decided_under_its_question_only(here: Friends) -> None:
    eves = await _answer(here, _eve(here))
    here.house.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
    here.ada.send_photo(a_photo(), caption="/edit make it rain", chat=here.group)
    await here.hear()
    await here.house.pass_time(5)
    question = here.texts()[-1]
    for label in ("Try again", "Leave it"):
        told = await _made_up(here, here.ada, eves["message_id"], _buttons(question)[label])
        assert told == english("toast-old")
    assert (await here.house.job(2)).state is State.SUBMITTING
    assert await here.press(here.ada, question["message_id"], "Leave it") == english("toast-left")


async def test_an_edit_is_taken_back_under_a_message_about_it_only(here: Friends) -> None:
    eves = await _answer(here, _eve(here))
    here.ada.send_photo(a_photo(), caption="/edit", chat=here.group)
    await here.hear()
    question = here.texts()[-1]
    for data in (_buttons(question)["Cancel"], Button("x", Action.IDEA, 2, 1).data):
        assert await _made_up(here, here.ada, eves["message_id"], data) == english("toast-old")
    assert (await here.house.job(2)).state is State.GATHERING
    assert await here.press(here.ada, question["message_id"], "Cancel") == english("toast-cancelled")


@pytest.mark.parametrize("action", ABOUT_ANSWERS)
async def test_a_message_about_an_edit_is_not_its_answer(here: Friends, action: Action) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    here.ada.send_text("/status@darkroom_bot", chat=here.group)
    await here.hear()
    status = here.texts()[-1]
    assert await _made_up(here, here.ada, status["message_id"], Button("x", action, 1).data) == english("toast-old")
    assert len(await here.answered()) == 1
    assert here.calls("deleteMessage") != [], "the status goes when the answer has come"


async def test_the_two_menus_are_not_mistaken_for_each_other(house: House) -> None:
    await house.ask(a_photo())
    for command, data in (("/delete", "1:page:1:0"), ("/settings", "1:erase:0:0"), ("/settings", "1:keep:0:0")):
        house.ada.send_text(command)
        await house.hear()
        menu = [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m][-1]
        press = house.ada.press_made_up(menu["message_id"], data)
        await house.hear()
        assert house.ada.answer_to(press) == {"text": english("toast-old")}
        assert [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m][-1] == menu
    assert (await house.job()).request.prompt == "make it snow"


async def test_who_makes_up_that_everything_is_to_be_deleted_does_not_keep_the_disk_busy(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(30)
    house.ada.press_made_up(house.pictures()[0]["message_id"], "1:erase:0:0")
    await house.hear()
    assert not house.bot.retention._woken.is_set()


# -- what was deleted stays deleted


@pytest.mark.parametrize("action", [Action.ORIGINAL, Action.VARIATION])
async def test_a_deleted_picture_is_not_brought_back_by_anybody_from_any_message(here: Friends, action: Action) -> None:
    adas = await _answer(here, here.ada)
    eves = await _answer(here, _eve(here))
    here.group.promote(here.grace.user)
    assert await here.press(here.grace, adas["message_id"], "Delete") == english("toast-deleted")
    await here.house.pass_time(5)
    for person in (_eve(here), here.ada, here.grace):
        for message_id in (adas["message_id"], eves["message_id"]):
            told = await _made_up(here, person, message_id, Button("x", action, 1).data)
            assert told == english("toast-picture-deleted")
    assert [each["message_id"] for each in await here.answered()] == [eves["message_id"]]
    assert len(here.house.kie.tasks) == 2
    assert (await here.house.job(1)).result_url is None, "where it is at Kie is forgotten as well"


async def test_a_picture_stays_deleted_after_a_restart(here: Friends) -> None:
    adas = await _answer(here, here.ada)
    await here.press(here.ada, adas["message_id"], "Delete")
    await here.house.restart()
    told = await _made_up(here, _eve(here), adas["message_id"], _buttons(adas)["Original file"])
    assert told == english("toast-picture-deleted")
    assert await here.answered() == []


async def test_a_reply_that_crossed_the_deletion_makes_nothing_of_the_picture(here: Friends) -> None:
    adas = await _answer(here, here.ada)
    here.ada.press(adas["message_id"], "Delete", chat=here.group)
    here.grace.send_text("/edit make it night", reply_to=adas["message_id"], chat=here.group)
    assert await here.answered() == []
    assert here.words() == [english("picture-deleted")]
    assert len(here.house.kie.tasks) == 1


async def test_of_a_deleted_picture_only_the_one_who_asked_may_make_another_by_a_word_about_it(here: Friends) -> None:
    request = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.answered()
    here.ada.edit_caption(request, "/edit make it rain", chat=here.group)
    await here.hear()
    [hint] = here.texts()
    await here.press(here.ada, answer["message_id"], "Delete")
    here.grace.send_text("/edit make it night", reply_to=hint["message_id"], chat=here.group)
    assert await here.answered() == []
    assert here.words()[1:] == [english("picture-deleted")]
    here.ada.send_text("/edit make it night", reply_to=hint["message_id"], chat=here.group)
    assert len(await here.answered()) == 1
    here.grace.send_text("/edit make it day", reply_to=request, chat=here.group)
    assert len(await here.answered()) == 2, "a photo that stands in the group is there for all"


async def _held(here: Friends, method: str, pictures: int, fault: Fault) -> "asyncio.Task[float]":
    """Let the bot go on until Telegram has so many pictures of it, and has not answered yet to the last one."""
    here.house.telegram.faults.add(method, fault)
    turning = asyncio.create_task(here.house.turn())
    await here.house.telegram.wait_for(lambda _: len(here.pictures()) == pictures or None, 20.0)
    return turning


async def test_a_file_that_is_being_fetched_when_its_answer_is_deleted_does_not_come(here: Friends) -> None:
    adas = await _answer(here, here.ada)
    fault, fetched = Fault(Kind.HELD), len(here.house.kie.called("result"))
    here.house.kie.faults.add("result", fault)
    here.grace.press(adas["message_id"], "Original file", chat=here.group)
    await here.house.receive()
    turning = asyncio.create_task(here.house.turn())
    await here.house.kie.wait_for(lambda: len(here.house.kie.called("result")) > fetched, 20.0)
    here.ada.press(adas["message_id"], "Delete", chat=here.group)
    await here.house.receive()
    fault.gate.set()
    await turning
    await here.house.pass_time(60)
    assert here.calls("sendDocument") == []
    assert (here.pictures(), here.words()) == ([], [])


async def test_a_file_that_arrives_while_its_answer_is_deleted_goes_with_it(here: Friends) -> None:
    adas = await _answer(here, here.ada)
    here.grace.press(adas["message_id"], "Original file", chat=here.group)
    await here.house.receive()
    fault = Fault(Kind.HELD)
    turning = await _held(here, "sendDocument", 2, fault)
    here.ada.press(adas["message_id"], "Delete", chat=here.group)
    await here.house.receive()
    fault.gate.set()
    await turning
    await here.house.pass_time(60)
    assert here.pictures() == []


@pytest.mark.parametrize("refusal", [bad_request("message to be replied not found"), bad_request("no such thing")])
async def test_a_file_that_telegram_refuses_while_its_answer_is_deleted_is_not_sent_otherwise(
    here: Friends, refusal: Fault
) -> None:
    adas = await _answer(here, here.ada)
    here.grace.press(adas["message_id"], "Original file", chat=here.group)
    await here.house.receive()
    fault = Fault(Kind.HELD, status=refusal.status, body=refusal.body)
    turning = await _held(here, "sendDocument", 2, fault)
    here.ada.delete(here.pictures()[1]["message_id"], chat=here.group)  # it was refused, and never stood there
    here.ada.press(adas["message_id"], "Delete", chat=here.group)
    await here.house.receive()
    fault.gate.set()
    await turning
    await here.house.pass_time(60)
    assert (here.pictures(), here.words()) == ([], [])


# -- an honest press is not refused


@pytest.mark.parametrize("label", ["Again", "Original file", "Delete"])
async def test_an_answer_may_be_pressed_before_the_bot_knows_that_it_arrived(here: Friends, label: str) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    await here.house.kie.wait_for(lambda: all(task.prepared_at for task in here.house.kie.tasks.values()))
    here.house.clock.now += 30
    fault = Fault(Kind.HELD)
    turning = await _held(here, "sendPhoto", 1, fault)
    [answer] = here.pictures()
    press = here.ada.press(answer["message_id"], label, chat=here.group)
    await here.house.receive()
    fault.gate.set()
    await turning
    await here.answered()
    told = {"Again": "toast-varied", "Original file": "toast-fetching", "Delete": "toast-deleted"}[label]
    assert (here.ada.answer_to(press) or {}).get("text") == english(told)
    assert len(here.pictures()) == (0 if label == "Delete" else 2)
    assert (await here.house.job()).answered_at is not None


async def test_an_answer_that_came_twice_because_nobody_knew_goes_twice(here: Friends) -> None:
    here.house.telegram.faults.add("sendPhoto", Fault(Kind.CUT_AFTER))
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    first, second = await here.answered()
    for answer in (second, first):
        assert await here.press(here.ada, answer["message_id"], "Delete") == english("toast-deleted")
    await here.house.pass_time(5)
    assert here.pictures() == []


async def test_an_answer_in_doubt_that_is_deleted_is_not_sent_once_more(here: Friends) -> None:
    here.house.telegram.faults.add("sendPhoto", Fault(Kind.CUT_AFTER))
    here.house.telegram.faults.add("sendPhoto", too_many(100))
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.answered()
    assert await here.press(here.ada, answer["message_id"], "Delete") == english("toast-deleted")
    await here.house.pass_time(600)
    assert (here.pictures(), here.words()) == ([], [])
    assert (await here.house.job()).answered_at is not None


async def test_under_a_message_that_telegram_shows_no_more_a_press_counts_as_well(here: Friends) -> None:
    answer = await _answer(here, here.ada)
    data = _buttons(answer)
    told = [await _press_old(here, here.ada, answer["message_id"], data[label]) for label in data]
    assert told == [english("toast-varied"), english("toast-fetching"), english("toast-deleted")]


async def test_after_the_return_of_an_older_database_an_old_button_is_not_taken_for_one_of_another_job(
    here: Friends,
) -> None:
    old = await _answer(here, here.ada)
    here.ada.send_text("/help", chat=here.group)
    await here.hear()  # so that Telegram does not deliver the request again
    await here.house.close()
    for file in Path(here.house._settings.database_path).parent.glob("darkroom.db*"):
        file.unlink()
    await here.house.open()
    await _answer(here, here.ada, "make it rain")
    assert await here.press(here.ada, old["message_id"], "Delete") == english("toast-old")
    assert len(here.pictures()) == 2


# -- whatever is pressed, with whatever behind it


@dataclass
class Scene:
    """A group and Ada's private chat, with messages of all kinds in them."""

    here: Friends
    #: the people who press
    people: list[Person]
    #: the messages of the bot by chat and id, as they were first seen
    messages: dict[tuple[int, int], dict[str, Any]]

    def look(self) -> None:
        """Remember the messages that stand in the chats now."""
        for chat_id in (self.here.group.id, self.here.ada.id):
            for message in self.here.house.telegram.bot_messages(chat_id):
                self.messages[chat_id, message["message_id"]] = message

    def job_of(self, key: tuple[int, int]) -> int | None:
        """Return which job a message is about, by its own buttons."""
        found = [read(data) for data in _buttons(self.messages[key]).values()]
        jobs = {each.about for each in found if each and each.action not in (Action.PAGE, Action.ERASE, Action.KEEP)}
        return jobs.pop() if jobs else None


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Answers, a file, a deleted answer, questions, an order in doubt, a status, menus."""
    async with a_house(tmp_path) as house:
        here = friends(house)
        here.group.join(_eve(here).user)
        made = Scene(here, [here.ada, here.grace, _eve(here)], {})
        adas, _, graces = [await _answer(here, person) for person in (here.ada, _eve(here), here.grace)]
        await here.press(here.ada, adas["message_id"], "Original file")
        made.look()
        await here.press(here.grace, graces["message_id"], "Delete")
        await house.ask(a_photo())
        await house.pass_time(30)
        await _unsettled(here)
        here.group.promote(here.ada.user)
        here.ada.send_text("/settings@darkroom_bot", chat=here.group)
        house.ada.send_text("/delete")
        await here.hear()
        made.look()
        yield made


async def _unsettled(here: Friends) -> None:
    """Leave an order in doubt, an edit that waits with its status, and two questions."""
    here.house.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
    here.grace.send_photo(a_photo(), caption="/edit make it rain", chat=here.group)
    await here.hear()
    await here.house.pass_time(5)
    here.house.kie.refuse(433, "cap")
    here.ada.send_photo(a_photo(), caption="/edit make it night", chat=here.group)
    here.ada.send_photo(a_photo())
    await here.hear()
    here.ada.send_text("/status@darkroom_bot", chat=here.group)
    _eve(here).send_photo(a_photo(), caption="/edit", chat=here.group)
    await here.hear()


Rows = dict[int, dict[str, Any]]
#: A job, a menu by its message, or None for what is about neither.
Touched = int | tuple[int, int] | None
Pair = tuple[tuple[int, int], Person, str]


def _contents(tx: Transaction) -> tuple[Rows, Rows]:
    """Return the jobs, and what is said and is to be said, by their ids."""
    db = tx.jobs._db
    jobs = {row["id"]: dict(row) for row in db.execute("SELECT * FROM jobs")}
    return jobs, {row["id"]: dict(row) for row in db.execute("SELECT * FROM outbox WHERE kind <> 'toast'")}


class _Undone(Exception):
    """Ends a unit of work that leaves nothing behind."""


async def _touched(scene: Scene, key: tuple[int, int], person: Person, data: str) -> set[Touched]:
    """Return on which jobs and on which menus a press would have an effect."""
    house, (chat_id, message_id) = scene.here.house, key
    shown = house.telegram.cloud.chats[chat_id].messages.get(message_id)
    message = shown or _old(message_id, scene.messages[key]["chat"])
    query = {"id": "1", "from": person.user, "message": message, "chat_instance": "1", "data": data}
    update = {"update_id": 10**9, "callback_query": query}
    found: set[Touched] = set()

    def work(tx: Transaction) -> None:
        before = _contents(tx)
        intake = house.bot.intake
        intake._act(tx, Letter(10**9, json.dumps(update), 1), read_update(update, intake._address.me))
        found.update(_differences(before, _contents(tx)))
        raise _Undone

    with pytest.raises(_Undone):
        await house.bot.db.unit(work)
    return found


def _differences(before: tuple[Rows, Rows], after: tuple[Rows, Rows]) -> set[Touched]:
    """Return the jobs and the menus that are not as before, or of which something else is said."""
    known = before[0]
    changed = [
        new.get(row_id) or old[row_id]
        for old, new in zip(before, after, strict=True)
        for row_id in old.keys() | new.keys()
        if old.get(row_id) != new.get(row_id)
    ]
    found: set[Touched] = set()
    for row in changed:
        if row.get("kind") == "menu":
            found.add((row["chat_id"], row["message_id"]))
        else:  # a new variation is an effect on what it varies
            job_id = row["job_id"] if "kind" in row else row["id"]
            found.add(job_id if job_id in known or job_id is None else after[0][job_id]["variation_of"])
    return found


def _all_data(scene: Scene) -> list[str]:
    """Return all that stands behind any button, and each action about each job."""
    shown = {data for message in scene.messages.values() for data in _buttons(message).values()}
    jobs = {scene.job_of(key) for key in scene.messages} - {None}
    about_jobs = set(Action) - {Action.PAGE, Action.CHOOSE, Action.ERASE, Action.KEEP}
    made_up = {Button("x", action, job_id or 0, 1).data for action in about_jobs for job_id in jobs}
    return sorted(shown | made_up | {"1:choose:2:3223857", "1:page:2:0"})


def _some(pairs: list[Pair], count: int) -> list[Pair]:
    """Return pairs by chance, the same at every run."""
    return random.Random(1).sample(pairs, count)  # noqa: S311 - no secret


async def test_a_press_has_an_effect_on_nothing_but_what_was_pressed(scene: Scene) -> None:
    everything = _all_data(scene)
    pairs = [(key, person, data) for key in scene.messages for person in scene.people for data in everything]
    for key, person, data in _some(pairs, 400):
        touched = await _touched(scene, key, person, data)
        if ":erase:" in data and data in _buttons(scene.messages[key]).values():
            continue  # it is about everything of the one who was asked
        assert touched <= {scene.job_of(key), key} - {None}, (person.user["first_name"], scene.messages[key], data)


async def test_every_button_that_stands_there_has_its_effect(scene: Scene) -> None:
    deleted = {key for key in scene.messages if scene.job_of(key) == 3}
    pressed = [(key, data) for key, message in scene.messages.items() for data in _buttons(message).values()]
    idle = [
        (key, data)
        for key, data in pressed
        if not any([await _touched(scene, key, person, data) for person in scene.people])
    ]
    once = [(key, data) for key, data in idle if key not in deleted]
    assert [data for _, data in once] == ["1:original:1:0"], "its file is there already"
    assert len(pressed) > 25
