"""A group that becomes a supergroup keeps its jobs and settings, and no reply goes to a wrong message."""

from pathlib import Path

import pytest

from bot import job_operations
from bot.edit_options import AspectRatio, EditOptions
from bot.i18n import sentence
from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram import Group
from bot.store.chats import Preference
from bot.store.database import Transaction
from bot.store.outbox import OutboxExclusions
from bot.telegram.buttons import Button, ButtonAction
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import GroupHarness, create_group
from tests.process_harness import make_photo, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)


@pytest.fixture
def here(house: BotHarness) -> GroupHarness:
    """A basic group."""
    return create_group(house, -5)


def _upgrade_to_supergroup(here: GroupHarness) -> Group:
    """Turn the group into a supergroup that has a few messages already."""
    grown = here.group.migrate(here.ada.user)
    here.group = grown
    return grown


async def _request_edit(here: GroupHarness, caption: str = "/edit make it snow") -> None:
    here.ada.send_photo(make_photo(), caption=caption, chat=here.group)
    await here.process_updates()


async def test_what_is_under_way_is_answered_in_the_supergroup(here: GroupHarness) -> None:
    await _request_edit(here)
    _upgrade_to_supergroup(here)
    [answer] = await here.finish_edits()
    assert "reply_to_message" not in answer
    assert here.harness.telegram.bot_messages(-5) == []


async def test_it_is_also_noticed_when_telegram_refuses_the_old_id(here: GroupHarness) -> None:
    await _request_edit(here)
    grown = _upgrade_to_supergroup(here)
    here.harness.telegram.state.updates.clear()
    await here.harness.advance_time(4)
    await here.harness.advance_time(36)
    assert len(here.harness.pictures(grown.id)) == 1
    assert (await here.harness.read_job()).request.chat_id == grown.id


async def test_what_waits_for_its_turn_keeps_it(here: GroupHarness) -> None:
    here.harness.kie.refuse_next_create(433, "cap")
    await _request_edit(here)
    _upgrade_to_supergroup(here)
    await here.process_updates()
    here.ada.send_text("/status", chat=here.group)
    await here.process_updates()
    assert len(here.text_messages()) == 1
    await here.harness.advance_time(400)
    await here.harness.advance_time(60)
    assert len(here.pictures()) == 1


async def test_an_open_question_is_asked_again_in_the_supergroup(here: GroupHarness) -> None:
    await _request_edit(here, "/edit")
    _upgrade_to_supergroup(here)
    await here.process_updates()
    [question] = here.text_messages()
    assert question["text"] == render_english("question", count=1, where="group")
    here.ada.send_text("make it snow", reply_to=question["message_id"], chat=here.group)
    assert len(await here.finish_edits()) == 1


async def test_an_order_in_doubt_is_asked_about_again_and_only_once(here: GroupHarness) -> None:
    here.harness.kie.faults.add("createTask", CUT_AFTER)
    await _request_edit(here)
    await here.harness.advance_time(5)
    _upgrade_to_supergroup(here)
    await here.process_updates()
    assert here.sent_texts() == [render_english("doubt")]
    assert await here.press_button(here.ada, here.text_messages()[0]["message_id"], "Leave it") == render_english(
        "toast-left"
    )
    assert (await here.harness.read_job()).state is State.FAILED


async def test_settings_greeting_and_admission_are_kept(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, allowed_ids=frozenset({-5}), admin_ids=frozenset({9009})) as house:
        house.telegram.person(user_id=9009)
        here = create_group(house, -5)
        here.group.set_bot_status("left", here.ada.user)
        here.group.set_bot_status("member", here.ada.user)
        await here.process_updates()
        await house.bot.db.transact(lambda tx: tx.chats.set_preference(-5, Preference.ASPECT_RATIO, AspectRatio.SQUARE))
        grown = _upgrade_to_supergroup(here)
        grown.set_bot_status("left", here.ada.user)
        grown.set_bot_status("member", here.ada.user)
        await _request_edit(here)
        assert here.sent_texts() == [], "it said hello before"
        [task] = house.kie.tasks.values()
        assert task.request.input["image_size"] == "1:1"
        assert house.sent_texts(9009) == [render_english("admin-moved", old="-5", new=str(grown.id))]


async def test_no_second_hello_is_said_when_the_supergroup_is_heard_of_before_it_is_known_which_it_was(
    here: GroupHarness,
) -> None:
    here.group.set_bot_status("left", here.ada.user)
    here.group.set_bot_status("member", here.ada.user)
    await here.process_updates()
    assert here.sent_texts() == [render_english("hello", hearing="all")]
    telegram, old = here.harness.telegram, here.group.chat
    grown = _upgrade_to_supergroup(here)
    telegram.state.updates.clear()
    grown.set_bot_status("left", here.ada.user)
    telegram.state.updates.clear()
    grown.set_bot_status("member", here.ada.user)
    telegram.state.receive_from_person(old, here.ada.user, {"migrate_to_chat_id": grown.id})
    await here.process_updates()
    await here.harness.advance_time(5)
    assert here.sent_texts() == []


