"""Every failure of Telegram becomes one of our few errors, without secrets."""

from collections.abc import AsyncIterator

import httpx
import pytest
from telegram import error as ptb

from bot.logs import Redaction
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.errors import bad_request, blocked, conflict, server_error, too_many_requests, unauthorized
from bot.telegram.client import MAX_DOWNLOAD_BYTES, Destination, TelegramClient, load_tls_context
from bot.telegram.errors import (
    NEVER_SENT,
    ChatGone,
    DeliveryUncertain,
    FileTooLarge,
    FileUnavailable,
    PollingConflict,
    Rejected,
    RetryableError,
    TelegramApiError,
    Unauthorized,
    translate_error,
)
from tests import bot_api_validator
from tests.process_harness import TOKEN, make_photo

NOT_JSON = Fault(FaultKind.RESPOND, status=200, body=b"<html>a proxy's page</html>")
OTHER_JSON = Fault(FaultKind.RESPOND, status=200, body=b"[1, 2]")
NOT_FOUND = Fault(FaultKind.RESPOND, status=404, body=b'{"ok":false,"error_code":404,"description":"Not Found"}')
GATEWAYS_401 = Fault(FaultKind.RESPOND, status=401, body=b"<html>log in first</html>")
GATEWAYS_404 = Fault(FaultKind.RESPOND, status=404, body=b"<html>nginx</html>")
TOO_LARGE = Fault(
    FaultKind.RESPOND, status=413, body=b'{"ok":false,"error_code":413,"description":"Request Entity Too Large"}'
)


@pytest.fixture
async def telegram() -> AsyncIterator[LocalTelegram]:
    """A local Telegram that validates requests."""
    server = LocalTelegram(token=TOKEN, check=bot_api_validator.validate_request)
    await server.start()
    yield server
    await server.stop()
    assert server.check_failures == []


@pytest.fixture
async def client(telegram: LocalTelegram) -> AsyncIterator[TelegramClient]:
    """A client of it."""
    opened = TelegramClient(token=TOKEN, api_url=telegram.url, tls=load_tls_context(), redact=Redaction([TOKEN]))
    yield opened
    await opened.aclose()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (too_many_requests(7), RetryableError),
        (blocked(), ChatGone),
        (bad_request("chat not found"), ChatGone),
        (bad_request("message text is empty"), Rejected),
        (bad_request("wrong file_id or the file is temporarily unavailable"), FileUnavailable),
        (TOO_LARGE, Rejected),
        (unauthorized(), Unauthorized),
        (NOT_FOUND, Unauthorized),
        (GATEWAYS_401, DeliveryUncertain),
        (GATEWAYS_404, DeliveryUncertain),
        (conflict(), PollingConflict),
        (server_error(), DeliveryUncertain),
        (HTML_502, DeliveryUncertain),
        (NOT_JSON, DeliveryUncertain),
        (OTHER_JSON, DeliveryUncertain),
        (bad_request("file is too big"), FileTooLarge),
        (Fault(FaultKind.DISCONNECT_BEFORE), DeliveryUncertain),
        (Fault(FaultKind.DISCONNECT_AFTER), DeliveryUncertain),
    ],
)
async def test_every_trouble_says_what_to_do_next(
    telegram: LocalTelegram, client: TelegramClient, fault: Fault, expected: type[TelegramApiError]
) -> None:
    telegram.faults.add("sendMessage", fault)
    with pytest.raises(TelegramApiError) as caught:
        await client.send_message(Destination(telegram.person().id), "hello")
    assert type(caught.value) is expected
    assert TOKEN not in f"{caught.value!r}{caught.value.__cause__!r}"


async def test_the_seconds_that_telegram_asks_for_are_kept(telegram: LocalTelegram, client: TelegramClient) -> None:
    telegram.faults.add("sendMessage", too_many_requests(7))
    with pytest.raises(RetryableError) as caught:
        await client.send_message(Destination(telegram.person().id), "hello")
    assert caught.value.retry_after == 7


async def test_a_server_that_cannot_be_reached_certainly_took_nothing(
    telegram: LocalTelegram, client: TelegramClient
) -> None:
    ada = telegram.person()
    await telegram.stop()
    with pytest.raises(RetryableError):
        await client.send_message(Destination(ada.id), "hello")


def _kinds(error: type[Exception]) -> list[type[Exception]]:
    return [error, *(kind for child in error.__subclasses__() for kind in _kinds(child))]


@pytest.mark.parametrize("kind", _kinds(ptb.TelegramError))
def test_every_error_of_the_library_is_understood(kind: type[ptb.TelegramError]) -> None:
    arguments = {ptb.RetryAfter: (3,), ptb.ChatMigrated: (5,), ptb.InvalidToken: (), ptb.TimedOut: ()}
    assert isinstance(translate_error(kind(*arguments.get(kind, ("words",))), str), TelegramApiError)


@pytest.mark.parametrize("cause", _kinds(httpx.HTTPError))
def test_only_a_request_that_never_left_is_certain_to_have_had_no_effect(cause: type[Exception]) -> None:
    error = ptb.NetworkError("broken")
    error.__cause__ = cause.__new__(cause)
    assert isinstance(translate_error(error, str), RetryableError) is issubclass(cause, NEVER_SENT)


async def test_a_file_over_20_mb_is_refused_while_it_arrives(telegram: LocalTelegram, client: TelegramClient) -> None:
    ada = telegram.person()
    ada.send_photo(make_photo())
    file_id = telegram.messages(ada.id)[0]["photo"][-1]["file_id"]
    telegram.faults.add("file", Fault(FaultKind.RESPOND, status=200, body=bytes(MAX_DOWNLOAD_BYTES + 1)))
    with pytest.raises(Rejected):
        await client.download_file(file_id)


async def test_a_file_arrives_byte_for_byte(telegram: LocalTelegram, client: TelegramClient) -> None:
    ada = telegram.person()
    ada.send_document(b"\x00\x01 any bytes", "notes.bin")
    file_id = telegram.messages(ada.id)[0]["document"]["file_id"]
    assert await client.download_file(file_id) == b"\x00\x01 any bytes"


def test_the_client_shows_no_token(telegram: LocalTelegram) -> None:
    assert TOKEN not in repr(
        TelegramClient(token=TOKEN, api_url=telegram.url, tls=load_tls_context(), redact=Redaction([TOKEN]))
    )
