"""A group that becomes a supergroup keeps its jobs and its settings, and nothing replies to a wrong message."""

from pathlib import Path

import pytest

from bot.chat.buttons import Action, Button
from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram import Group
from bot.store.chats import Preference
from bot.store.outbox import Busy
from bot.store.transaction import Transaction
from bot.texts import sentence
from bot.wish import Form, Shape
from tests.group import Friends, friends
from tests.house import House, a_house
from tests.world import a_photo, english

CUT_AFTER = Fault(Kind.CUT_AFTER)


@pytest.fixture
def here(house: House) -> Friends:
    """A basic group."""
    return friends(house, -5)


def _grown(here: Friends) -> Group:
    """Let the group become a supergroup in which a few things were said already."""
    grown = here.group.migrate(here.ada.user)
    here.group = grown
    return grown


async def _asked(here: Friends, caption: str = "/edit make it snow") -> None:
    here.ada.send_photo(a_photo(), caption=caption, chat=here.group)
    await here.hear()


async def test_what_is_under_way_is_answered_in_the_supergroup(here: Friends) -> None:
    await _asked(here)
    _grown(here)
    [answer] = await here.answered()
    assert "reply_to_message" not in answer
    assert here.house.telegram.bot_messages(-5) == []


async def test_it_is_also_noticed_when_telegram_refuses_the_old_id(here: Friends) -> None:
    await _asked(here)
    grown = _grown(here)
    here.house.telegram.cloud.updates.forget_all()
    await here.house.pass_time(4)
    await here.house.pass_time(36)
    assert len(here.house.pictures(grown.id)) == 1
    assert (await here.house.job()).request.chat_id == grown.id


