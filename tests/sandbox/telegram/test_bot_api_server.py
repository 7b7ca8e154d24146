"""The HTTP server: every form of request, Telegram's errors, injected faults, and recorded calls."""

import json

import httpx
import pytest
from telegram import Bot
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram import LocalTelegram, Person
from bot.sandbox.telegram import errors as telegrams
from tests.sandbox.telegram.setup import TOKEN, serve_telegram


async def test_a_wrong_token_is_unauthorized(telegram: LocalTelegram) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{telegram.url}/bot123456:wrong/getMe")
    assert answer.status_code == 401
    assert answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}
    assert telegram.calls == []


async def test_every_answer_tells_what_time_it_is_at_telegram() -> None:
    telegram = LocalTelegram(token=TOKEN, clock=lambda: 1_700_000_000.0)
    await telegram.start()
    async with httpx.AsyncClient() as client:
        answer = await client.get(telegram.url)
    await telegram.stop()
    assert answer.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


async def test_an_unknown_method_is_not_found(telegram: LocalTelegram) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{telegram.url}/bot{TOKEN}/makeCoffee")
    assert answer.status_code == 404
    assert answer.json() == {"ok": False, "error_code": 404, "description": "Not Found: method not found"}


@pytest.mark.parametrize(
    "how",
    [
        {"params": {"chat_id": "77", "text": "hi", "reply_markup": "{}"}},
        {"data": {"chat_id": "77", "text": "hi", "reply_markup": "{}"}},
        {"json": {"chat_id": 77, "text": "hi", "reply_markup": {}}},
        {"files": {"chat_id": (None, "77"), "text": (None, "hi"), "reply_markup": (None, "{}")}},
    ],
    ids=["query", "form", "json", "multipart"],
)
async def test_every_way_of_asking_means_the_same(how: dict[str, object]) -> None:
    telegram = LocalTelegram(token=TOKEN)
    telegram.person(77)
    async with serve_telegram(telegram), httpx.AsyncClient() as client:
        answer = await client.request("POST", f"{telegram.url}/bot{TOKEN}/SENDMESSAGE", **how)  # type: ignore[arg-type] # a table of keywords
    assert answer.json()["result"]["text"] == "hi"
    assert telegram.calls[0].params == {"chat_id": 77, "text": "hi", "reply_markup": {}}


async def test_a_text_that_looks_like_json_stays_a_text(telegram: LocalTelegram, bot: Bot) -> None:
    await bot.send_message(telegram.person().id, '{"a": 1}')
    assert telegram.calls[-1].params["text"] == '{"a": 1}'


@pytest.mark.parametrize("body", [b"{", b"[]"])
async def test_json_that_is_no_object_is_refused(telegram: LocalTelegram, body: bytes) -> None:
    async with httpx.AsyncClient() as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.post(f"{telegram.url}/bot{TOKEN}/getMe", content=body, headers=headers)
    assert answer.json()["description"] == "Bad Request: can't parse JSON object"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"chat_id": "@somebody", "text": "hi"}, "chat_id must be an integer"),
        ({"chat_id": "77", "text": "hi", "reply_markup": "{"}, "can't parse reply_markup"),
        ({"chat_id": "77", "text": "hi", "reply_markup": "[1]"}, "can't parse reply_markup"),
        ({"chat_id": "77", "text": "hi", "entities": "{}1"}, "can't parse entities"),
    ],
)
async def test_what_cannot_be_understood_is_refused(params: dict[str, str], words: str) -> None:
    telegram = LocalTelegram(token=TOKEN)
    telegram.person(77)
    async with serve_telegram(telegram), httpx.AsyncClient() as client:
        answer = await client.post(f"{telegram.url}/bot{TOKEN}/sendMessage", data=params)
    assert answer.status_code == 400
    assert words in answer.json()["description"]


