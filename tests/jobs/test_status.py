"""The one message that tells how an edit stands: what it says, how rarely it changes, and that it goes."""

import asyncio
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import STUCK, fail
from bot.sandbox.telegram.people import Person
from bot.sandbox.telegram.refusals import too_many
from tests.house import House, a_house
from tests.world import a_photo, english

CUT_AFTER = Fault(Kind.CUT_AFTER)
BROKEN = "Internal Error, Please try again later."
POLICY = "The input or output was flagged as sensitive. Please try again with different inputs."


def _calls(house: House, *methods: str, chat_id: int | None = None) -> list[Any]:
    calls = [call for call in house.telegram.calls if call.method in methods]
    return [call for call in calls if str(call.params["chat_id"]) == str(chat_id or house.ada.id)]


def _buttons(message: dict[str, Any]) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


async def _others_ask(house: House, count: int) -> list[Person]:
    """Let other people ask for an edit, one after the other."""
    people = [house.telegram.person(user_id=5001 + number) for number in range(count)]
    for person in people:
        person.send_photo(a_photo(), caption="make it snow")
        await house.receive()
        await house.settle()
    return people


async def _finish_edits(house: House, count: int) -> None:
    for _ in range(count):
        await house.ask(a_photo())
        await house.pass_time(90)


# -- one message, and where it stands


async def test_each_edit_has_one_status_that_replies_to_its_request(house: House) -> None:
    first = await house.ask(a_photo())
    second = await house.ask(a_photo("red"))
    await house.pass_time(10)
    assert [status["reply_to_message"]["message_id"] for status in house.statuses()] == [first, second]


