"""What users do reaches the bot as valid updates."""

from collections.abc import Callable

import pytest
from PIL import Image
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Forbidden

from bot.sandbox.telegram import LocalTelegram, Person
from bot.sandbox.telegram.errors import JsonObject
from bot.sandbox.telegram.files import ATTACHMENT_KINDS
from tests import bot_api_validator
from tests.sandbox.fake_edit.image_probes import open_image
from tests.sandbox.telegram.setup import make_image

KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data="stop-7")]])


def only_update(telegram: LocalTelegram) -> JsonObject:
    (update,) = telegram.state.updates.pending
    bot_api_validator.validate_update(update)
    return update


@pytest.mark.parametrize(
    "act",
    [
        lambda ada: ada.send_text("/edit@darkroom_bot make it blue, see https://example.invalid"),
        lambda ada: ada.send_photo(make_image(), "make it blue"),
        lambda ada: ada.send_photo(b"broken", recompress=False),
        lambda ada: ada.send_document(make_image(), "a.png", caption="make it blue"),
        lambda ada: ada.send_document(b"?"),
        lambda ada: ada.block(),
        *(lambda ada, kind=kind: ada.send_attachment(kind, caption="look") for kind in sorted(ATTACHMENT_KINDS)),
    ],
)
async def test_the_oracle_agrees_with_what_people_send(
    telegram: LocalTelegram, bot: Bot, act: Callable[[Person], object]
) -> None:
    act(telegram.person())
    only_update(telegram)
    assert len(await bot.get_updates()) == 1


async def test_apps_send_photos_upright_small_and_without_metadata(telegram: LocalTelegram) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera"
    ada = telegram.person()
    ada.send_photo(make_image(2000, 1000, "JPEG", exif=exif))
    sent = open_image(telegram.message_photo_bytes(telegram.messages(ada.id)[0]))
    assert (sent.format, sent.size, dict(sent.getexif())) == ("JPEG", (640, 1280), {})


async def test_a_photo_can_be_sent_untouched(telegram: LocalTelegram, ada: Person) -> None:
    ada.send_photo(make_image(), recompress=False)
    assert telegram.message_photo_bytes(telegram.messages(ada.id)[0]) == make_image()
    assert [size["width"] for size in telegram.messages(ada.id)[0]["photo"]] == [64]


@pytest.mark.parametrize(
    ("name", "claimed", "shown"),
    [
        ("a.png", None, "image/png"),
        ("a.png", "application/octet-stream", "application/octet-stream"),
        (None, None, None),
    ],
)
async def test_a_document_claims_what_its_sender_says(
    telegram: LocalTelegram, name: str | None, claimed: str | None, shown: str | None
) -> None:
    telegram.person().send_document(make_image(), name, claimed)
    document = only_update(telegram)["message"]["document"]
    assert (document.get("file_name"), document.get("mime_type")) == (name, shown)


@pytest.mark.parametrize("as_documents", [False, True])
async def test_an_album_is_several_messages_with_one_id(telegram: LocalTelegram, as_documents: bool) -> None:
    telegram.person().send_album([make_image(), make_image()], {1: "make them blue"}, as_documents)
    messages = [update["message"] for update in telegram.state.updates.pending]
    assert len({message["media_group_id"] for message in messages}) == 1
    assert [message.get("caption") for message in messages] == [None, "make them blue"]
    assert all(("document" in message) is as_documents for message in messages)


async def test_an_album_can_get_a_late_item(telegram: LocalTelegram, ada: Person) -> None:
    ada.send_album([make_image(), make_image()])
    album = telegram.messages(ada.id)[0]["media_group_id"]
    ada.send_photo(make_image(), album=album)
    assert [message["media_group_id"] for message in telegram.messages(ada.id)] == [album] * 3


async def test_commands_are_marked_in_utf_16_units(telegram: LocalTelegram) -> None:
    telegram.person().send_photo(make_image(), "😀 /edit@darkroom_bot")
    assert only_update(telegram)["message"]["caption_entities"] == [{"type": "bot_command", "offset": 3, "length": 18}]


