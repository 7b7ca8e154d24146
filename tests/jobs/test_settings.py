"""/settings: how pictures come and which language is spoken; in private by anybody, in a group by its admins."""

import asyncio
import io
from typing import Any

import pytest
from PIL import Image

from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram.refusals import bad_request
from bot.texts import sentence
from bot.wish import AnswerAs, Form, Format, Shape
from tests.group import friends
from tests.house import House
from tests.world import a_photo, english


def _labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for button in _buttons(message)]


def _buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [button for row in message["reply_markup"]["inline_keyboard"] for button in row]


async def _menu(house: House) -> dict[str, Any]:
    """Let Ada ask for her settings, and return the message that shows them."""
    house.ada.send_text("/settings")
    await house.hear()
    return _shown(house)


def _shown(house: House) -> dict[str, Any]:
    return [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m and "text" in m][-1]


async def _choose(house: House, *labels: str) -> dict[str, Any]:
    """Let Ada press her way through the settings; return what is shown in the end."""
    menu = await _menu(house)
    for label in labels:
        house.ada.press(menu["message_id"], label)
        await house.hear()
        menu = _shown(house)
    return menu


def _inputs(house: House) -> list[dict[str, Any]]:
    return [dict(task.order.input) for task in house.kie.tasks.values()]


async def test_the_settings_show_what_is_chosen(house: House) -> None:
    menu = await _menu(house)
    assert menu["text"] == english("settings")
    assert _labels(menu) == ["Format: PNG", "Shape: as it is", "Sent as: photo", "Language: that of the app"]


async def test_a_page_marks_what_is_chosen_and_leads_back(house: House) -> None:
    page = await _choose(house, "Shape: as it is")
    assert page["text"] == english("choose-shape")
    assert _labels(page) == ["✓ as it is", "1:1", "3:4", "9:16", "4:3", "16:9", "‹ Back"]
    house.ada.press(page["message_id"], "‹ Back")
    await house.hear()
    assert _shown(house)["text"] == english("settings")


async def test_it_is_said_that_another_shape_may_cost_extra(house: House) -> None:
    page = await _choose(house, "Shape: as it is")
    assert "cost extra" in page["text"]


async def test_what_is_chosen_counts_from_the_next_request_on(house: House) -> None:
    await house.ask(a_photo())
    menu = await _choose(house, "Shape: as it is", "16:9")
    assert "Shape: 16:9" in _labels(menu)
    await _choose(house, "Format: PNG", "JPEG")
    await house.ask(a_photo())
    await house.pass_time(4)
    first, second = _inputs(house)
    assert (first["image_size"], first["output_format"]) == ("auto", "png")
    assert (second["image_size"], second["aspect_ratio"], second["output_format"]) == ("16:9", "16:9", "jpeg")


async def test_what_was_chosen_while_a_request_waits_for_words_counts_for_it(house: House) -> None:
    house.ada.send_photo(a_photo())
    await house.hear()
    await _choose(house, "Shape: as it is", "1:1")
    house.ada.send_text("make it snow")
    await house.hear()
    [order] = _inputs(house)
    assert order["image_size"] == "1:1"


@pytest.mark.parametrize(
    "caption", ["make it snow 16:9", "make it snow, 16:9", "make it snow\n16:9.", "make it snow 16：9"]
)
async def test_a_shape_at_the_end_of_a_caption_is_for_that_request(house: House, caption: str) -> None:
    await _choose(house, "Shape: as it is", "1:1")
    await house.ask(a_photo(), caption)
    await house.ask(a_photo())
    first, second = _inputs(house)
    assert (first["prompt"], first["image_size"]) == ("make it snow", "16:9")
    assert (second["prompt"], second["image_size"]) == ("make it snow", "1:1")


async def test_a_shape_may_be_added_by_editing_the_caption(house: House) -> None:
    house.kie.refuse(433, "cap")
    photo = await house.ask(a_photo())
    house.ada.edit_caption(photo, "make it snow 9:16")
    await house.hear()
    assert (await house.job()).request.form == Form(shape=Shape.TALL)
    assert house.telegram.reactions(house.ada.id, photo) == ["✍"]
    house.ada.edit_caption(photo, "make it snow")
    await house.hear()
    assert (await house.job()).request.form == Form()


