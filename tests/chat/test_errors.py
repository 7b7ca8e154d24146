"""Everything that can go wrong with Telegram is one of our few errors, and tells no secret."""

from collections.abc import AsyncIterator

import httpx
import pytest
from telegram import error as ptb

from bot.chat.client import MAX_DOWNLOAD, Chat, Place, certificates
from bot.chat.errors import (
    NEVER_SENT,
    ChatError,
    ChatGone,
    Doubtful,
    Later,
    NoAnswer,
    NoFile,
    Rejected,
    Rival,
    TooBig,
    WrongToken,
    understood,
)
from bot.redaction import Redaction
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.refusals import bad_request, blocked, conflict, server_error, too_many, unauthorized
from tests import oracle
from tests.world import TOKEN, a_photo

NOT_JSON = Fault(Kind.ANSWER, status=200, body=b"<html>a proxy's page</html>")
OTHER_JSON = Fault(Kind.ANSWER, status=200, body=b"[1, 2]")
NOT_FOUND = Fault(Kind.ANSWER, status=404, body=b'{"ok":false,"error_code":404,"description":"Not Found"}')
TOO_LARGE = Fault(
    Kind.ANSWER, status=413, body=b'{"ok":false,"error_code":413,"description":"Request Entity Too Large"}'
)


@pytest.fixture
async def telegram() -> AsyncIterator[LocalTelegram]:
    """A Telegram that validates what it is asked."""
    server = LocalTelegram(token=TOKEN, check=oracle.check)
    await server.start()
    yield server
    await server.stop()
    assert server.complaints == []


@pytest.fixture
async def chat(telegram: LocalTelegram) -> AsyncIterator[Chat]:
    """Our client for it."""
    client = Chat(token=TOKEN, api_url=telegram.url, tls=certificates(), redact=Redaction([TOKEN]))
    yield client
    await client.aclose()


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (too_many(7), Later),
        (blocked(), ChatGone),
        (bad_request("chat not found"), ChatGone),
        (bad_request("message text is empty"), Rejected),
        (bad_request("wrong file_id or the file is temporarily unavailable"), NoFile),
        (TOO_LARGE, Rejected),
        (unauthorized(), WrongToken),
        (NOT_FOUND, WrongToken),
        (conflict(), Rival),
        (server_error(), Doubtful),
        (HTML_502, Doubtful),
        (NOT_JSON, Doubtful),
        (OTHER_JSON, Doubtful),
        (bad_request("file is too big"), TooBig),
        (Fault(Kind.CUT_BEFORE), NoAnswer),
        (Fault(Kind.CUT_AFTER), NoAnswer),
    ],
)
async def test_every_trouble_says_what_to_do_next(
    telegram: LocalTelegram, chat: Chat, fault: Fault, meaning: type[ChatError]
) -> None:
    telegram.faults.add("sendMessage", fault)
    with pytest.raises(ChatError) as caught:
        await chat.say(Place(telegram.person().id), "hello")
    assert type(caught.value) is meaning
    assert TOKEN not in f"{caught.value!r}{caught.value.__cause__!r}"


async def test_the_seconds_that_telegram_asks_for_are_kept(telegram: LocalTelegram, chat: Chat) -> None:
    telegram.faults.add("sendMessage", too_many(7))
    with pytest.raises(Later) as caught:
        await chat.say(Place(telegram.person().id), "hello")
    assert caught.value.retry_after == 7


async def test_a_server_that_cannot_be_reached_certainly_took_nothing(telegram: LocalTelegram, chat: Chat) -> None:
    ada = telegram.person()
    await telegram.stop()
    with pytest.raises(Later):
        await chat.say(Place(ada.id), "hello")


def _kinds(error: type[Exception]) -> list[type[Exception]]:
    return [error, *(kind for child in error.__subclasses__() for kind in _kinds(child))]


@pytest.mark.parametrize("kind", _kinds(ptb.TelegramError))
def test_every_error_of_the_library_is_understood(kind: type[ptb.TelegramError]) -> None:
    arguments = {ptb.RetryAfter: (3,), ptb.ChatMigrated: (5,), ptb.InvalidToken: (), ptb.TimedOut: ()}
    assert isinstance(understood(kind(*arguments.get(kind, ("words",))), str), ChatError)


@pytest.mark.parametrize("cause", _kinds(httpx.HTTPError))
def test_only_a_request_that_never_left_is_certain_to_have_had_no_effect(cause: type[Exception]) -> None:
    error = ptb.NetworkError("broken")
    error.__cause__ = cause.__new__(cause)
    assert isinstance(understood(error, str), Later) is issubclass(cause, NEVER_SENT)


async def test_a_file_over_20_mb_is_refused_while_it_arrives(telegram: LocalTelegram, chat: Chat) -> None:
    ada = telegram.person()
    ada.send_photo(a_photo())
    file_id = telegram.messages(ada.id)[0]["photo"][-1]["file_id"]
    telegram.faults.add("file", Fault(Kind.ANSWER, status=200, body=bytes(MAX_DOWNLOAD + 1)))
    with pytest.raises(Rejected):
        await chat.download(file_id)


async def test_a_file_arrives_byte_for_byte(telegram: LocalTelegram, chat: Chat) -> None:
    ada = telegram.person()
    ada.send_document(b"\x00\x01 any bytes", "notes.bin")
    file_id = telegram.messages(ada.id)[0]["document"]["file_id"]
    assert await chat.download(file_id) == b"\x00\x01 any bytes"


def test_the_client_shows_no_token(telegram: LocalTelegram) -> None:
    assert TOKEN not in repr(Chat(token=TOKEN, api_url=telegram.url, tls=certificates(), redact=Redaction([TOKEN])))