async def test_a_status_tells_the_place_in_the_queue(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        people = await _others_ask(house, 3)
        await house.ask(a_photo())
        assert house.status(people[1].id)["text"] == "Got it. Your picture is next."
        assert house.status(people[2].id)["text"] == "Got it. Your picture is number 2 in the queue."
        assert house.status()["text"] == "Got it. Your picture is number 3 in the queue."


async def test_the_place_is_brought_up_to_date_as_others_are_served(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        await _others_ask(house, 2)
        await house.ask(a_photo())
        told = [house.status()["text"]]
        for seconds in (32, 15):
            await house.pass_time(seconds)
            told.append(house.status()["text"])
    assert told == [english("in-the-queue", place=2), english("got-it"), english("being-edited")]


async def test_whoever_cancels_moves_the_others_up(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        people = await _others_ask(house, 2)
        await house.ask(a_photo())
        people[1].send_text("/cancel")
        await house.receive()
        await house.pass_time(11)
        assert house.status()["text"] == english("got-it")


async def test_once_it_is_ordered_a_status_says_that_it_is_being_edited(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(10)
    assert house.status()["text"] == "Your picture is being edited."


async def test_a_status_says_when_it_takes_unusually_long(house: House) -> None:
    house.kie.script(STUCK)
    await house.ask(a_photo())
    await house.pass_time(899)
    assert house.status()["text"] == english("being-edited")
    await house.pass_time(2)
    assert house.status()["text"] == english("takes-long")


async def test_the_cancel_button_is_there_only_while_nothing_is_ordered(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        await _others_ask(house, 1)
        await house.ask(a_photo())
        assert _buttons(house.status()) == ["Cancel"]
        await house.pass_time(30)
        assert (await house.job(2)).state is State.RUNNING
        assert _buttons(house.status()) == []


async def test_an_order_that_has_to_be_repeated_can_be_cancelled_meanwhile(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        await _others_ask(house, 1)
        await house.ask(a_photo())
        house.kie.refuse(500, "image_urls file type not supported")
        house.kie.refuse(500, "image_urls file type not supported")
        await house.pass_time(40)
        assert (await house.job(2)).state is State.QUEUED
        assert _buttons(house.status()) == ["Cancel"]


# -- how rarely it changes


async def test_an_edit_costs_one_message_and_one_change_at_the_most(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(60)
    assert len(house.pictures()) == 1
    assert len(_calls(house, "sendMessage")) == 1
    assert len(_calls(house, "editMessageText")) <= 1


async def test_two_changes_are_three_seconds_apart_however_much_happens(house: House) -> None:
    for _ in range(4):
        house.kie.refuse(408, "not now")
    house.kie.script(fail(BROKEN))
    await house.ask(a_photo())
    await house.pass_time(30)
    await house.pass_time(90)
    moments = [call.at for call in _calls(house, "sendMessage", "editMessageText")]
    assert len(moments) > 2
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 2.999


async def test_nothing_is_sent_while_nothing_changes(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        house.kie.script(STUCK)
        await _others_ask(house, 1)
        await house.ask(a_photo())
        await house.pass_time(600)
        assert len(_calls(house, "sendMessage")) == 1
        assert _calls(house, "editMessageText") == []


async def test_an_order_that_is_turned_away_again_and_again_changes_nothing_that_is_shown(house: House) -> None:
    for _ in range(50):
        house.kie.refuse(455, "maintenance")
    await house.ask(a_photo())
    await house.pass_time(120)
    changes = len(_calls(house, "editMessageText"))
    await house.pass_time(600)
    assert house.status()["text"] == english("waiting-for-kie")
    assert len(_calls(house, "editMessageText")) == changes


async def test_a_change_waits_for_as_long_as_telegram_asks_for(house: House) -> None:
    house.kie.script(fail(BROKEN))
    house.telegram.faults.add("editMessageText", too_many(40))
    await house.ask(a_photo())
    await house.pass_time(35)  # meanwhile the task breaks and is ordered once more
    assert len(house.kie.tasks) == 2
    assert len(_calls(house, "editMessageText")) == 1


async def test_what_changed_while_the_message_was_on_its_way_is_shown_afterwards(house: House) -> None:
    house.telegram.faults.add("sendMessage", Fault(Kind.SLOW, seconds=0.3))
    await house.ask(a_photo())
    assert (await house.job()).state is State.RUNNING
    assert house.status()["text"] == english("got-it")
    await house.pass_time(3)
    assert house.status()["text"] == english("being-edited")


# -- that it goes


async def test_a_status_is_gone_when_the_picture_has_come(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(30)
    assert len(house.pictures()) == 1
    assert house.statuses() == []


async def test_a_status_is_gone_when_a_refusal_has_come(house: House) -> None:
    house.kie.script(fail(POLICY))
    await house.ask(a_photo())
    await house.pass_time(30)
    assert house.words() == [english("model-refuses", words=POLICY)]
    assert house.statuses() == []


async def test_a_status_is_gone_after_a_cancel_command(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1) as house:
        await _others_ask(house, 1)
        await house.ask(a_photo())
        house.ada.send_text("/cancel")
        await house.receive()
        await house.pass_time(5)
        assert house.words() == [english("taken-back", count=1)]
        assert house.statuses() == []


async def test_a_status_that_went_on_its_way_before_a_cancel_command_is_taken_away(house: House) -> None:
    house.kie.refuse(433, "cap")
    house.telegram.faults.add("sendMessage", too_many(5))
    await house.ask(a_photo())
    house.ada.send_text("/cancel")
    await house.receive()
    await house.pass_time(20)
    assert house.words() == [english("taken-back", count=1)]
    assert house.statuses() == []


# -- how long it usually takes


async def test_the_usual_time_is_the_median_of_what_kie_took(tmp_path: Path) -> None:
    durations = iter([8.0, 18.0, 78.0, 20.0])
    async with a_house(tmp_path, kie={"duration": lambda: next(durations)}) as house:
        await _finish_edits(house, 3)
        await house.ask(a_photo())
        await house.pass_time(5)
        assert house.status()["text"] == "Your picture is being edited. That usually takes 20 seconds."


async def test_with_fewer_than_three_finished_edits_no_time_is_named(house: House) -> None:
    await _finish_edits(house, 2)
    house.kie.script(fail(POLICY))
    await _finish_edits(house, 1)
    await house.ask(a_photo())
    assert house.status()["text"] == "Got it. Your picture is next."
    await house.pass_time(5)
    assert house.status()["text"] == "Your picture is being edited."


async def test_who_waits_is_told_how_long_it_will_be(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1, kie={"duration": lambda: 18.0}) as house:
        await _finish_edits(house, 3)
        people = await _others_ask(house, 3)
        text = house.status(people[2].id)["text"]
        assert text.startswith("Got it. Your picture is number 2 in the queue. About ")
        assert text.endswith(" to go.")


async def test_whoever_is_next_waits_for_no_longer_than_was_told(tmp_path: Path) -> None:
    async with a_house(tmp_path, max_running=1, kie={"duration": lambda: 18.0}) as house:
        await _finish_edits(house, 3)
        _, waiting = await _others_ask(house, 2)
        told = re.fullmatch(
            r"Got it. Your picture is next. About (\d+) seconds to go.", house.status(waiting.id)["text"]
        )
        assert told is not None
        await house.pass_time(float(told[1]) / 2)
        await house.pass_time(float(told[1]) / 2 + 3)
        assert len(house.pictures(waiting.id)) == 1


# -- what may happen to it


async def test_a_status_that_the_person_deleted_is_not_missed_and_not_sent_again(house: House) -> None:
    await house.ask(a_photo())
    house.ada.delete(house.status()["message_id"])
    await house.pass_time(60)
    assert len(house.pictures()) == 1
    assert len(_calls(house, "sendMessage")) == 1


async def test_a_status_that_may_have_arrived_is_not_sent_twice(house: House) -> None:
    house.telegram.faults.add("sendMessage", CUT_AFTER)
    await house.ask(a_photo())
    await house.pass_time(60)
    assert len(house.pictures()) == 1
    assert len(_calls(house, "sendMessage")) == 1


async def test_a_question_that_may_have_arrived_is_sent_again_but_not_for_ever(house: House) -> None:
    house.telegram.faults.always("sendMessage", CUT_AFTER)
    await house.ask(a_photo(), caption="")
    await house.pass_time(1800)
    assert len(_calls(house, "sendMessage")) == 3


async def test_a_question_about_an_order_in_doubt_is_sent_again_but_not_for_ever(house: House) -> None:
    house.kie.refuse(408, "not now")
    await house.ask(a_photo())
    house.kie.faults.add("createTask", CUT_AFTER)
    house.telegram.faults.always("sendMessage", CUT_AFTER)
    await house.pass_time(1800)
    assert [call.params["text"] for call in _calls(house, "sendMessage")] == [english("got-it")] + 3 * [
        english("doubt")
    ]


async def test_a_question_whose_arrival_was_confirmed_is_not_sent_again(house: House) -> None:
    house.telegram.faults.add("sendMessage", CUT_AFTER)
    await house.ask(a_photo(), caption="")
    await house.pass_time(1800)
    assert len(_calls(house, "sendMessage")) == 2
    assert house.status()["text"] == english("question", count=1)


async def test_a_restart_sends_no_second_status(house: House) -> None:
    await house.ask(a_photo())
    await house.bot.worker.recover()
    await house.pass_time(10)
    assert len(_calls(house, "sendMessage")) == 1
    assert len(house.statuses()) == 1


async def test_an_answer_that_is_due_goes_before_a_status_of_the_same_chat(house: House) -> None:
    await house.ask(a_photo())
    house.telegram.faults.add("sendPhoto", too_many(10))
    await house.pass_time(22)
    house.ada.send_photo(a_photo("red"), caption="make it rain")
    await house.receive()
    await house.pass_time(15)
    told = [call.method for call in _calls(house, "sendPhoto", "sendMessage")]
    assert told == ["sendMessage", "sendPhoto", "sendPhoto", "sendMessage"]


async def test_a_status_that_hangs_delays_no_other_chat(house: House) -> None:
    house.telegram.faults.add("sendMessage", Fault(Kind.HANG))
    house.ada.send_photo(a_photo(), caption="make it snow")
    await house.receive()
    other = house.telegram.person(user_id=5001)
    async with asyncio.TaskGroup() as tasks:
        await house.bot.worker.start_due(tasks)
        await house.telegram.wait_for(lambda _: _calls(house, "sendMessage"), 5)
        other.send_text("/help")
        await house.receive()
        house.clock.now += 1
        await house.bot.worker.start_due(tasks)
        await house.telegram.wait_for(lambda _: house.words(other.id), 5)
        await house.telegram.stop()


# -- while Kie is in trouble


async def test_after_15_seconds_of_trouble_a_status_says_that_the_picture_still_waits(house: House) -> None:
    for _ in range(3):
        house.kie.refuse(429, "too often")
    await house.ask(a_photo())
    await house.pass_time(10)
    assert house.status()["text"] == english("got-it")
    await house.pass_time(9)
    assert house.status()["text"] == english("waiting")
    assert _buttons(house.status()) == ["Cancel"]


async def test_where_only_the_owner_can_help_a_status_says_so_at_once(house: House) -> None:
    house.kie.refuse(433, "cap")
    await house.ask(a_photo())
    await house.pass_time(8)
    assert house.status()["text"] == english("waiting-for-owner")
    assert _buttons(house.status()) == ["Cancel"]


async def test_whoever_waits_behind_the_trouble_is_told_as_well(house: House) -> None:
    house.kie.refuse(433, "cap")
    await house.ask(a_photo())
    [other] = await _others_ask(house, 1)
    await house.pass_time(40)
    assert house.status(other.id)["text"] == english("waiting-for-owner")


async def test_a_trouble_that_is_over_is_not_told_to_the_next_one(house: House) -> None:
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.ask(a_photo())
    await house.pass_time(3600)
    [other] = await _others_ask(house, 1)
    assert house.status(other.id)["text"] == english("got-it")


async def test_the_open_edits_are_told_about_anew_each_with_its_button(house: House) -> None:
    house.kie.refuse(433, "the cap is reached")
    for colour in ("red", "green"):
        await house.ask(a_photo(colour))
    before = {message["message_id"] for message in house.statuses()}
    house.ada.send_text("/status")
    await house.receive()
    await house.settle()
    await house.pass_time(5)
    told = house.statuses()
    assert len(told) == 2
    assert before.isdisjoint(message["message_id"] for message in told)
    assert all(message["reply_markup"] for message in told)


async def test_of_very_many_open_edits_the_first_are_told_and_the_others_counted(house: House) -> None:
    house.kie.refuse(433, "the cap is reached")
    for number in range(13):
        house.ada.send_photo(a_photo(size=(100 + number, 80)), "x")
    await house.receive()
    await house.pass_time(20)
    house.ada.send_text("/status")
    await house.receive()
    await house.pass_time(20)
    assert house.words() == [english("more-under-way", count=3)]


async def test_with_nothing_open_that_is_said(house: House) -> None:
    house.ada.send_text("/status")
    await house.receive()
    await house.settle()
    assert house.words() == [english("nothing-under-way")]
