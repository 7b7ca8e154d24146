"""The progress message: its content, how rarely it is edited, and its deletion."""

import asyncio
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import STUCK, failure
from bot.sandbox.telegram.errors import too_many_requests
from bot.sandbox.telegram.people_and_groups import Person
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)
SERVER_ERROR_TEXT = "Internal Error, Please try again later."
POLICY_TEXT = "The input or output was flagged as sensitive. Please try again with different inputs."


def _calls(house: BotHarness, *methods: str, chat_id: int | None = None) -> list[Any]:
    calls = [call for call in house.telegram.calls if call.method in methods]
    return [call for call in calls if str(call.params["chat_id"]) == str(chat_id or house.ada.id)]


def _buttons(message: dict[str, Any]) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


async def _others_request_edits(house: BotHarness, count: int) -> list[Person]:
    people = [house.telegram.person(user_id=5001 + number) for number in range(count)]
    for person in people:
        person.send_photo(make_photo(), caption="make it snow")
        await house.receive_updates()
        await house.settle()
    return people


async def _finish_edits(house: BotHarness, count: int) -> None:
    for _ in range(count):
        await house.request_edit(make_photo())
        await house.advance_time(90)


# -- one message, as a reply


async def test_each_edit_has_one_status_that_replies_to_its_request(house: BotHarness) -> None:
    first = await house.request_edit(make_photo())
    second = await house.request_edit(make_photo("red"))
    await house.advance_time(10)
    assert [message["reply_to_message"]["message_id"] for message in house.progress_messages()] == [first, second]


