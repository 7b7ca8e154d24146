"""Sending messages, and Telegram's refusals."""

import pytest
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    ReplyParameters,
)
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, Forbidden, NetworkError

from bot.sandbox.telegram import LocalTelegram, Person
from tests.sandbox.fake_edit.image_probes import open_image
from tests.sandbox.telegram.setup import make_image


async def test_a_message_is_in_the_chat(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    sent = await bot.send_message(ada.id, "hi")
    (shown,) = telegram.bot_messages(ada.id)
    assert (shown["text"], shown["message_id"], sent.from_user) == ("hi", sent.message_id, bot.bot)


@pytest.mark.parametrize(
    ("text", "refusal"), [(" ", "text is empty"), ("x" * 4097, "too long"), ("😀" * 2049, "too long")]
)
async def test_a_text_has_1_to_4096_units(bot: Bot, text: str, refusal: str, ada: Person) -> None:
    with pytest.raises(BadRequest, match=refusal):
        await bot.send_message(ada.id, text)
    assert (await bot.send_message(ada.id, "😀" * 2048)).text


async def test_a_photo_is_kept_as_telegram_keeps_photos(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    sent = await bot.send_photo(ada.id, make_image(2000, 1000), caption="done", filename="edited.png")
    (shown,) = telegram.bot_messages(ada.id)
    kept = open_image(telegram.message_photo_bytes(shown))
    assert (kept.format, kept.size, sent.caption) == ("JPEG", (1280, 640), "done")
    assert [size.width for size in sent.photo] == [90, 320, 800, 1280]


async def test_the_exact_upload_is_remembered(telegram: LocalTelegram, bot: Bot) -> None:
    data = make_image()
    await bot.send_photo(telegram.person().id, data, filename="edited.png")
    assert telegram.calls[-1].files == {"photo": ("edited.png", "image/png", data)}


async def test_a_photo_can_be_sent_again_by_file_id(bot: Bot, ada: Person) -> None:
    sent = await bot.send_photo(ada.id, make_image())
    again = await bot.send_photo(ada.id, sent.photo[0].file_id)
    assert again.photo == sent.photo
    with pytest.raises(BadRequest, match=r"(?i)can't use file of type Photo as Document"):
        await bot.send_document(ada.id, sent.photo[0].file_id)


@pytest.mark.parametrize(
    ("photo", "refusal"),
    [
        (b"not a picture", "image_process_failed"),
        (make_image()[:60], "image_process_failed"),
        (make_image(9000, 1001), "photo_invalid_dimensions"),
        (make_image(2100, 100), "photo_invalid_dimensions"),
        (bytes((10 << 20) + 1), "too big for a photo"),
        (b"", "non-empty"),
        ("https://example.invalid/a.png", "failed to get http url content"),
        ("nonsense", "wrong file identifier"),
    ],
)
async def test_an_odd_photo_is_refused(
    telegram: LocalTelegram, bot: Bot, photo: bytes | str, refusal: str, ada: Person
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){refusal}"):
        await bot.send_photo(ada.id, photo)
    assert telegram.bot_messages(ada.id) == []


async def test_a_document_stays_as_it_is(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    sent = await bot.send_document(ada.id, b"notes", filename="notes.txt")
    (shown,) = telegram.bot_messages(ada.id)
    assert telegram.message_photo_bytes(shown) == b"notes"
    assert sent.document
    assert (sent.document.file_name, sent.document.mime_type) == ("notes.txt", "text/plain")


async def test_a_document_above_50_mib_is_too_large(bot: Bot, ada: Person) -> None:
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        await bot.send_document(ada.id, bytes((50 << 20) + 1))


async def test_a_caption_has_at_most_1024_units_after_its_markup(bot: Bot, ada: Person) -> None:
    sent = await bot.send_photo(ada.id, make_image(), caption="<b>" + "x" * 1024 + "</b>", parse_mode=ParseMode.HTML)
    assert sent.caption_entities[0].length == 1024
    with pytest.raises(BadRequest, match="caption is too long"):
        await bot.send_photo(ada.id, make_image(), caption="x" * 1025)


async def test_a_reply_shows_what_it_replies_to(bot: Bot, ada: Person) -> None:
    first = ada.send_text("first")
    second = ada.send_text("second", reply_to=first)
    sent = await bot.send_message(ada.id, "third", reply_parameters=ReplyParameters(second))
    assert sent.reply_to_message
    assert (sent.reply_to_message.text, sent.reply_to_message.reply_to_message) == ("second", None)


async def test_a_reply_to_nothing_needs_permission(bot: Bot, ada: Person) -> None:
    with pytest.raises(BadRequest, match=r"(?i)message to be replied not found"):
        await bot.send_message(ada.id, "hi", reply_parameters=ReplyParameters(99))
    sent = await bot.send_message(ada.id, "hi", reply_parameters=ReplyParameters(99, allow_sending_without_reply=True))
    assert sent.reply_to_message is None


@pytest.mark.parametrize(
    ("button", "refusal"),
    [
        (InlineKeyboardButton("Again", callback_data="é" * 33), "button_data_invalid"),
        (InlineKeyboardButton("Again", callback_data=""), "button_data_invalid"),
        (InlineKeyboardButton("", callback_data="a"), "text must be non-empty"),
        (InlineKeyboardButton("Again"), "text buttons are unallowed"),
    ],
)
async def test_an_odd_button_is_refused(
    telegram: LocalTelegram, bot: Bot, button: InlineKeyboardButton, refusal: str
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){refusal}"):
        await bot.send_message(telegram.person().id, "hi", reply_markup=InlineKeyboardMarkup([[button]]))


async def test_an_album_shares_an_id(telegram: LocalTelegram, bot: Bot) -> None:
    media = [InputMediaPhoto(make_image(), caption="two"), InputMediaPhoto(make_image())]
    sent = await bot.send_media_group(telegram.person().id, media)
    assert len({message.media_group_id for message in sent}) == 1
    assert [message.caption for message in sent] == ["two", None]


@pytest.mark.parametrize(
    ("media", "refusal"),
    [
        ([InputMediaPhoto(make_image())], "wrong number of media"),
        ([InputMediaPhoto(make_image()), InputMediaDocument(b"notes")], "can't be mixed"),
        ([InputMediaPhoto(make_image()), InputMediaPhoto(b"notes")], "image_process_failed"),
    ],
)
async def test_an_odd_album_is_refused_whole(
    telegram: LocalTelegram, bot: Bot, media: list[InputMediaPhoto | InputMediaDocument], refusal: str, ada: Person
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){refusal}"):
        await bot.send_media_group(ada.id, media)
    assert telegram.bot_messages(ada.id) == []


async def test_chat_actions_are_remembered(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    await bot.send_chat_action(ada.id, ChatAction.UPLOAD_PHOTO)
    assert [action.action for action in telegram.actions(ada.id)] == ["upload_photo"]


async def test_who_never_pressed_start_cannot_be_written_to(telegram: LocalTelegram, bot: Bot) -> None:
    ada = telegram.person(started=False)
    with pytest.raises(Forbidden, match="can't initiate conversation"):
        await bot.send_message(ada.id, "hi")
    ada.send_text("/start")
    assert (await bot.send_message(ada.id, "hi")).text == "hi"
