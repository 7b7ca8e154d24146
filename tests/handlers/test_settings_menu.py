"""/settings: everybody changes those of their private chat, and admins those of a group."""

import asyncio
import io
from typing import Any

import pytest
from PIL import Image

from bot.edit_options import AnswerAs, AspectRatio, EditOptions, ResultFormat
from bot.i18n import sentence
from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import bad_request
from tests.bot_harness import BotHarness
from tests.group_harness import create_group
from tests.process_harness import make_photo, render_english


def _button_labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for button in _buttons(message)]


def _buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [button for row in message["reply_markup"]["inline_keyboard"] for button in row]


async def _open_settings(house: BotHarness) -> dict[str, Any]:
    house.ada.send_text("/settings")
    await house.process_updates()
    return _shown_settings(house)


def _shown_settings(house: BotHarness) -> dict[str, Any]:
    return [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m and "text" in m][-1]


async def _press_through_settings(house: BotHarness, *labels: str) -> dict[str, Any]:
    menu = await _open_settings(house)
    for label in labels:
        house.ada.press_button(menu["message_id"], label)
        await house.process_updates()
        menu = _shown_settings(house)
    return menu


def _task_inputs(house: BotHarness) -> list[dict[str, Any]]:
    return [dict(task.request.input) for task in house.kie.tasks.values()]


async def test_the_settings_show_what_is_chosen(house: BotHarness) -> None:
    menu = await _open_settings(house)
    assert menu["text"] == render_english("settings")
    assert _button_labels(menu) == ["Format: PNG", "Shape: as it is", "Sent as: photo", "Language: that of the app"]


async def test_a_page_marks_what_is_chosen_and_leads_back(house: BotHarness) -> None:
    page = await _press_through_settings(house, "Shape: as it is")
    assert page["text"] == render_english("choose-aspect-ratio")
    assert _button_labels(page) == ["✓ as it is", "1:1", "3:4", "9:16", "4:3", "16:9", "‹ Back"]
    house.ada.press_button(page["message_id"], "‹ Back")
    await house.process_updates()
    assert _shown_settings(house)["text"] == render_english("settings")


async def test_it_is_said_that_another_shape_may_cost_extra(house: BotHarness) -> None:
    page = await _press_through_settings(house, "Shape: as it is")
    assert "cost extra" in page["text"]