async def test_answers_as_files_come_byte_for_byte_with_buttons(house: House) -> None:
    await _choose(house, "Sent as: photo", "file")
    await house.ask(a_photo())
    await house.pass_time(40)
    [answer] = house.pictures()
    [task] = house.kie.tasks.values()
    assert house.telegram.message_photo_bytes(answer) == task.result
    assert (answer["caption"], _labels(answer)) == (english("answer"), ["Again", "Delete"])


async def test_both_is_a_photo_and_then_the_file(house: House) -> None:
    await _choose(house, "Sent as: photo", "photo and file")
    await house.ask(a_photo())
    await house.pass_time(40)
    photo, file = house.pictures()
    assert ("photo" in photo, "document" in file) == (True, True)
    assert _labels(photo) == ["Again", "Delete"]
    assert (await house.job()).answered_at is not None


async def test_a_picture_that_telegram_refuses_as_a_photo_keeps_its_buttons(house: House) -> None:
    house.telegram.faults.add("sendPhoto", bad_request("PHOTO_INVALID_DIMENSIONS"))
    await house.ask(a_photo())
    await house.pass_time(40)
    [answer] = house.pictures()
    assert (answer["caption"], _labels(answer)) == (english("answer-as-file"), ["Again", "Delete"])


async def test_an_answer_as_file_in_doubt_is_given_by_turning_the_status_into_it(house: House) -> None:
    await _choose(house, "Sent as: photo", "file")
    house.telegram.faults.add("sendDocument", Fault(Kind.CUT_BEFORE))
    await house.ask(a_photo())
    status = house.status()["message_id"]
    await house.pass_time(60)
    assert [m["message_id"] for m in house.pictures()] == [status]
    [task] = house.kie.tasks.values()
    assert house.telegram.message_photo_bytes(house.pictures()[0]) == task.result


async def test_jpeg_is_what_the_model_makes_then(house: House) -> None:
    await _choose(house, "Format: PNG", "JPEG")
    await _choose(house, "Sent as: photo", "file")
    await house.ask(a_photo())
    await house.pass_time(40)
    with Image.open(io.BytesIO(house.telegram.message_photo_bytes(house.pictures()[0]))) as image:
        assert image.format == "JPEG"


async def test_a_language_that_was_chosen_is_spoken_at_once_and_for_ever(house: House) -> None:
    menu = await _choose(house, "Language: that of the app", "Español")
    assert menu["text"] == sentence("settings", where="private").into("es")
    house.ada.send_text("/help")
    await house.hear()
    assert house.words()[-1] == sentence("help", where="private").into("es")
    await house.ask(a_photo())
    assert house.status()["text"] == sentence("being-edited").into("es")
    house.ada.press(menu["message_id"], "Idioma: Español")
    await house.hear()
    house.ada.press(menu["message_id"], sentence("own-language").into("es"))
    await house.hear()
    assert _shown(house)["text"] == english("settings")


