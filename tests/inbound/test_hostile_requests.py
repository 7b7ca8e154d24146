"""Whatever bytes a stranger sends, the response is a refusal, and the log gets no traceback and few lines.

The requests are raw bytes, because no client library sends such things.
"""

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.inbound.http_server import HttpServer
from bot.inbound.telegram_webhook import SECRET_HEADER
from bot.kie.callback_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.bot_harness import BotHarness, open_bot_harness
from tests.inbound.raw_http import request_head, request_with_body, response_status, send_raw
from tests.process_harness import query_database

KEY = "obviously-" + "fake"
SECRET, SIGNED, AT = SECRET_HEADER.encode(), SIGNATURE_HEADER.encode(), TIMESTAMP_HEADER.encode()
WEBHOOK, CALLBACK = b"POST /telegram/webhook HTTP/1.1", b"POST /kie/callback/r HTTP/1.1"

#: Bytes that are hard to decode.
ODD_BYTES = [b"\xff", b"\xed\xa0\x80", "ü".encode(), b"\x80" * 300, b"%ff", b"\xf0\x9f\x98", b"9" * 5000]

DEEPLY_NESTED = b"[" * 60_000
HUGE_NUMBERS = b'{"update_id": ' + b"9" * 5000 + b', "taskId": ' + b"9" * 5000 + b"}"
LONE_SURROGATES = b'{"update_id": 1, "taskId": "\\ud800", "data": "\\udfff\\u0000"}'
NESTED = json.dumps({"data": json.dumps({"data": "[" * 20_000})}).encode()
BODIES = [
    b"",
    b"\xff\xfe",
    DEEPLY_NESTED,
    b'{"a":' * 10_000,
    HUGE_NUMBERS,
    LONE_SURROGATES,
    NESTED,
    '{"update_id": 1}'.encode("utf-32"),
    b"1e999",
]

HEADERS = [
    *(
        name + b": " + value
        for name in (SECRET, SIGNED, AT, b"Expect", b"Host", b"Cookie", b"Accept")
        for value in ODD_BYTES
    ),
    *(b"Content-Type: " + value for value in (b"\xff", b"text/plain; charset=nonsense", b"x; charset=\xff", b";;;=")),
    *(b"Content-Encoding: " + value for value in (b"gzip", b"br", b"zstd", b"\xff", b"gzip, deflate, nonsense")),
    *(b"Upgrade: " + value + b"\r\nConnection: upgrade" for value in (b"websocket", b"h2c", b"\xff")),
    *(b"Accept: application/openmetrics-text; version=" + value for value in (b"x", b"\xff", b"1.0.0;escaping=\xff")),
]

PATHS = [
    *(b"/kie/callback/" + value for value in (*ODD_BYTES, b"%00", b"%ED%A0%80", b"%zz", b"..%2f..", b";", b"a" * 9000)),
    *(
        b"/kie/callback/proof?nonce=" + value
        for value in (*ODD_BYTES, b"0" * 33, b"0" * 32 + b"%0a", b"%F0%9F", b"&" * 500)
    ),
    *(b"/telegram/webhook" + value for value in (b"?\xff", b"#\xff", b"/", b"%2f", b"?nonce=%ff")),
    *(b"/", b"//", b"//[", b"/..", b"/%2e%2e/", b"*", b"[", b"?", b"", b"x", b"/metrics?name[]=\xff"),
    *(b"http://[::1/healthz", b"http://x:99999999/", b"http://\xff/", b"https://xn--\xff/", b"http://x@y:z@/"),
]

NOT_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\xff / HTTP/1.1\r\n\r\n",
    request_head(b"GET / HTTP/1.1", b"no colon"),
    request_head(b"GET / HTTP/1.1", b" : folded"),
    request_head(b"GET / HTTP/1.1", b"a: \0"),
    request_head(b"GET / HTTP/1.1", b"a: " + b"b" * 20_000),
    request_head(b"GET / HTTP/1.1", *[b"a: b"] * 500),
    request_head(WEBHOOK, b"Content-Length: " + b"9" * 30),
    request_head(WEBHOOK, b"Content-Length: +5"),
    request_head(CALLBACK, b"Content-Length: 1", b"Transfer-Encoding: chunked"),
    request_head(CALLBACK, b"Transfer-Encoding: \xff"),
    request_head(CALLBACK, b"Transfer-Encoding: chunked") + b"f" * 30 + b"\r\n",
    request_head(CALLBACK, b"Transfer-Encoding: chunked") + b"2;\xff=\xff\r\n{}\r\n0\r\n\xff: \xff\r\n\r\n",
]


def _hostile_requests() -> Iterator[bytes]:
    for line in (WEBHOOK, CALLBACK, b"GET /healthz HTTP/1.1", b"GET /nothing HTTP/1.1", b"GET /metrics HTTP/1.1"):
        yield from (request_with_body(line, header) for header in HEADERS)
        yield from (
            request_with_body(line, SECRET + b": wrong", SIGNED + b": eA==", AT + b": 1", body=body) for body in BODIES
        )
    for method in (b"GET", b"POST", b"HEAD", b"CONNECT", b"\xff"):
        yield from (request_with_body(method + b" " + path + b" HTTP/1.1") for path in PATHS)
    yield from NOT_HTTP