async def test_what_was_chosen_and_asked_in_the_supergroup_before_it_was_known_which_it_was_is_kept(
    here: GroupHarness,
) -> None:
    house = here.harness
    await house.bot.db.transact(lambda tx: tx.chats.set_preference(-5, Preference.LANGUAGE, "ru"))
    await house.bot.db.transact(lambda tx: tx.chats.set_preference(-5, Preference.ASPECT_RATIO, AspectRatio.TALL))
    here.group.promote(here.ada.user)
    grown = _upgrade_to_supergroup(here)
    house.telegram.state.updates.clear()
    await house.bot.db.transact(
        lambda tx: tx.chats.set_preference(grown.id, Preference.ASPECT_RATIO, AspectRatio.SQUARE)
    )
    here.ada.send_text("/settings", chat=grown)
    await house.receive_updates()  # it waits until the admins are known
    await house.bot.db.transact(lambda tx: job_operations.migrate_chat(tx, -5, grown.id, house.clock.instant()))
    await here.process_updates()
    assert here.sent_texts() == [sentence("settings", where="group").translate("ru")]
    assert await house.bot.db.transact(lambda tx: tx.chats.get_edit_options(grown.id)) == EditOptions(
        aspect_ratio=AspectRatio.SQUARE
    )


async def test_what_was_on_its_way_to_the_group_is_not_taken_for_a_message_of_the_supergroup(
    here: GroupHarness,
) -> None:
    house, now = here.harness, here.harness.clock.instant()
    here.ada.send_photo(make_photo(), caption="/edit", chat=here.group)
    await house.receive_updates()
    [question] = await house.bot.db.transact(lambda tx: tx.outbox.list_due(now, OutboxExclusions(), 16))
    here.ada.send_text("/help", chat=here.group)
    await house.receive_updates()
    [help_] = await house.bot.db.transact(
        lambda tx: tx.outbox.list_due(now, OutboxExclusions(message_ids=frozenset({question.id})), 16)
    )
    _upgrade_to_supergroup(here)
    await house.receive_updates()
    await house.bot.db.transact(lambda tx: tx.outbox.mark_sent(help_, 77, now))
    await house.bot.db.transact(lambda tx: tx.progress_messages.mark_shown(question, "what to change", 78, now, None))
    assert await house.bot.db.transact(lambda tx: _stored_message_ids(tx, here.group.id)) == {None}
    await here.process_updates()
    assert here.sent_texts() == [render_english("question", count=1, where="group")]


def _stored_message_ids(tx: Transaction, chat_id: int) -> set[int | None]:
    return {row["message_id"] for row in tx.outbox._db.execute("SELECT * FROM outbox WHERE chat_id = ?", (chat_id,))}


async def test_what_was_to_be_said_in_the_group_is_said_in_the_supergroup_and_replies_to_nothing_there(
    here: GroupHarness,
) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    here.ada.send_text("/help", chat=here.group)
    await here.harness.receive_updates()
    grown = _upgrade_to_supergroup(here)
    for number in range(5):
        here.grace.send_text(f"hello {number}", chat=grown)
    await here.process_updates()
    [help_] = here.text_messages()
    assert help_["text"] == render_english("help", where="group")
    assert "reply_to_message" not in help_
    assert here.visible_calls("setMessageReaction") == [], "there is nothing to put a sign on"


async def test_a_message_of_the_supergroup_is_not_mistaken_for_one_of_the_group(here: GroupHarness) -> None:
    await _request_edit(here)
    await here.harness.advance_time(4)
    await here.harness.advance_time(36)
    grown = _upgrade_to_supergroup(here)
    await here.process_updates()
    numbers = {here.ada.send_text("hello", chat=grown) for _ in range(3)}
    here.ada.edit_text(max(numbers), "hello again", chat=grown)
    await here.process_updates()
    assert here.sent_texts() == []


async def test_it_is_the_same_whether_it_is_noticed_once_or_twice(here: GroupHarness) -> None:
    await _request_edit(here, "/edit")
    grown = _upgrade_to_supergroup(here)
    await here.process_updates()
    before = (await here.harness.read_job()).request
    await here.harness.bot.db.transact(
        lambda tx: job_operations.migrate_chat(tx, -5, grown.id, here.harness.clock.instant())
    )
    await here.process_updates()
    assert (await here.harness.read_job()).request == before
    assert len(here.text_messages()) == 1


async def test_an_album_that_arrives_meanwhile_loses_nothing(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo("red"), caption="/edit a duel", album="77", chat=here.group)
    await here.harness.receive_updates()
    _upgrade_to_supergroup(here)
    [_] = await here.finish_edits()
    [task] = here.harness.kie.tasks.values()
    assert len(task.inputs) == 1


async def test_what_an_anonymous_admin_asked_for_is_still_the_groups(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.process_updates()
    grown = _upgrade_to_supergroup(here)
    await here.process_updates()
    assert (await here.harness.read_job()).request.user_id == grown.id


async def test_a_button_that_waits_for_the_admins_of_the_old_group_is_answered(here: GroupHarness) -> None:
    await _request_edit(here)
    await here.harness.advance_time(4)
    await here.harness.advance_time(36)
    [answer] = here.pictures()
    assert Button("Delete", ButtonAction.DELETE_ANSWER, 1).callback_data in str(answer)
    here.harness.telegram.faults.add("getChatAdministrators", Fault(FaultKind.DISCONNECT_BEFORE), times=2)
    press = here.grace.press_button(answer["message_id"], "Delete", chat=here.group)
    await here.harness.receive_updates()
    await here.harness.run_due_work()
    _upgrade_to_supergroup(here)
    await here.process_updates()
    await here.harness.advance_time(20)
    await here.process_updates()
    assert here.grace.callback_answer(press) is not None


async def test_preferences_of_a_group_that_had_none_stay_the_usual_ones(here: GroupHarness) -> None:
    grown = _upgrade_to_supergroup(here)
    await here.process_updates()
    assert await here.harness.bot.db.transact(lambda tx: tx.chats.get_edit_options(grown.id)) == EditOptions()
