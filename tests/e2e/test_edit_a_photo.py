"""The main job, from end to end over sockets, with the bot as a process."""

import io
from pathlib import Path

import pytest
from PIL import Image

from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram import LocalTelegram, TelegramCall
from bot.sandbox.telegram.errors import bad_request, server_error, too_many_requests
from tests.process_harness import KEY, TOKEN, ProcessHarness, make_photo, open_process_harness


async def test_a_photo_and_a_caption_come_back_as_an_edited_picture_in_reply(world: ProcessHarness) -> None:
    ada = world.telegram.person()
    await world.create_bot().start_until_ready()
    asked = ada.send_photo(make_photo(), caption="make it snow")
    [answer] = await world.wait_for_pictures(ada.id)
    assert answer["reply_to_message"]["message_id"] == asked
    [task] = world.kie.tasks.values()
    assert task.prompt == "make it snow"


async def test_the_message_that_tells_how_it_stands_goes_when_the_picture_has_come(world: ProcessHarness) -> None:
    ada = world.telegram.person()
    await world.create_bot().start_until_ready()
    ada.send_photo(make_photo(), caption="make it snow")
    await world.wait_for_pictures(ada.id)
    await world.telegram.wait_for(lambda telegram: _was_called(telegram, "deleteMessage"), timeout=10)


@pytest.mark.parametrize("refusal", ["message to be replied not found", "message thread not found"])
async def test_what_cannot_be_said_there_is_said_elsewhere_at_once(world: ProcessHarness, refusal: str) -> None:
    """It is due again in the moment in which it is written down, with the plan in the same commit."""
    ada = world.telegram.person()
    await world.create_bot().start_until_ready()
    world.telegram.faults.add("sendMessage", bad_request(f"Bad Request: {refusal}"))
    ada.send_text("/help")
    await world.wait_for_texts(ada.id)


def _was_called(telegram: LocalTelegram, method: str) -> bool:
    return any(call.method == method for call in telegram.calls)


async def test_a_picture_file_is_edited_as_well(world: ProcessHarness) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "PNG")
    ada = world.telegram.person()
    await world.create_bot().start_until_ready()
    ada.send_document(buffer.getvalue(), file_name="scan.png", caption="make it snow")
    await world.wait_for_pictures(ada.id)
    [task] = world.kie.tasks.values()
    assert task.inputs == [buffer.getvalue()]


async def test_what_was_sent_while_the_bot_was_away_is_answered_when_it_is_back(world: ProcessHarness) -> None:
    ada = world.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    await world.create_bot().start_until_ready()
    assert len(await world.wait_for_pictures(ada.id)) == 1


async def test_an_update_that_telegram_delivers_twice_is_answered_once(world: ProcessHarness) -> None:
    ada = world.telegram.person()
    await world.create_bot().start_until_ready()
    ada.send_photo(make_photo(), caption="make it snow")
    await world.wait_for_pictures(ada.id)
    update_id = world.query("SELECT update_id FROM inbox")[0]["update_id"]
    world.telegram.redeliver(update_id)
    ada.send_text("/cancel")
    await world.wait_for_texts(ada.id)
    assert len(world.query("SELECT id FROM jobs")) == world.count_orders() == 1


async def test_thirty_people_at_once_stay_within_kies_limit_and_each_gets_the_right_picture(tmp_path: Path) -> None:
    async with open_process_harness(tmp_path, credits=1000.0) as world:
        await world.create_bot().start_until_ready()
        people = [world.telegram.person() for _ in range(30)]
        for person in people:
            person.send_photo(make_photo(), caption=f"wish of {person.id}")
        for person in people:
            await world.wait_for_pictures(person.id)
        assert world.kie.creates_in_window(10) <= 20
        assert world.kie.refused_by_rate == 0
        made = {task.prompt: task.result for task in world.kie.tasks.values()}
        sent = {call.params["chat_id"]: call.files["photo"].content for call in _photos(world)}
        assert sent == {person.id: made[f"wish of {person.id}"] for person in people}


def _photos(world: ProcessHarness) -> list[TelegramCall]:
    return [call for call in world.telegram.calls if call.method == "sendPhoto"]


async def test_a_bad_hour_leaves_no_secret_anywhere(world: ProcessHarness) -> None:
    """Both secrets are canaries: everything goes wrong once, at DEBUG, and they appear nowhere."""
    for call in ("createTask", "recordInfo", "upload", "result"):
        world.kie.faults.add(call, HTML_502)
    for method in ("sendPhoto", "getFile", "getUpdates", "file"):
        world.telegram.faults.add(method, Fault(FaultKind.DISCONNECT_BEFORE))
    world.telegram.faults.add("sendMessage", too_many_requests(1))
    world.telegram.faults.add("sendChatAction", server_error())
    bot = world.create_bot(LOG_LEVEL="DEBUG")
    await bot.start_until_ready()
    ada = world.telegram.person()
    ada.send_photo(make_photo(), caption="one")
    await world.wait_for_question(ada.id)  # by HTML_502
    ada.send_photo(make_photo(), caption="two")
    ada.send_text("/privacy")
    world.telegram.push({"update_id": 990_000_000, "message": {"chat": {"id": ada.id}, "text": 5}})
    await world.wait_for_pictures(ada.id)
    await bot.stop()
    for secret in (TOKEN.split(":")[1], KEY):
        assert secret not in bot.log
        assert all(secret.encode() not in file.read_bytes() for file in world.folder.rglob("*") if file.is_file())
    assert TOKEN.split(":")[1] not in repr([(call.headers, call.path, call.body) for call in world.kie.calls])
    assert KEY not in repr([(call.params, call.files) for call in world.telegram.calls])
    elsewhere = [call for call in world.kie.calls if call.name in ("result", "file")]
    assert all(KEY not in repr(call.headers) for call in elsewhere)


async def test_an_edit_costs_one_order_and_no_answer_is_dropped_when_people_talk_meanwhile(
    world: ProcessHarness,
) -> None:
    ada, bob = world.telegram.person(), world.telegram.person(first_name="Bob")
    await world.create_bot().start_until_ready()
    ada.send_photo(make_photo(), caption="make it snow")
    for _ in range(3):
        bob.send_text("/help")
    await world.wait_for_pictures(ada.id)
    assert len(await world.wait_for_texts(bob.id, 3)) == 3
    assert world.count_orders() == 1
