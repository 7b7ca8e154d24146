"""Whatever bytes a stranger sends: the answer is a refusal, the log gets no traceback, and hardly a line.

The requests are written by hand, because no client sends such things.
"""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.doors.listening import Server
from bot.doors.webhook import SECRET_HEADER
from bot.kie.signature import SIGNATURE, TIMESTAMP
from tests.doors.raw import answer, head, request, status
from tests.house import House, a_house
from tests.world import rows

KEY = "obviously-" + "fake"
SECRET, SIGNED, AT = SECRET_HEADER.encode(), SIGNATURE.encode(), TIMESTAMP.encode()
WEBHOOK, CALLBACK = b"POST /telegram/webhook HTTP/1.1", b"POST /kie/callback/r HTTP/1.1"

#: Bytes that mean trouble for whoever decodes them.
ODD = [b"\xff", b"\xed\xa0\x80", "ü".encode(), b"\x80" * 300, b"%ff", b"\xf0\x9f\x98", b"9" * 5000]

DEEP = b"[" * 60_000
HUGE = b'{"update_id": ' + b"9" * 5000 + b', "taskId": ' + b"9" * 5000 + b"}"
LONE = b'{"update_id": 1, "taskId": "\\ud800", "data": "\\udfff\\u0000"}'
NESTED = json.dumps({"data": json.dumps({"data": "[" * 20_000})}).encode()
BODIES = [b"", b"\xff\xfe", DEEP, b'{"a":' * 10_000, HUGE, LONE, NESTED, '{"update_id": 1}'.encode("utf-32"), b"1e999"]

HEADERS = [
    *(name + b": " + value for name in (SECRET, SIGNED, AT, b"Expect", b"Host", b"Cookie", b"Accept") for value in ODD),
    *(b"Content-Type: " + value for value in (b"\xff", b"text/plain; charset=nonsense", b"x; charset=\xff", b";;;=")),
    *(b"Content-Encoding: " + value for value in (b"gzip", b"br", b"zstd", b"\xff", b"gzip, deflate, nonsense")),
    *(b"Upgrade: " + value + b"\r\nConnection: upgrade" for value in (b"websocket", b"h2c", b"\xff")),
    *(b"Accept: application/openmetrics-text; version=" + value for value in (b"x", b"\xff", b"1.0.0;escaping=\xff")),
]

PATHS = [
    *(b"/kie/callback/" + value for value in (*ODD, b"%00", b"%ED%A0%80", b"%zz", b"..%2f..", b";", b"a" * 9000)),
    *(b"/kie/callback/proof?nonce=" + value for value in (*ODD, b"0" * 33, b"0" * 32 + b"%0a", b"%F0%9F", b"&" * 500)),
    *(b"/telegram/webhook" + value for value in (b"?\xff", b"#\xff", b"/", b"%2f", b"?nonce=%ff")),
    *(b"/", b"//", b"//[", b"/..", b"/%2e%2e/", b"*", b"[", b"?", b"", b"x", b"/metrics?name[]=\xff"),
    *(b"http://[::1/healthz", b"http://x:99999999/", b"http://\xff/", b"https://xn--\xff/", b"http://x@y:z@/"),
]

NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\xff / HTTP/1.1\r\n\r\n",
    head(b"GET / HTTP/1.1", b"no colon"),
    head(b"GET / HTTP/1.1", b" : folded"),
    head(b"GET / HTTP/1.1", b"a: \0"),
    head(b"GET / HTTP/1.1", b"a: " + b"b" * 20_000),
    head(b"GET / HTTP/1.1", *[b"a: b"] * 500),
    head(WEBHOOK, b"Content-Length: " + b"9" * 30),
    head(WEBHOOK, b"Content-Length: +5"),
    head(CALLBACK, b"Content-Length: 1", b"Transfer-Encoding: chunked"),
    head(CALLBACK, b"Transfer-Encoding: \xff"),
    head(CALLBACK, b"Transfer-Encoding: chunked") + b"f" * 30 + b"\r\n",
    head(CALLBACK, b"Transfer-Encoding: chunked") + b"2;\xff=\xff\r\n{}\r\n0\r\n\xff: \xff\r\n\r\n",
]