async def test_what_waits_for_its_turn_keeps_it(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")
    await _asked(here)
    _grown(here)
    await here.hear()
    here.ada.send_text("/status", chat=here.group)
    await here.hear()
    assert len(here.texts()) == 1
    await here.house.pass_time(400)
    await here.house.pass_time(60)
    assert len(here.pictures()) == 1


async def test_an_open_question_is_asked_again_in_the_supergroup(here: Friends) -> None:
    await _asked(here, "/edit")
    _grown(here)
    await here.hear()
    [question] = here.texts()
    assert question["text"] == english("question", count=1, where="group")
    here.ada.send_text("make it snow", reply_to=question["message_id"], chat=here.group)
    assert len(await here.answered()) == 1


async def test_an_order_in_doubt_is_asked_about_again_and_only_once(here: Friends) -> None:
    here.house.kie.faults.add("createTask", CUT_AFTER)
    await _asked(here)
    await here.house.pass_time(5)
    _grown(here)
    await here.hear()
    assert here.words() == [english("doubt")]
    assert await here.press(here.ada, here.texts()[0]["message_id"], "Leave it") == english("toast-left")
    assert (await here.house.job()).state is State.FAILED


async def test_settings_greeting_and_admission_are_kept(tmp_path: Path) -> None:
    async with a_house(tmp_path, allowed_ids=frozenset({-5}), admin_ids=frozenset({9009})) as house:
        house.telegram.person(user_id=9009)
        here = friends(house, -5)
        here.group.set_bot("left", here.ada.user)
        here.group.set_bot("member", here.ada.user)
        await here.hear()
        await house.bot.db.unit(lambda tx: tx.chats.choose(-5, Preference.SHAPE, Shape.SQUARE))
        grown = _grown(here)
        grown.set_bot("left", here.ada.user)
        grown.set_bot("member", here.ada.user)
        await _asked(here)
        assert here.words() == [], "it said hello before"
        [task] = house.kie.tasks.values()
        assert task.order.input["image_size"] == "1:1"
        assert house.words(9009) == [english("admin-moved", old="-5", new=str(grown.id))]


async def test_no_second_hello_is_said_when_the_supergroup_is_heard_of_before_it_is_known_which_it_was(
    here: Friends,
) -> None:
    here.group.set_bot("left", here.ada.user)
    here.group.set_bot("member", here.ada.user)
    await here.hear()
    assert here.words() == [english("hello", hearing="all")]
    telegram, old = here.house.telegram, here.group.room
    grown = _grown(here)
    telegram.cloud.updates.forget_all()
    grown.set_bot("left", here.ada.user)
    telegram.cloud.updates.forget_all()
    grown.set_bot("member", here.ada.user)
    telegram.cloud.hear(old, here.ada.user, {"migrate_to_chat_id": grown.id})
    await here.hear()
    await here.house.pass_time(5)
    assert here.words() == []


async def test_what_was_chosen_and_asked_in_the_supergroup_before_it_was_known_which_it_was_is_kept(
    here: Friends,
) -> None:
    house = here.house
    await house.bot.db.unit(lambda tx: tx.chats.choose(-5, Preference.LANGUAGE, "ru"))
    await house.bot.db.unit(lambda tx: tx.chats.choose(-5, Preference.SHAPE, Shape.TALL))
    here.group.promote(here.ada.user)
    grown = _grown(here)
    house.telegram.cloud.updates.forget_all()
    await house.bot.db.unit(lambda tx: tx.chats.choose(grown.id, Preference.SHAPE, Shape.SQUARE))
    here.ada.send_text("/settings", chat=grown)
    await house.receive()  # it waits until the admins are known
    await house.bot.db.unit(lambda tx: tx.move_chat(-5, grown.id, house.clock.instant()))
    await here.hear()
    assert here.words() == [sentence("settings", where="group").into("ru")]
    assert await house.bot.db.unit(lambda tx: tx.chats.form_of(grown.id)) == Form(shape=Shape.SQUARE)


async def test_what_was_on_its_way_to_the_group_is_not_taken_for_a_message_of_the_supergroup(here: Friends) -> None:
    house, now = here.house, here.house.clock.instant()
    here.ada.send_photo(a_photo(), caption="/edit", chat=here.group)
    await house.receive()
    [question] = await house.bot.db.unit(lambda tx: tx.outbox.due(now, Busy(), 16))
    here.ada.send_text("/help", chat=here.group)
    await house.receive()
    [help_] = await house.bot.db.unit(lambda tx: tx.outbox.due(now, Busy(parcels=frozenset({question.id})), 16))
    _grown(here)
    await house.receive()
    await house.bot.db.unit(lambda tx: tx.outbox.sent(help_, 77, now))
    await house.bot.db.unit(lambda tx: tx.statuses.shown(question, "what to change", 78, now, None))
    assert await house.bot.db.unit(lambda tx: _numbers(tx, here.group.id)) == {None}
    await here.hear()
    assert here.words() == [english("question", count=1, where="group")]


def _numbers(tx: Transaction, chat_id: int) -> set[int | None]:
    """Return under which numbers something is taken to stand in a chat."""
    return {row["message_id"] for row in tx.outbox._db.execute("SELECT * FROM outbox WHERE chat_id = ?", (chat_id,))}


async def test_what_was_to_be_said_in_the_group_is_said_in_the_supergroup_and_replies_to_nothing_there(
    here: Friends,
) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    here.ada.send_text("/help", chat=here.group)
    await here.house.receive()
    grown = _grown(here)
    for number in range(5):
        here.grace.send_text(f"hello {number}", chat=grown)
    await here.hear()
    [help_] = here.texts()
    assert help_["text"] == english("help", where="group")
    assert "reply_to_message" not in help_
    assert here.calls("setMessageReaction") == [], "there is nothing to put a sign on"


async def test_a_message_of_the_supergroup_is_not_mistaken_for_one_of_the_group(here: Friends) -> None:
    await _asked(here)
    await here.house.pass_time(4)
    await here.house.pass_time(36)
    grown = _grown(here)
    await here.hear()
    numbers = {here.ada.send_text("hello", chat=grown) for _ in range(3)}
    here.ada.edit_text(max(numbers), "hello again", chat=grown)
    await here.hear()
    assert here.words() == []


async def test_it_is_the_same_whether_it_is_noticed_once_or_twice(here: Friends) -> None:
    await _asked(here, "/edit")
    grown = _grown(here)
    await here.hear()
    before = (await here.house.job()).request
    await here.house.bot.db.unit(lambda tx: tx.move_chat(-5, grown.id, here.house.clock.instant()))
    await here.hear()
    assert (await here.house.job()).request == before
    assert len(here.texts()) == 1


async def test_an_album_that_arrives_meanwhile_loses_nothing(here: Friends) -> None:
    here.ada.send_photo(a_photo("red"), caption="/edit a duel", album="77", chat=here.group)
    await here.house.receive()
    _grown(here)
    [_] = await here.answered()
    [task] = here.house.kie.tasks.values()
    assert len(task.inputs) == 1


async def test_what_an_anonymous_admin_asked_for_is_still_the_groups(here: Friends) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.hear()
    grown = _grown(here)
    await here.hear()
    assert (await here.house.job()).request.user_id == grown.id


async def test_a_button_that_waits_for_the_admins_of_the_old_group_is_answered(here: Friends) -> None:
    await _asked(here)
    await here.house.pass_time(4)
    await here.house.pass_time(36)
    [answer] = here.pictures()
    assert Button("Delete", Action.DELETE, 1).data in str(answer)
    here.house.telegram.faults.add("getChatAdministrators", Fault(Kind.CUT_BEFORE), times=2)
    press = here.grace.press(answer["message_id"], "Delete", chat=here.group)
    await here.house.receive()
    await here.house.turn()
    _grown(here)
    await here.hear()
    await here.house.pass_time(20)
    await here.hear()
    assert here.grace.answer_to(press) is not None


async def test_preferences_of_a_group_that_had_none_stay_the_usual_ones(here: Friends) -> None:
    grown = _grown(here)
    await here.hear()
    assert await here.house.bot.db.unit(lambda tx: tx.chats.form_of(grown.id)) == Form()
