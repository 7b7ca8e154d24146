"""Messages that Telegram refuses, delays or does not confirm."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from bot.images.limits import MAX_JPEG_SCANS
from bot.job import State
from bot.pipeline.error_containment import MAX_TRIES
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram.errors import bad_request, blocked, server_error, too_many_requests
from bot.store import database
from bot.store.outbox import DeliveryOutcome, Outbox
from bot.telegram import client
from tests.bot_harness import BotHarness, open_bot_harness
from tests.images.costly_files import jpeg_with_scans
from tests.process_harness import make_photo, query_database, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)
GONE = Fault(FaultKind.RESPOND, status=404, body=b"gone")


async def _make_answer_due(house: BotHarness) -> None:
    await house.request_edit(make_photo())


def _count_sends(house: BotHarness, method: str = "sendPhoto") -> int:
    return sum(call.method == method for call in house.telegram.calls)


async def test_while_a_picture_is_sent_the_chat_shows_it(house: BotHarness) -> None:
    await _make_answer_due(house)
    await house.advance_time(30)
    assert house.telegram.actions(house.ada.id)[0].action == "upload_photo"


async def test_a_picture_waits_as_long_as_telegram_asks_for(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.add("sendPhoto", too_many_requests(30))
    await house.advance_time(26)
    await house.advance_time(24)
    assert _count_sends(house) == 1
    await house.advance_time(4)
    assert len(house.pictures()) == 1


@pytest.mark.parametrize("fault", [server_error(), HTML_502, Fault(FaultKind.DISCONNECT_BEFORE)])
async def test_a_picture_that_was_not_taken_is_sent_again(house: BotHarness, fault: Fault) -> None:
    await _make_answer_due(house)
    house.telegram.faults.add("sendPhoto", fault, times=2)
    await house.advance_time(30)
    await house.advance_time(30)
    assert len(house.pictures()) == 1


async def test_a_picture_that_may_have_arrived_is_sent_once_more_rather_than_lost(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.add("sendPhoto", CUT_AFTER)
    await house.advance_time(60)
    assert len(house.pictures()) == 2


async def test_a_picture_that_is_never_confirmed_is_not_sent_for_ever(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.ada.delete(house.progress_message()["message_id"])
    house.telegram.faults.always("sendPhoto", CUT_AFTER)
    await house.advance_time(3600)
    assert len(house.pictures()) == 3
    assert house.sent_texts() == [render_english("answer-unconfirmed")]


async def _crash_while_sending(house: BotHarness) -> None:
    """Kill the process after the image was delivered, before the bot learns of it."""
    sends = _count_sends(house)
    house.telegram.faults.always("sendPhoto", Fault(FaultKind.HOLD_RESPONSE))
    turn = asyncio.create_task(house.run_due_work())
    sent = asyncio.create_task(house.telegram.wait_for(lambda _: _count_sends(house) > sends or None, 5.0))
    await asyncio.wait([turn, sent], return_when=asyncio.FIRST_COMPLETED)
    for task in (turn, sent):
        task.cancel()
    await asyncio.gather(turn, sent, return_exceptions=True)
    house.telegram.faults.clear("sendPhoto")
    await house.restart()


async def test_deaths_while_a_picture_is_sent_do_not_repeat_it_for_ever(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.ada.delete(house.progress_message()["message_id"])
    house.telegram.faults.always("sendPhoto", too_many_requests(1))
    await house.advance_time(30)  # until only the delivery is left
    for _ in range(5):
        await house.restart()  # a crash before the send does not count as one
        house.clock.now += 2
        await _crash_while_sending(house)
    assert len(house.pictures()) == 3
    await house.advance_time(10)
    assert (len(house.pictures()), house.sent_texts()) == (3, [render_english("answer-unconfirmed")])
    assert (await house.read_job()).answered_at is not None


async def test_that_a_picture_was_not_confirmed_is_said_once_more_if_that_breaks_off_too(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.ada.delete(house.progress_message()["message_id"])
    house.telegram.faults.always("sendPhoto", CUT_AFTER)
    house.telegram.faults.add("sendMessage", Fault(FaultKind.DISCONNECT_BEFORE))
    await house.advance_time(3600)
    assert house.sent_texts() == [render_english("answer-unconfirmed")]
    assert (await house.read_job()).answered_at is not None


async def test_who_did_not_get_an_unconfirmed_picture_can_reply_for_another(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.ada.delete(house.progress_message()["message_id"])
    house.telegram.faults.add("sendPhoto", CUT_AFTER, times=3)
    await house.advance_time(600)
    [text] = [each for each in house.telegram.bot_messages(house.ada.id) if "text" in each]
    house.ada.send_text("make it rain", reply_to=text["message_id"])
    await house.process_updates()
    await house.advance_time(60)
    assert [task.prompt for task in house.kie.tasks.values()] == ["make it snow", "make it rain"]


async def test_an_answer_in_doubt_is_given_again_by_turning_the_status_into_it(house: BotHarness) -> None:
    await _make_answer_due(house)
    status = house.progress_message()
    house.telegram.faults.add("sendPhoto", CUT_AFTER)
    house.telegram.faults.add("editMessageMedia", CUT_AFTER)
    await house.advance_time(120)
    assert [message["message_id"] for message in house.pictures()] == [status["message_id"], status["message_id"] + 1]
    assert _count_sends(house) == 1, "changing a message twice leaves one, sending twice leaves two"
    assert house.progress_messages() == []


async def test_an_answer_that_may_stand_in_the_status_message_is_left_there(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.add("sendPhoto", Fault(FaultKind.DISCONNECT_BEFORE))
    house.telegram.faults.always("editMessageMedia", CUT_AFTER)
    await house.advance_time(600)
    assert len(house.pictures()) == 1
    assert (await house.read_job()).answered_at is not None
    assert (_count_sends(house), _count_sends(house, "editMessageMedia")) == (1, 2), "three in all, whatever they were"
    assert house.sent_texts() == [render_english("answer-unconfirmed")]


#: Responses after a delivery: an error page of a gateway, an error of Telegram's, and unexpected content.
AFTER_DELIVERY = {
    "502 page": (502, b"<html>502 Bad Gateway</html>"),
    "500": (500, b'{"ok":false,"error_code":500,"description":"Internal Server Error"}'),
    "429 page": (429, b"<html>slow down</html>"),
    "other JSON": (200, b"[1, 2]"),
    "no id": (200, b'{"ok":true,"result":{}}'),
    "nothing": (200, b" "),
}


def _delivered_fault(name: str) -> Fault:
    status, body = AFTER_DELIVERY[name]
    gate = asyncio.Event()
    gate.set()
    return Fault(FaultKind.HOLD_RESPONSE, status=status, body=body, release=gate)


@pytest.mark.parametrize("name", AFTER_DELIVERY)
async def test_a_text_that_may_have_arrived_is_sent_three_times_at_most(house: BotHarness, name: str) -> None:
    house.telegram.faults.always("sendMessage", _delivered_fault(name))
    house.ada.send_text("/help")
    await house.process_updates()
    await house.advance_time(3 * 86_400)
    assert len(house.telegram.bot_messages(house.ada.id)) == 3


@pytest.mark.parametrize("name", AFTER_DELIVERY)
async def test_a_picture_that_may_have_arrived_is_sent_three_times_at_most(house: BotHarness, name: str) -> None:
    await _make_answer_due(house)
    house.ada.delete(house.progress_message()["message_id"])
    house.telegram.faults.always("sendPhoto", _delivered_fault(name))
    await house.advance_time(86_400)
    assert len(house.pictures()) == 3
    assert house.sent_texts() == [render_english("answer-unconfirmed")]


async def test_the_change_of_a_message_is_tried_three_times_at_most_and_the_next_one_again(house: BotHarness) -> None:
    house.ada.send_photo(make_photo())
    await house.process_updates()
    house.telegram.faults.always("editMessageText", HTML_502)
    house.ada.send_text("x" * 6000)
    await house.process_updates()
    await house.advance_time(1800)
    changes = _count_sends(house, "editMessageText")
    assert changes <= 3
    house.telegram.faults.clear()
    house.ada.send_text("make it snow")
    await house.process_updates()
    await house.advance_time(60)
    assert len(house.pictures()) == 1


async def test_what_was_delivered_and_cannot_be_written_down_is_not_sent_again(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a mistake in the bot")

    monkeypatch.setattr(Outbox, "mark_sent", broken)
    house.ada.send_text("/help")
    await house.process_updates()
    await house.advance_time(86_400)
    assert len(house.sent_texts()) == 1


async def test_a_disk_that_is_full_for_a_moment_repeats_no_message(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.ada.send_text("/help")
    await house.receive_updates()
    failures: list[sqlite3.OperationalError] = []

    def commit(db: sqlite3.Connection) -> None:
        if house.sent_texts() and not failures:
            failures.append(sqlite3.OperationalError("database or disk is full"))
            raise failures[0]
        db.execute("COMMIT")

    monkeypatch.setattr(database, "commit", commit)
    await house.advance_time(3600)
    assert failures
    assert len(house.sent_texts()) == 1


async def test_a_mistake_in_the_bot_is_no_delivery_and_does_not_go_on_for_ever(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def broken(*_: object) -> None:
        tries.append(1)
        raise TypeError("a mistake in the bot")

    monkeypatch.setattr(client, "_text_arguments", broken)
    house.ada.send_text("/help")
    await house.process_updates()
    await house.advance_time(3600)
    [row] = query_database(
        Path(house.bot.settings.database_path), "SELECT uncertain_sends, outcome FROM outbox WHERE chat_id = 1001"
    )
    assert (row["uncertain_sends"], row["outcome"]) == (0, DeliveryOutcome.EXPIRED)
    assert len(tries) <= 2 * (MAX_TRIES + 1), "of this message, and of the word to the admin about it"


async def test_a_limit_of_the_whole_bot_makes_every_chat_wait(house: BotHarness) -> None:
    users = [house.telegram.person(user_id=5000 + number) for number in range(10)]
    for user in users:
        user.send_text("/help")
    await house.receive_updates()
    house.telegram.faults.always("sendMessage", too_many_requests(30))
    await house.advance_time(29)
    assert _count_sends(house) + _count_sends(house, "sendMessage") <= 2
    house.telegram.faults.clear()
    await house.advance_time(60)
    assert [len(house.sent_texts(user.id)) for user in users] == [1] * 10


async def test_a_limit_of_one_chat_makes_no_other_wait(house: BotHarness) -> None:
    bob = house.telegram.person(user_id=1002)
    house.telegram.faults.add("sendMessage", too_many_requests(300))
    house.ada.send_text("/help")
    await house.process_updates()
    bob.send_text("/help")
    await house.process_updates()
    assert (len(house.sent_texts()), len(house.sent_texts(bob.id))) == (0, 1)


async def test_every_start_writes_before_it_sends_so_that_a_full_disk_repeats_no_message(house: BotHarness) -> None:
    log = Path(f"{house.bot.settings.database_path}-wal")
    before = log.stat().st_size
    await house.bot.worker.recover()
    assert log.stat().st_size > before


async def test_nothing_is_repeated_before_telegram_is_well_again(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.add("sendPhoto", CUT_AFTER)
    house.telegram.faults.always("getMe", server_error())
    await house.advance_time(3600)
    assert _count_sends(house) == 1
    house.telegram.faults.clear("getMe")
    await house.advance_time(120)
    assert (_count_sends(house), _count_sends(house, "editMessageMedia")) == (1, 1)


async def test_results_that_hang_leave_room_for_words(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=50) as house:
        users = [house.telegram.person(user_id=5000 + number) for number in range(18)]
        for user in users:
            user.send_photo(make_photo(), caption="make it snow")
        await house.receive_updates()
        await house.settle()
        house.kie.faults.always("result", Fault(FaultKind.HANG))
        await house.kie.wait_for(lambda: all(task.prepared_at for task in house.kie.tasks.values()))
        house.clock.now += 30
        async with asyncio.TaskGroup() as tasks:
            for _ in range(40):
                house.clock.now += 0.2
                await house.bot.worker.start_due(tasks)
                await asyncio.sleep(0)
            house.ada.send_text("/help")
            await house.receive_updates()
            while not house.sent_texts():
                house.clock.now += 0.2
                await house.bot.worker.start_due(tasks)
            await house.kie.stop()


async def test_an_answer_counts_as_in_doubt_only_while_it_may_have_arrived(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.add("sendPhoto", too_many_requests(300))
    await house.advance_time(30)
    assert (await house.read_job()).answering_at is None
    house.telegram.faults.add("sendPhoto", CUT_AFTER)
    await house.advance_time(300)
    assert (await house.read_job()).answering_at is not None


async def test_a_blocked_bot_ends_quietly_and_orders_nothing_more_for_that_person(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.kie.refuse_next_create(433, "cap")
    await house.request_edit(make_photo("red"))
    house.telegram.faults.add("sendPhoto", blocked())
    await house.advance_time(30)
    await house.advance_time(4000)
    assert len(house.kie.tasks) == 1
    assert (await house.read_job(2)).state is State.CANCELLED
    assert _count_sends(house) == 1


async def test_a_deleted_request_still_gets_its_answer(house: BotHarness) -> None:
    asked = await house.request_edit(make_photo())
    house.ada.delete(asked)
    await house.advance_time(30)
    assert len(house.pictures()) == 1


async def test_a_picture_that_telegram_will_not_show_goes_as_a_file(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.add("sendPhoto", bad_request("PHOTO_INVALID_DIMENSIONS"))
    await house.advance_time(30)
    [message] = house.pictures()
    assert "document" in message
    [task] = house.kie.tasks.values()
    assert house.telegram.message_photo_bytes(message) == task.result


async def test_a_result_that_cannot_be_fetched_for_a_while_is_fetched_later(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.kie.faults.add("result", HTML_502, times=4)
    await house.advance_time(30)
    await house.advance_time(60)
    assert len(house.pictures()) == 1


async def test_a_result_that_stays_away_is_told(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.kie.faults.always("result", GONE)
    for _ in range(14):
        await house.advance_time(300)
    assert "could not fetch it from Kie.ai" in house.sent_texts()[0]
    assert (await house.read_job()).answered_at is not None


@pytest.mark.parametrize("fault", [bad_request("message is too long"), CUT_AFTER, server_error()])
async def test_a_status_that_fails_delays_nothing(house: BotHarness, fault: Fault) -> None:
    house.telegram.faults.add("sendMessage", fault)
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert len(house.pictures()) == 1


async def test_a_telegram_outage_of_a_day_loses_nothing(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.always("sendPhoto", server_error())
    for _ in range(24):
        await house.advance_time(60)
        house.clock.now += 3540
    house.telegram.faults.clear()
    await house.advance_time(300)
    assert len(house.pictures()) == 1


async def test_a_picture_is_not_fetched_over_and_over_while_telegram_is_away(house: BotHarness) -> None:
    await _make_answer_due(house)
    house.telegram.faults.always("sendPhoto", server_error())
    house.telegram.faults.always("getMe", server_error())
    await house.advance_time(1800)
    assert len(house.kie.calls_named("result")) == 1


async def test_a_chat_gets_one_message_a_second(house: BotHarness) -> None:
    for _ in range(3):
        house.ada.send_text("/help")
    await house.receive_updates()
    await house.run_due_work()
    assert len(house.sent_texts()) == 1
    house.clock.now += 1.0
    await house.run_due_work()
    assert len(house.sent_texts()) == 2


async def test_who_waits_for_the_limit_of_all_messages_is_written_to_when_it_opens(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, telegram_messages_per_second=0.1) as house:
        bob = house.telegram.person(user_id=1002)
        for user in (house.ada, bob):
            user.send_text("hello")
        await house.receive_updates()
        assert await house.run_due_work() == pytest.approx(10.0)
        house.clock.now += 10.0
        await house.run_due_work()
        assert len(house.sent_texts()) == len(house.sent_texts(bob.id)) == 1


@pytest.mark.parametrize("size", [(12_000, 10), (10, 400)])
async def test_a_result_with_sides_that_are_no_photos_goes_as_a_file(house: BotHarness, size: tuple[int, int]) -> None:
    await _make_answer_due(house)
    [task] = house.kie.tasks.values()
    await house.advance_time(1)
    task.result = make_photo(size=size)
    await house.advance_time(30)
    [message] = house.pictures()
    assert house.telegram.message_photo_bytes(message) == task.result
    assert "as a file" in message["caption"]
    assert _count_sends(house) == 0


async def test_a_result_that_is_a_picture_of_no_use_is_told(house: BotHarness) -> None:
    await _make_answer_due(house)
    [task] = house.kie.tasks.values()
    await house.advance_time(1)
    task.result = b"GIF89a" + bytes(100)
    await house.advance_time(30)
    assert "could not send it to you" in house.sent_texts()[0]
    assert "GIF" in house.sent_texts(9009)[0]


async def test_a_result_that_asks_for_too_much_is_not_fetched_again(house: BotHarness) -> None:
    await _make_answer_due(house)
    [task] = house.kie.tasks.values()
    await house.advance_time(1)
    task.result = jpeg_with_scans(MAX_JPEG_SCANS + 1)
    await house.advance_time(30)
    assert "could not send it to you" in house.sent_texts()[0]
    assert "paints over itself" in house.sent_texts(9009)[0]


async def test_an_answer_whose_topic_is_gone_goes_to_the_chat(house: BotHarness) -> None:
    await _make_answer_due(house)
    await house.bot.db.transact(lambda tx: tx.jobs._db.execute("UPDATE jobs SET thread_id = 77"))
    await house.advance_time(60)
    assert len(house.pictures()) == 1