def _hostile() -> Iterator[bytes]:
    for line in (WEBHOOK, CALLBACK, b"GET /healthz HTTP/1.1", b"GET /nothing HTTP/1.1", b"GET /metrics HTTP/1.1"):
        yield from (request(line, header) for header in HEADERS)
        yield from (request(line, SECRET + b": wrong", SIGNED + b": eA==", AT + b": 1", body=body) for body in BODIES)
    for method in (b"GET", b"POST", b"HEAD", b"CONNECT", b"\xff"):
        yield from (request(method + b" " + path + b" HTTP/1.1") for path in PATHS)
    yield from NO_HTTP


@contextmanager
def _hardly_a_line(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See to it that what happens meanwhile leaves no traceback, and of each kind of line at most one."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == len(set(said)) <= 4


@pytest.fixture(params=[None, KEY])
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A bot to which Telegram brings updates, with and without a key for callbacks."""
    how = {"telegram_updates": "webhook", "metrics_port": 0, "kie_webhook_key": request.param}
    async with a_house(tmp_path, is_called=True, **how) as opened:
        yield opened


@pytest.fixture
async def doors(house: House) -> AsyncIterator[list[str]]:
    """Where strangers can reach it."""
    assert house.bot.metrics is not None
    assert house.front.door is not None
    yield [house.front.door, await house.bot.metrics.open("127.0.0.1", 0)]
    await house.bot.metrics.close()


def _kept(house: House) -> int:
    return len(rows(Path(house.bot.settings.database_path), "SELECT update_id FROM inbox"))


async def test_no_request_of_a_stranger_is_a_mistake_of_ours(
    house: House, doors: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    odd = []
    with _hardly_a_line(caplog):
        for url in doors:
            for sent in _hostile():
                answered = status(await answer(url, sent))
                odd += [] if answered == 200 or 400 <= answered < 500 else [(sent[:60], answered)]
    assert (odd, _kept(house)) == ([], 0)


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
    doors: list[str], caplog: pytest.LogCaptureFixture, line: bytes, name: bytes, value: bytes, body: bytes
) -> None:
    with _hardly_a_line(caplog):
        answered = {status(await answer(url, request(line, name + b": " + value, body=body))) for url in doors}
    # 0: the bytes were the beginning of a request that goes on, and nobody waited for the rest
    assert all(each in (0, 200) or 400 <= each < 500 for each in answered)


@pytest.mark.parametrize("body", [*BODIES, b"[" * 900_000])
async def test_nor_is_what_telegram_itself_might_bring(
    house: House, doors: list[str], caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    known = SECRET + b": " + house.bot.settings.webhook_secret.encode()
    with _hardly_a_line(caplog):
        assert [status(await answer(doors[0], request(WEBHOOK, known, body=body))) for _ in range(3)] == [200] * 3


async def test_no_answer_names_the_software_behind_it(doors: list[str]) -> None:
    asked = [
        head(b"GET /healthz HTTP/1.1"),
        head(b"GET /metrics HTTP/1.1"),
        head(b"GET /nothing HTTP/1.1"),
        head(b"DELETE /healthz HTTP/1.1"),
        head(b"GET /healthz HTTP/1.1", b"Expect: nothing"),
        head(b"GET /healthz HTTP/1.1", b"Expect: \xff"),
        request(CALLBACK, body=b" " * 70_000),
        request(WEBHOOK),
        *NO_HTTP[:3],
    ]
    answers = [await answer(url, sent) for url in doors for sent in asked]
    assert {0, 500} & set(map(status, answers)) == set()
    assert [each for each in answers if b"\r\nserver:" in each.lower() or b"aiohttp" in each] == []


async def test_a_mistake_of_ours_is_logged_once_a_minute_without_the_words_of_who_found_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def mistaken(asked: web.Request) -> web.Response:
        raise ValueError(asked.query["words"])

    app = web.Application()
    app.router.add_get("/", mistaken)
    server = Server(app)
    url = await server.open("127.0.0.1", 0)
    answers = [status(await answer(url, head(b"GET /?words=canary HTTP/1.1"))) for _ in range(50)]
    await server.close()
    assert answers == [500] * 50
    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.exc_info
    assert "in mistaken" in caplog.text
    assert "canary" not in caplog.text