async def test_a_status_tells_the_place_in_the_queue(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        people = await _others_request_edits(house, 3)
        await house.request_edit(make_photo())
        assert house.progress_message(people[1].id)["text"] == "Got it. Your picture is next."
        assert house.progress_message(people[2].id)["text"] == "Got it. Your picture is number 2 in the queue."
        assert house.progress_message()["text"] == "Got it. Your picture is number 3 in the queue."


async def test_the_place_is_brought_up_to_date_as_others_are_served(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        await _others_request_edits(house, 2)
        await house.request_edit(make_photo())
        shown = [house.progress_message()["text"]]
        for seconds in (32, 15):
            await house.advance_time(seconds)
            shown.append(house.progress_message()["text"])
    assert shown == [render_english("in-the-queue", place=2), render_english("got-it"), render_english("being-edited")]


async def test_whoever_cancels_moves_the_others_up(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        people = await _others_request_edits(house, 2)
        await house.request_edit(make_photo())
        people[1].send_text("/cancel")
        await house.receive_updates()
        await house.advance_time(11)
        assert house.progress_message()["text"] == render_english("got-it")


async def test_once_it_is_ordered_a_status_says_that_it_is_being_edited(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(10)
    assert house.progress_message()["text"] == "Your picture is being edited."


async def test_a_status_says_when_it_takes_unusually_long(house: BotHarness) -> None:
    house.kie.script_outcomes(STUCK)
    await house.request_edit(make_photo())
    await house.advance_time(899)
    assert house.progress_message()["text"] == render_english("being-edited")
    await house.advance_time(2)
    assert house.progress_message()["text"] == render_english("takes-long")


async def test_the_cancel_button_is_there_only_while_nothing_is_ordered(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        await _others_request_edits(house, 1)
        await house.request_edit(make_photo())
        assert _buttons(house.progress_message()) == ["Cancel"]
        await house.advance_time(30)
        assert (await house.read_job(2)).state is State.RUNNING
        assert _buttons(house.progress_message()) == []


async def test_an_order_that_has_to_be_repeated_can_be_cancelled_meanwhile(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        await _others_request_edits(house, 1)
        await house.request_edit(make_photo())
        house.kie.refuse_next_create(500, "image_urls file type not supported")
        house.kie.refuse_next_create(500, "image_urls file type not supported")
        await house.advance_time(40)
        assert (await house.read_job(2)).state is State.QUEUED
        assert _buttons(house.progress_message()) == ["Cancel"]


# -- how rarely it is edited


async def test_an_edit_costs_one_message_and_one_change_at_the_most(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(60)
    assert len(house.pictures()) == 1
    assert len(_calls(house, "sendMessage")) == 1
    assert len(_calls(house, "editMessageText")) <= 1


async def test_two_changes_are_three_seconds_apart_however_much_happens(house: BotHarness) -> None:
    for _ in range(4):
        house.kie.refuse_next_create(408, "not now")
    house.kie.script_outcomes(failure(SERVER_ERROR_TEXT))
    await house.request_edit(make_photo())
    await house.advance_time(30)
    await house.advance_time(90)
    moments = [call.at for call in _calls(house, "sendMessage", "editMessageText")]
    assert len(moments) > 2
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 2.999


async def test_nothing_is_sent_while_nothing_changes(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        house.kie.script_outcomes(STUCK)
        await _others_request_edits(house, 1)
        await house.request_edit(make_photo())
        await house.advance_time(600)
        assert len(_calls(house, "sendMessage")) == 1
        assert _calls(house, "editMessageText") == []


async def test_an_order_that_is_turned_away_again_and_again_changes_nothing_that_is_shown(house: BotHarness) -> None:
    for _ in range(50):
        house.kie.refuse_next_create(455, "maintenance")
    await house.request_edit(make_photo())
    await house.advance_time(120)
    changes = len(_calls(house, "editMessageText"))
    await house.advance_time(600)
    assert house.progress_message()["text"] == render_english("waiting-for-kie")
    assert len(_calls(house, "editMessageText")) == changes


async def test_a_change_waits_for_as_long_as_telegram_asks_for(house: BotHarness) -> None:
    house.kie.script_outcomes(failure(SERVER_ERROR_TEXT))
    house.telegram.faults.add("editMessageText", too_many_requests(40))
    await house.request_edit(make_photo())
    await house.advance_time(35)  # meanwhile the task fails and is ordered again
    assert len(house.kie.tasks) == 2
    assert len(_calls(house, "editMessageText")) == 1


async def test_what_changed_while_the_message_was_on_its_way_is_shown_afterwards(house: BotHarness) -> None:
    house.telegram.faults.add("sendMessage", Fault(FaultKind.DELAY, seconds=0.3))
    await house.request_edit(make_photo())
    assert (await house.read_job()).state is State.RUNNING
    assert house.progress_message()["text"] == render_english("got-it")
    await house.advance_time(3)
    assert house.progress_message()["text"] == render_english("being-edited")


# -- its deletion


async def test_a_status_is_gone_when_the_picture_has_come(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert len(house.pictures()) == 1
    assert house.progress_messages() == []


async def test_a_status_is_gone_when_a_refusal_has_come(house: BotHarness) -> None:
    house.kie.script_outcomes(failure(POLICY_TEXT))
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert house.sent_texts() == [render_english("model-refuses", words=POLICY_TEXT)]
    assert house.progress_messages() == []


async def test_a_status_is_gone_after_a_cancel_command(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        await _others_request_edits(house, 1)
        await house.request_edit(make_photo())
        house.ada.send_text("/cancel")
        await house.receive_updates()
        await house.advance_time(5)
        assert house.sent_texts() == [render_english("taken-back", count=1)]
        assert house.progress_messages() == []


async def test_a_status_that_went_on_its_way_before_a_cancel_command_is_taken_away(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "cap")
    house.telegram.faults.add("sendMessage", too_many_requests(5))
    await house.request_edit(make_photo())
    house.ada.send_text("/cancel")
    await house.receive_updates()
    await house.advance_time(20)
    assert house.sent_texts() == [render_english("taken-back", count=1)]
    assert house.progress_messages() == []


# -- the usual time


async def test_the_usual_time_is_the_median_of_what_kie_took(tmp_path: Path) -> None:
    durations = iter([8.0, 18.0, 78.0, 20.0])
    async with open_bot_harness(tmp_path, kie={"duration": lambda: next(durations)}) as house:
        await _finish_edits(house, 3)
        await house.request_edit(make_photo())
        await house.advance_time(5)
        assert house.progress_message()["text"] == "Your picture is being edited. That usually takes 20 seconds."


async def test_with_fewer_than_three_finished_edits_no_time_is_named(house: BotHarness) -> None:
    await _finish_edits(house, 2)
    house.kie.script_outcomes(failure(POLICY_TEXT))
    await _finish_edits(house, 1)
    await house.request_edit(make_photo())
    assert house.progress_message()["text"] == "Got it. Your picture is next."
    await house.advance_time(5)
    assert house.progress_message()["text"] == "Your picture is being edited."


async def test_who_waits_is_told_how_long_it_will_be(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1, kie={"duration": lambda: 18.0}) as house:
        await _finish_edits(house, 3)
        people = await _others_request_edits(house, 3)
        text = house.progress_message(people[2].id)["text"]
        assert text.startswith("Got it. Your picture is number 2 in the queue. About ")
        assert text.endswith(" to go.")


async def test_whoever_is_next_waits_for_no_longer_than_was_told(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1, kie={"duration": lambda: 18.0}) as house:
        await _finish_edits(house, 3)
        _, waiting = await _others_request_edits(house, 2)
        match = re.fullmatch(
            r"Got it. Your picture is next. About (\d+) seconds to go.", house.progress_message(waiting.id)["text"]
        )
        assert match is not None
        await house.advance_time(float(match[1]) / 2)
        await house.advance_time(float(match[1]) / 2 + 3)
        assert len(house.pictures(waiting.id)) == 1


# -- lost, deleted and outdated messages


async def test_a_status_that_the_person_deleted_is_not_missed_and_not_sent_again(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    house.ada.delete(house.progress_message()["message_id"])
    await house.advance_time(60)
    assert len(house.pictures()) == 1
    assert len(_calls(house, "sendMessage")) == 1


async def test_a_status_that_may_have_arrived_is_not_sent_twice(house: BotHarness) -> None:
    house.telegram.faults.add("sendMessage", CUT_AFTER)
    await house.request_edit(make_photo())
    await house.advance_time(60)
    assert len(house.pictures()) == 1
    assert len(_calls(house, "sendMessage")) == 1


async def test_a_question_that_may_have_arrived_is_sent_again_but_not_for_ever(house: BotHarness) -> None:
    house.telegram.faults.always("sendMessage", CUT_AFTER)
    await house.request_edit(make_photo(), caption="")
    await house.advance_time(1800)
    assert len(_calls(house, "sendMessage")) == 3


async def test_a_question_about_an_order_in_doubt_is_sent_again_but_not_for_ever(house: BotHarness) -> None:
    house.kie.refuse_next_create(408, "not now")
    await house.request_edit(make_photo())
    house.kie.faults.add("createTask", CUT_AFTER)
    house.telegram.faults.always("sendMessage", CUT_AFTER)
    await house.advance_time(1800)
    assert [call.params["text"] for call in _calls(house, "sendMessage")] == [render_english("got-it")] + 3 * [
        render_english("doubt")
    ]


async def test_a_question_whose_arrival_was_confirmed_is_not_sent_again(house: BotHarness) -> None:
    house.telegram.faults.add("sendMessage", CUT_AFTER)
    await house.request_edit(make_photo(), caption="")
    await house.advance_time(1800)
    assert len(_calls(house, "sendMessage")) == 2
    assert house.progress_message()["text"] == render_english("question", count=1)


async def test_a_restart_sends_no_second_status(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.bot.worker.recover()
    await house.advance_time(10)
    assert len(_calls(house, "sendMessage")) == 1
    assert len(house.progress_messages()) == 1


async def test_an_answer_that_is_due_goes_before_a_status_of_the_same_chat(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    house.telegram.faults.add("sendPhoto", too_many_requests(10))
    await house.advance_time(22)
    house.ada.send_photo(make_photo("red"), caption="make it rain")
    await house.receive_updates()
    await house.advance_time(15)
    shown = [call.method for call in _calls(house, "sendPhoto", "sendMessage")]
    assert shown == ["sendMessage", "sendPhoto", "sendPhoto", "sendMessage"]


async def test_a_status_that_hangs_delays_no_other_chat(house: BotHarness) -> None:
    house.telegram.faults.add("sendMessage", Fault(FaultKind.HANG))
    house.ada.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    other = house.telegram.person(user_id=5001)
    async with asyncio.TaskGroup() as tasks:
        await house.bot.worker.start_due(tasks)
        await house.telegram.wait_for(lambda _: _calls(house, "sendMessage"), 5)
        other.send_text("/help")
        await house.receive_updates()
        house.clock.now += 1
        await house.bot.worker.start_due(tasks)
        await house.telegram.wait_for(lambda _: house.sent_texts(other.id), 5)
        await house.telegram.stop()


# -- during an outage of Kie


async def test_after_15_seconds_of_trouble_a_status_says_that_the_picture_still_waits(house: BotHarness) -> None:
    for _ in range(3):
        house.kie.refuse_next_create(429, "too often")
    await house.request_edit(make_photo())
    await house.advance_time(10)
    assert house.progress_message()["text"] == render_english("got-it")
    await house.advance_time(9)
    assert house.progress_message()["text"] == render_english("waiting")
    assert _buttons(house.progress_message()) == ["Cancel"]


async def test_where_only_the_owner_can_help_a_status_says_so_at_once(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "cap")
    await house.request_edit(make_photo())
    await house.advance_time(8)
    assert house.progress_message()["text"] == render_english("waiting-for-owner")
    assert _buttons(house.progress_message()) == ["Cancel"]


async def test_whoever_waits_behind_the_trouble_is_told_as_well(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "cap")
    await house.request_edit(make_photo())
    [other] = await _others_request_edits(house, 1)
    await house.advance_time(40)
    assert house.progress_message(other.id)["text"] == render_english("waiting-for-owner")


async def test_a_trouble_that_is_over_is_not_told_to_the_next_one(house: BotHarness) -> None:
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.request_edit(make_photo())
    await house.advance_time(3600)
    [other] = await _others_request_edits(house, 1)
    assert house.progress_message(other.id)["text"] == render_english("got-it")


async def test_the_open_edits_are_told_about_anew_each_with_its_button(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "the cap is reached")
    for colour in ("red", "green"):
        await house.request_edit(make_photo(colour))
    before = {message["message_id"] for message in house.progress_messages()}
    house.ada.send_text("/status")
    await house.receive_updates()
    await house.settle()
    await house.advance_time(5)
    shown = house.progress_messages()
    assert len(shown) == 2
    assert before.isdisjoint(message["message_id"] for message in shown)
    assert all(message["reply_markup"] for message in shown)


async def test_of_very_many_open_edits_the_first_are_told_and_the_others_counted(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "the cap is reached")
    for number in range(13):
        house.ada.send_photo(make_photo(size=(100 + number, 80)), "x")
    await house.receive_updates()
    await house.advance_time(20)
    house.ada.send_text("/status")
    await house.receive_updates()
    await house.advance_time(20)
    assert house.sent_texts() == [render_english("more-under-way", count=3)]


async def test_with_nothing_open_that_is_said(house: BotHarness) -> None:
    house.ada.send_text("/status")
    await house.receive_updates()
    await house.settle()
    assert house.sent_texts() == [render_english("nothing-under-way")]
