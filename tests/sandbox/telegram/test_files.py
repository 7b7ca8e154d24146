"""Sent files can be downloaded, byte for byte, as from Telegram's file server."""

import hashlib

import httpx
import pytest
from telegram import Bot
from telegram.error import BadRequest, InvalidToken

from bot.sandbox.fault_injection import HTML_502
from bot.sandbox.telegram import LocalTelegram, Person
from bot.sandbox.telegram.files import MAX_DOWNLOAD_BYTES
from tests.sandbox.telegram.setup import TOKEN, make_image


def sent_document(telegram: LocalTelegram, person: Person, data: bytes) -> str:
    message_id = person.send_document(data, "notes.txt")
    return str(telegram.state.chats[person.id].messages[message_id]["document"]["file_id"])


async def test_a_document_comes_back_byte_for_byte(telegram: LocalTelegram, bot: Bot) -> None:
    file = await bot.get_file(sent_document(telegram, telegram.person(), b"some notes"))
    assert bytes(await file.download_as_bytearray()) == b"some notes"


async def test_the_file_host_says_nothing_about_the_type(telegram: LocalTelegram, bot: Bot) -> None:
    telegram.person().send_photo(make_image())
    (update,) = await bot.get_updates()
    assert update.message
    file = await update.message.photo[-1].get_file()
    async with httpx.AsyncClient() as client:
        answer = await client.get(str(file.file_path))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.content == telegram.message_photo_bytes(telegram.messages(update.message.chat_id)[0])


async def test_the_same_bytes_have_one_unique_id_and_two_file_ids(telegram: LocalTelegram, ada: Person) -> None:
    ada.send_document(b"same")
    ada.send_document(b"same")
    one, two = (message["document"] for message in telegram.messages(ada.id))
    assert one["file_unique_id"] == two["file_unique_id"]
    assert one["file_id"] != two["file_id"]


async def test_files_up_to_20_mib_can_be_fetched(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    most = bytes(MAX_DOWNLOAD_BYTES)
    file = await bot.get_file(sent_document(telegram, ada, most))
    got = await file.download_as_bytearray(read_timeout=30)
    assert hashlib.sha256(got).digest() == hashlib.sha256(most).digest()
    with pytest.raises(BadRequest, match=r"(?i)file is too big"):
        await bot.get_file(sent_document(telegram, ada, most + b"\0"))


async def test_an_unknown_file_is_temporarily_unavailable(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="temporarily unavailable"):
        await bot.get_file("nothing")


async def test_a_link_needs_getfile_and_expires(telegram: LocalTelegram, bot: Bot) -> None:
    file = await bot.get_file(sent_document(telegram, telegram.person(), b"notes"))
    telegram.state.files.expire_paths()
    with pytest.raises(InvalidToken, match="Not Found"):
        await file.download_as_bytearray()


async def test_a_wrong_token_gets_no_file(telegram: LocalTelegram, bot: Bot) -> None:
    file = await bot.get_file(sent_document(telegram, telegram.person(), b"notes"))
    async with httpx.AsyncClient() as client:
        answer = await client.get(str(file.file_path).replace(TOKEN, "1:wrong"))
    assert answer.status_code == 401


async def test_downloads_have_faults_of_their_own(telegram: LocalTelegram, bot: Bot) -> None:
    file = await bot.get_file(sent_document(telegram, telegram.person(), b"notes"))
    telegram.faults.add("file", HTML_502)
    async with httpx.AsyncClient() as client:
        statuses = [(await client.get(str(file.file_path))).status_code for _ in range(2)]
    assert statuses == [502, 200]