async def test_what_is_chosen_counts_from_the_next_request_on(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    menu = await _press_through_settings(house, "Shape: as it is", "16:9")
    assert "Shape: 16:9" in _button_labels(menu)
    await _press_through_settings(house, "Format: PNG", "JPEG")
    await house.request_edit(make_photo())
    await house.advance_time(4)
    first, second = _task_inputs(house)
    assert (first["image_size"], first["output_format"]) == ("auto", "png")
    assert (second["image_size"], second["aspect_ratio"], second["output_format"]) == ("16:9", "16:9", "jpeg")


async def test_what_was_chosen_while_a_request_waits_for_words_counts_for_it(house: BotHarness) -> None:
    house.ada.send_photo(make_photo())
    await house.process_updates()
    await _press_through_settings(house, "Shape: as it is", "1:1")
    house.ada.send_text("make it snow")
    await house.process_updates()
    [order] = _task_inputs(house)
    assert order["image_size"] == "1:1"


@pytest.mark.parametrize(
    "caption", ["make it snow 16:9", "make it snow, 16:9", "make it snow\n16:9.", "make it snow 16：9"]
)
async def test_a_shape_at_the_end_of_a_caption_is_for_that_request(house: BotHarness, caption: str) -> None:
    await _press_through_settings(house, "Shape: as it is", "1:1")
    await house.request_edit(make_photo(), caption)
    await house.request_edit(make_photo())
    first, second = _task_inputs(house)
    assert (first["prompt"], first["image_size"]) == ("make it snow", "16:9")
    assert (second["prompt"], second["image_size"]) == ("make it snow", "1:1")


async def test_a_shape_may_be_added_by_editing_the_caption(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "cap")
    photo = await house.request_edit(make_photo())
    house.ada.edit_caption(photo, "make it snow 9:16")
    await house.process_updates()
    assert (await house.read_job()).request.options == EditOptions(aspect_ratio=AspectRatio.TALL)
    assert house.telegram.reactions(house.ada.id, photo) == ["✍"]
    house.ada.edit_caption(photo, "make it snow")
    await house.process_updates()
    assert (await house.read_job()).request.options == EditOptions()


async def test_answers_as_files_come_byte_for_byte_with_buttons(house: BotHarness) -> None:
    await _press_through_settings(house, "Sent as: photo", "file")
    await house.request_edit(make_photo())
    await house.advance_time(40)
    [answer] = house.pictures()
    [task] = house.kie.tasks.values()
    assert house.telegram.message_photo_bytes(answer) == task.result
    assert (answer["caption"], _button_labels(answer)) == (render_english("answer"), ["Again", "Delete"])


async def test_both_is_a_photo_and_then_the_file(house: BotHarness) -> None:
    await _press_through_settings(house, "Sent as: photo", "photo and file")
    await house.request_edit(make_photo())
    await house.advance_time(40)
    photo, file = house.pictures()
    assert ("photo" in photo, "document" in file) == (True, True)
    assert _button_labels(photo) == ["Again", "Delete"]
    assert (await house.read_job()).answered_at is not None


async def test_a_picture_that_telegram_refuses_as_a_photo_keeps_its_buttons(house: BotHarness) -> None:
    house.telegram.faults.add("sendPhoto", bad_request("PHOTO_INVALID_DIMENSIONS"))
    await house.request_edit(make_photo())
    await house.advance_time(40)
    [answer] = house.pictures()
    assert (answer["caption"], _button_labels(answer)) == (render_english("answer-as-file"), ["Again", "Delete"])


async def test_an_answer_as_file_in_doubt_is_given_by_turning_the_status_into_it(house: BotHarness) -> None:
    await _press_through_settings(house, "Sent as: photo", "file")
    house.telegram.faults.add("sendDocument", Fault(FaultKind.DISCONNECT_BEFORE))
    await house.request_edit(make_photo())
    status = house.progress_message()["message_id"]
    await house.advance_time(60)
    assert [m["message_id"] for m in house.pictures()] == [status]
    [task] = house.kie.tasks.values()
    assert house.telegram.message_photo_bytes(house.pictures()[0]) == task.result


async def test_jpeg_is_what_the_model_makes_then(house: BotHarness) -> None:
    await _press_through_settings(house, "Format: PNG", "JPEG")
    await _press_through_settings(house, "Sent as: photo", "file")
    await house.request_edit(make_photo())
    await house.advance_time(40)
    with Image.open(io.BytesIO(house.telegram.message_photo_bytes(house.pictures()[0]))) as image:
        assert image.format == "JPEG"


async def test_a_language_that_was_chosen_is_spoken_at_once_and_for_ever(house: BotHarness) -> None:
    menu = await _press_through_settings(house, "Language: that of the app", "Español")
    assert menu["text"] == sentence("settings", where="private").translate("es")
    house.ada.send_text("/help")
    await house.process_updates()
    assert house.sent_texts()[-1] == sentence("help", where="private").translate("es")
    await house.request_edit(make_photo())
    assert house.progress_message()["text"] == sentence("being-edited").translate("es")
    house.ada.press_button(menu["message_id"], "Idioma: Español")
    await house.process_updates()
    house.ada.press_button(menu["message_id"], sentence("own-language").translate("es"))
    await house.process_updates()
    assert _shown_settings(house)["text"] == render_english("settings")


async def test_only_the_latest_menu_stands(house: BotHarness) -> None:
    old = await _open_settings(house)
    new = await _open_settings(house)
    await house.advance_time(5)
    standing = [m["message_id"] for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m]
    assert standing == [new["message_id"]]
    data = old["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    press = house.ada.press_button(old["message_id"], data)
    await house.process_updates()
    assert house.ada.callback_answer(press) == {"text": render_english("toast-old")}


@pytest.mark.parametrize(
    "data", ["1:page:9:0", "1:choose:0:0", "1:choose:2:5", "1:choose:9:7", "1:choose:1:999999999999999999"]
)
async def test_what_no_page_offers_changes_nothing(house: BotHarness, data: str) -> None:
    menu = await _open_settings(house)
    query = {"id": "991", "from": house.ada.user, "message": menu, "chat_instance": "1", "data": data}
    house.telegram.state.callback_answers["991"] = None
    house.telegram.push({"callback_query": query})
    await house.process_updates()
    assert house.ada.callback_answer("991") == {"text": render_english("toast-old")}
    assert await house.bot.db.transact(lambda tx: tx.chats.get_edit_options(house.ada.id)) == EditOptions()


async def test_pressing_the_same_choice_twice_is_no_trouble(house: BotHarness) -> None:
    page = await _press_through_settings(house, "Format: PNG")
    for _ in range(2):
        house.ada.press_button(page["message_id"], "JPEG")
    await house.process_updates()
    await house.advance_time(4)
    assert "Format: JPEG" in _button_labels(_shown_settings(house))


async def test_what_is_chosen_on_a_page_that_is_just_going_shows_as_well(house: BotHarness) -> None:
    page = await _press_through_settings(house, "Shape: as it is")
    [wide] = [button["callback_data"] for button in _buttons(page) if button["text"] == "16:9"]
    house.ada.press_button(page["message_id"], "1:1")
    await house.process_updates()
    query = {"id": "991", "from": house.ada.user, "message": page, "chat_instance": "1", "data": wide}
    house.telegram.state.callback_answers["991"] = None
    house.telegram.push({"callback_query": query})
    await house.process_updates()
    await house.advance_time(4)
    assert house.ada.callback_answer("991") == {"text": render_english("toast-chosen")}
    assert "Shape: 16:9" in _button_labels(_shown_settings(house))


@pytest.mark.parametrize(("older", "reply_text"), [(False, None), (True, "toast-old")])
async def test_a_menu_may_be_pressed_before_the_bot_knows_that_it_arrived(
    house: BotHarness, *, older: bool, reply_text: str | None
) -> None:
    before = await _open_settings(house)
    house.clock.now += 1.0
    on_its_way = Fault(FaultKind.HOLD_RESPONSE)
    house.telegram.faults.add("sendMessage", on_its_way)
    house.ada.send_text("/settings")
    await house.receive_updates()
    turning = asyncio.create_task(house.run_due_work())
    latest = await house.telegram.wait_for(lambda _: _newer_than(house, before), 20.0)
    [data] = [b["callback_data"] for b in _buttons(latest) if b["text"] == "Shape: as it is"]
    pressed = before if older else latest
    query = {"id": "992", "from": house.ada.user, "message": pressed, "chat_instance": "1", "data": data}
    house.telegram.state.callback_answers["992"] = None
    house.telegram.push({"callback_query": query})
    await house.receive_updates()
    on_its_way.release.set()
    await turning
    await house.advance_time(4)
    assert (house.ada.callback_answer("992") or {}).get("text") == (reply_text and render_english(reply_text))
    assert _shown_settings(house)["text"] == render_english("settings" if older else "choose-aspect-ratio")


def _newer_than(house: BotHarness, message: dict[str, Any]) -> dict[str, Any] | None:
    messages = house.telegram.bot_messages(house.ada.id)
    return next((each for each in messages if each["message_id"] > message["message_id"]), None)


# -- in groups


async def test_a_groups_settings_are_for_its_admins(house: BotHarness) -> None:
    here = create_group(house)
    here.group.promote(here.ada.user)
    here.grace.send_text("/settings@darkroom_bot", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("settings-for-admins")]
    here.ada.send_text("/settings@darkroom_bot", chat=here.group)
    await here.process_updates()
    menu = here.text_messages()[-1]
    assert menu["text"] == render_english("settings", where="group")
    assert await here.press_button(here.grace, menu["message_id"], "Shape: as it is") == render_english(
        "toast-for-admins"
    )
    await here.press_button(here.ada, menu["message_id"], "Shape: as it is")
    assert await here.press_button(here.ada, menu["message_id"], "1:1") == render_english("toast-chosen")
    here.grace.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    [order] = _task_inputs(house)
    assert order["image_size"] == "1:1"
    assert await house.bot.db.transact(lambda tx: tx.chats.get_edit_options(here.ada.id)) == EditOptions(), (
        "hers in private stay hers"
    )


async def test_an_anonymous_admin_may_open_the_settings(house: BotHarness) -> None:
    here = create_group(house)
    here.group.promote(here.ada.user)
    here.ada.send_text("/settings", chat=here.group, anonymously=True)
    await here.process_updates()
    menu = here.text_messages()[-1]
    await here.press_button(here.ada, menu["message_id"], "Language: that of the app")
    assert await here.press_button(here.ada, menu["message_id"], "Русский") == render_english("toast-chosen")
    assert here.text_messages()[-1]["text"] == sentence("settings", where="group").translate("ru")
    here.grace.send_text("/help", chat=here.group)
    await here.process_updates()
    assert here.sent_texts()[-1] == sentence("help", where="group").translate("ru")


async def test_a_request_keeps_the_form_that_it_was_made_with(house: BotHarness) -> None:
    house.kie.refuse_next_create(433, "cap")
    await _press_through_settings(house, "Sent as: photo", "file")
    await house.request_edit(make_photo())
    await _press_through_settings(house, "Sent as: file", "photo")
    await house.advance_time(400)
    await house.advance_time(60)
    job = await house.read_job()
    assert (job.state, job.request.options) == (
        State.SUCCEEDED,
        EditOptions(ResultFormat.PNG, AspectRatio.AUTO, AnswerAs.FILE),
    )
    assert "document" in house.pictures()[0]