@contextmanager
def _assert_log_stays_quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that the log gets no traceback meanwhile, and at most one line of each kind."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(messages) == len(set(messages)) <= 4


@pytest.fixture(params=[None, KEY])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[BotHarness]:
    """A bot with a webhook, with and without a key for callbacks."""
    options = {"telegram_updates": "webhook", "metrics_port": 0, "kie_webhook_key": request.param}
    async with open_bot_harness(tmp_path, is_called=True, **options) as opened:
        yield opened


@pytest.fixture
async def urls(house: BotHarness) -> AsyncIterator[list[str]]:
    """The URLs of its public server and of its metrics."""
    assert house.bot.metrics_endpoint is not None
    assert house.reverse_proxy.upstream is not None
    yield [house.reverse_proxy.upstream, await house.bot.metrics_endpoint.open("127.0.0.1", 0)]
    await house.bot.metrics_endpoint.close()


def _stored_updates(house: BotHarness) -> int:
    return len(query_database(Path(house.bot.settings.database_path), "SELECT update_id FROM inbox"))


async def test_no_request_of_a_stranger_is_a_mistake_of_ours(
    house: BotHarness, urls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    unexpected = []
    with _assert_log_stays_quiet(caplog):
        for url in urls:
            for sent in _hostile_requests():
                status = response_status(await send_raw(url, sent))
                unexpected += [] if status == 200 or 400 <= status < 500 else [(sent[:60], status)]
    assert (unexpected, _stored_updates(house)) == ([], 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    line=st.sampled_from([WEBHOOK, CALLBACK, b"GET /healthz HTTP/1.1", b"GET /metrics HTTP/1.1"]),
    name=st.sampled_from([SECRET, SIGNED, AT, b"Expect", b"Accept", b"Content-Type", b"Content-Encoding", b"Range"]),
    value=st.binary(max_size=200),
    body=st.binary(max_size=200),
)
@example(line=WEBHOOK, name=SECRET, value=b"\xff", body=b"")
@example(line=b"GET /healthz HTTP/1.1", name=b"Expect", value=b"\xff", body=b"")
async def test_no_header_and_no_body_is_a_mistake_of_ours(
    urls: list[str], caplog: pytest.LogCaptureFixture, line: bytes, name: bytes, value: bytes, body: bytes
) -> None:
    with _assert_log_stays_quiet(caplog):
        status = {
            response_status(await send_raw(url, request_with_body(line, name + b": " + value, body=body)))
            for url in urls
        }
    # 0: the bytes were the beginning of a request that goes on, and nobody waited for the rest
    assert all(each in (0, 200) or 400 <= each < 500 for each in status)


@pytest.mark.parametrize("body", [*BODIES, b"[" * 900_000])
async def test_nor_is_what_telegram_itself_might_bring(
    house: BotHarness, urls: list[str], caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    known = SECRET + b": " + house.bot.settings.webhook_secret.encode()
    with _assert_log_stays_quiet(caplog):
        assert [
            response_status(await send_raw(urls[0], request_with_body(WEBHOOK, known, body=body))) for _ in range(3)
        ] == [200] * 3


async def test_no_answer_names_the_software_behind_it(urls: list[str]) -> None:
    asked = [
        request_head(b"GET /healthz HTTP/1.1"),
        request_head(b"GET /metrics HTTP/1.1"),
        request_head(b"GET /nothing HTTP/1.1"),
        request_head(b"DELETE /healthz HTTP/1.1"),
        request_head(b"GET /healthz HTTP/1.1", b"Expect: nothing"),
        request_head(b"GET /healthz HTTP/1.1", b"Expect: \xff"),
        request_with_body(CALLBACK, body=b" " * 70_000),
        request_with_body(WEBHOOK),
        *NOT_HTTP[:3],
    ]
    answers = [await send_raw(url, sent) for url in urls for sent in asked]
    assert {0, 500} & set(map(response_status, answers)) == set()
    assert [each for each in answers if re.search(rb"\nserver: *[^\s]|aiohttp|python", each.lower())] == []


async def test_a_mistake_of_ours_is_logged_once_a_minute_without_the_words_of_who_found_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def mistaken(asked: web.Request) -> web.Response:
        raise ValueError(asked.query["words"])

    app = web.Application()
    app.router.add_get("/", mistaken)
    server = HttpServer(app)
    url = await server.open("127.0.0.1", 0)
    answers = [response_status(await send_raw(url, request_head(b"GET /?words=canary HTTP/1.1"))) for _ in range(50)]
    await server.close()
    assert answers == [500] * 50
    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.exc_info
    assert "in mistaken" in caplog.text
    assert "canary" not in caplog.text