async def test_only_the_latest_menu_stands(house: House) -> None:
    old = await _menu(house)
    new = await _menu(house)
    await house.pass_time(5)
    standing = [m["message_id"] for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m]
    assert standing == [new["message_id"]]
    data = old["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    press = house.ada.press(old["message_id"], data)
    await house.hear()
    assert house.ada.answer_to(press) == {"text": english("toast-old")}


@pytest.mark.parametrize(
    "data", ["1:page:9:0", "1:choose:0:0", "1:choose:2:5", "1:choose:9:7", "1:choose:1:999999999999999999"]
)
async def test_what_no_page_offers_changes_nothing(house: House, data: str) -> None:
    menu = await _menu(house)
    query = {"id": "991", "from": house.ada.user, "message": menu, "chat_instance": "1", "data": data}
    house.telegram.cloud.presses["991"] = None
    house.telegram.push({"callback_query": query})
    await house.hear()
    assert house.ada.answer_to("991") == {"text": english("toast-old")}
    assert await house.bot.db.unit(lambda tx: tx.chats.form_of(house.ada.id)) == Form()


async def test_pressing_the_same_choice_twice_is_no_trouble(house: House) -> None:
    page = await _choose(house, "Format: PNG")
    for _ in range(2):
        house.ada.press(page["message_id"], "JPEG")
    await house.hear()
    await house.pass_time(4)
    assert "Format: JPEG" in _labels(_shown(house))


async def test_what_is_chosen_on_a_page_that_is_just_going_shows_as_well(house: House) -> None:
    page = await _choose(house, "Shape: as it is")
    [wide] = [button["callback_data"] for button in _buttons(page) if button["text"] == "16:9"]
    house.ada.press(page["message_id"], "1:1")
    await house.hear()
    query = {"id": "991", "from": house.ada.user, "message": page, "chat_instance": "1", "data": wide}
    house.telegram.cloud.presses["991"] = None
    house.telegram.push({"callback_query": query})
    await house.hear()
    await house.pass_time(4)
    assert house.ada.answer_to("991") == {"text": english("toast-chosen")}
    assert "Shape: 16:9" in _labels(_shown(house))


@pytest.mark.parametrize(("older", "told"), [(False, None), (True, "toast-old")])
async def test_a_menu_may_be_pressed_before_the_bot_knows_that_it_arrived(
    house: House, *, older: bool, told: str | None
) -> None:
    before = await _menu(house)
    house.clock.now += 1.0
    on_its_way = Fault(Kind.HELD)
    house.telegram.faults.add("sendMessage", on_its_way)
    house.ada.send_text("/settings")
    await house.receive()
    turning = asyncio.create_task(house.turn())
    latest = await house.telegram.wait_for(lambda _: _newer_than(house, before), 20.0)
    [data] = [b["callback_data"] for b in _buttons(latest) if b["text"] == "Shape: as it is"]
    pressed = before if older else latest
    query = {"id": "992", "from": house.ada.user, "message": pressed, "chat_instance": "1", "data": data}
    house.telegram.cloud.presses["992"] = None
    house.telegram.push({"callback_query": query})
    await house.receive()
    on_its_way.gate.set()
    await turning
    await house.pass_time(4)
    assert (house.ada.answer_to("992") or {}).get("text") == (told and english(told))
    assert _shown(house)["text"] == english("settings" if older else "choose-shape")


def _newer_than(house: House, message: dict[str, Any]) -> dict[str, Any] | None:
    messages = house.telegram.bot_messages(house.ada.id)
    return next((each for each in messages if each["message_id"] > message["message_id"]), None)


# -- in groups


async def test_a_groups_settings_are_for_its_admins(house: House) -> None:
    here = friends(house)
    here.group.promote(here.ada.user)
    here.grace.send_text("/settings@darkroom_bot", chat=here.group)
    await here.hear()
    assert here.words() == [english("settings-for-admins")]
    here.ada.send_text("/settings@darkroom_bot", chat=here.group)
    await here.hear()
    menu = here.texts()[-1]
    assert menu["text"] == english("settings", where="group")
    assert await here.press(here.grace, menu["message_id"], "Shape: as it is") == english("toast-for-admins")
    await here.press(here.ada, menu["message_id"], "Shape: as it is")
    assert await here.press(here.ada, menu["message_id"], "1:1") == english("toast-chosen")
    here.grace.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    [order] = _inputs(house)
    assert order["image_size"] == "1:1"
    assert await house.bot.db.unit(lambda tx: tx.chats.form_of(here.ada.id)) == Form(), "hers in private stay hers"


async def test_an_anonymous_admin_may_open_the_settings(house: House) -> None:
    here = friends(house)
    here.group.promote(here.ada.user)
    here.ada.send_text("/settings", chat=here.group, anonymously=True)
    await here.hear()
    menu = here.texts()[-1]
    await here.press(here.ada, menu["message_id"], "Language: that of the app")
    assert await here.press(here.ada, menu["message_id"], "Русский") == english("toast-chosen")
    assert here.texts()[-1]["text"] == sentence("settings", where="group").into("ru")
    here.grace.send_text("/help", chat=here.group)
    await here.hear()
    assert here.words()[-1] == sentence("help", where="group").into("ru")


async def test_a_request_keeps_the_form_that_it_was_made_with(house: House) -> None:
    house.kie.refuse(433, "cap")
    await _choose(house, "Sent as: photo", "file")
    await house.ask(a_photo())
    await _choose(house, "Sent as: file", "photo")
    await house.pass_time(400)
    await house.pass_time(60)
    job = await house.job()
    assert (job.state, job.request.form) == (State.SUCCEEDED, Form(Format.PNG, Shape.AUTO, AnswerAs.FILE))
    assert "document" in house.pictures()[0]