async def test_an_edit_shows_the_message_as_it_is_by_then(telegram: LocalTelegram, ada: Person) -> None:
    message_id = ada.send_photo(make_image(), "blue")
    ada.edit_caption(message_id, "green")
    first, second = telegram.state.updates.pending
    bot_api_validator.validate_update(second)
    assert first["message"]["caption"] == "blue"
    assert (second["edited_message"]["caption"], second["edited_message"]["message_id"]) == ("green", message_id)


async def test_a_text_can_be_edited_too(telegram: LocalTelegram, ada: Person) -> None:
    ada.edit_text(ada.send_text("blue"), "green")
    assert telegram.messages(ada.id)[0]["text"] == "green"


@pytest.mark.parametrize("name", ["Stop", "stop-7"])
async def test_a_press_is_answered(telegram: LocalTelegram, bot: Bot, name: str, ada: Person) -> None:
    sent = await bot.send_message(ada.id, "working", reply_markup=KEYBOARD)
    query_id = ada.press_button(sent.message_id, name)
    query = only_update(telegram)["callback_query"]
    assert (query["data"], query["message"]["message_id"]) == ("stop-7", sent.message_id)
    assert ada.callback_answer(query_id) is None
    await bot.answer_callback_query(query_id, "stopped", show_alert=True)
    assert ada.callback_answer(query_id) == {"text": "stopped", "show_alert": True}


async def test_a_press_on_a_deleted_message_shows_that_it_is_gone(
    telegram: LocalTelegram, bot: Bot, ada: Person
) -> None:
    ada.press_button(99, "stop-7")
    message = only_update(telegram)["callback_query"]["message"]
    assert message["date"] == 0


async def test_a_client_of_ones_own_presses_what_no_button_has_behind_it(
    telegram: LocalTelegram, bot: Bot, ada: Person
) -> None:
    sent = await bot.send_message(ada.id, "working", reply_markup=KEYBOARD)
    ada.press_with_data(sent.message_id, "stop-8")
    query = only_update(telegram)["callback_query"]
    assert query["data"] == "stop-8"
    [[button]] = query["message"]["reply_markup"]["inline_keyboard"]
    assert button["callback_data"] == "stop-7", "the message is shown as it is"


async def test_there_is_no_pressing_what_is_not_there(ada: Person) -> None:
    with pytest.raises(LookupError, match="no button 'Stop' on message 1; it has none"):
        ada.press_button(ada.send_text("hi"), "Stop")


async def test_an_unknown_query_is_too_old(bot: Bot) -> None:
    with pytest.raises(BadRequest, match=r"(?i)query is too old"):
        await bot.answer_callback_query("1")


async def test_deleting_is_silent(telegram: LocalTelegram, ada: Person) -> None:
    ada.delete(ada.send_text("hi"))
    assert telegram.messages(ada.id) == []
    assert len(telegram.state.updates.pending) == 1


async def test_who_blocked_the_bot_hears_nothing_until_unblocked(
    telegram: LocalTelegram, bot: Bot, ada: Person
) -> None:
    ada.block()
    assert only_update(telegram)["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(ada.id, "hi")
    with pytest.raises(ValueError, match="has blocked the bot"):
        ada.send_text("hi")
    ada.unblock()
    assert (await bot.send_message(ada.id, "hi")).text == "hi"


async def test_any_other_content_can_be_sent(telegram: LocalTelegram, ada: Person) -> None:
    origin = {"type": "hidden_user", "date": 1, "sender_user_name": "Grace"}
    ada.send({"text": "hi", "forward_origin": origin})
    assert only_update(telegram)["message"]["forward_origin"] == origin


async def test_asking_for_a_person_twice_is_the_same_chat(telegram: LocalTelegram) -> None:
    telegram.person(5).send_text("one")
    telegram.person(5).send_text("two")
    assert [message["message_id"] for message in telegram.messages(5)] == [1, 2]