async def test_calls_are_remembered_with_what_became_of_them(telegram: LocalTelegram, bot: Bot) -> None:
    sent = await bot.send_message(telegram.person().id, "hi")
    with pytest.raises(BadRequest):
        await bot.send_message(5, "hi")
    good, failed = telegram.calls[-2:]
    assert (good.method, good.params["text"]) == ("sendMessage", "hi")
    assert isinstance(good.result, dict)
    assert good.result["message_id"] == sent.message_id
    assert (failed.result, failed.error) == (None, "Bad Request: chat not found")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (telegrams.too_many_requests(3), RetryAfter),
        (telegrams.blocked(), Forbidden),
        (telegrams.bad_request("chat not found"), BadRequest),
        (telegrams.unauthorized(), InvalidToken),
        (telegrams.conflict(), Conflict),
        (telegrams.server_error(), NetworkError),
        (HTML_502, NetworkError),
        (Fault(FaultKind.DISCONNECT_BEFORE), NetworkError),
    ],
)
async def test_a_fault_speaks_as_telegram_does(
    telegram: LocalTelegram, bot: Bot, fault: Fault, error: type[TelegramError], ada: Person
) -> None:
    telegram.faults.add("sendMessage", fault)
    with pytest.raises(error):
        await bot.send_message(ada.id, "hi")
    assert telegram.bot_messages(ada.id) == []
    assert (await bot.send_message(ada.id, "hi")).text == "hi"


async def test_too_many_says_how_long_to_wait_twice(telegram: LocalTelegram) -> None:
    telegram.faults.add("getMe", telegrams.too_many_requests(7))
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{telegram.url}/bot{TOKEN}/getMe")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["parameters"] == {"retry_after": 7}


async def test_a_cut_after_the_call_leaves_the_message(telegram: LocalTelegram, bot: Bot, ada: Person) -> None:
    telegram.faults.add("sendMessage", Fault(FaultKind.DISCONNECT_AFTER))
    with pytest.raises(NetworkError):
        await bot.send_message(ada.id, "hi")
    assert [message["text"] for message in telegram.bot_messages(ada.id)] == ["hi"]


async def test_a_call_goes_on_when_the_caller_hangs_up(telegram: LocalTelegram, ada: Person) -> None:
    telegram.faults.add("sendMessage", Fault(FaultKind.DELAY, seconds=0.1))
    async with httpx.AsyncClient(timeout=0.05) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{telegram.url}/bot{TOKEN}/sendMessage?chat_id={ada.id}&text=hi")
    await telegram.wait_for(lambda server: server.bot_messages(ada.id), 5)


async def test_what_the_check_dislikes_is_a_complaint_even_under_a_fault() -> None:
    def check(method: str, *_: object) -> None:
        raise ValueError(f"I dislike {method}")

    telegram = LocalTelegram(token=TOKEN, check=check)
    telegram.faults.always("getMe", telegrams.blocked())
    async with serve_telegram(telegram), httpx.AsyncClient() as client:
        answer = await client.get(f"{telegram.url}/bot{TOKEN}/getMe")
    assert answer.status_code == 500
    assert telegram.check_failures == ["getMe: ValueError('I dislike getMe')"]


async def test_a_mistake_of_the_server_is_a_complaint() -> None:
    telegram = LocalTelegram(token=TOKEN)
    ada = telegram.person()
    telegram.state.chats[ada.id].api_object = {"type": "private"}
    async with serve_telegram(telegram), httpx.AsyncClient() as client:
        answer = await client.get(f"{telegram.url}/bot{TOKEN}/setMyCommands", params={"commands": json.dumps([1])})
    assert answer.status_code == 500
    assert len(telegram.check_failures) == 1


async def test_waiting_in_vain_tells_what_was_called(telegram: LocalTelegram, bot: Bot) -> None:
    await bot.get_me()
    with pytest.raises(TimeoutError, match="getMe"):
        await telegram.wait_for(lambda _: None, 0.01)


async def test_a_body_beyond_60_mb_is_too_large(telegram: LocalTelegram, ada: Person) -> None:
    async with httpx.AsyncClient() as client:
        files = {"document": ("big.bin", b"\0" * (61 << 20))}
        answer = await client.post(f"{telegram.url}/bot{TOKEN}/sendDocument", data={"chat_id": ada.id}, files=files)
    assert answer.json()["description"] == "Request Entity Too Large"
