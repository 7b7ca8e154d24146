"""Results come home whole, or with an error that says what to do next."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bot.pictures.fetch import Fetcher, FetchError, Gone, NotAllowed, TooLarge, Unreachable
from tests.pictures.server import Answer, Host, hosting, raw, says


@asynccontextmanager
async def fetching(
    *trusted: str,
    within: float = 30,
    most: int = 1000,
) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(trusted_origins=trusted, timeout=within, most=most)
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


async def fetch_from(answers: dict[str, Answer], path: str = "/a.png") -> tuple[bytes, Host]:
    async with hosting(answers) as host, fetching(host.origin) as fetcher:
        return await fetcher.fetch(host.origin + path), host


async def test_a_picture_is_brought_home_whole() -> None:
    content, host = await fetch_from({"/a.png": says(b"picture")})
    assert content == b"picture"
    assert len(host.requests) == 1


async def test_the_longest_allowed_picture_arrives() -> None:
    content, _ = await fetch_from({"/a.png": says(b"x" * 1000)})
    assert len(content) == 1000


async def test_nothing_of_ours_is_sent_along() -> None:
    _, host = await fetch_from({"/a.png": says(b"picture", Set_Cookie="a=b")})
    assert host.requests[0].method == "GET"
    assert not {"Authorization", "Cookie", "Referer"} & set(host.requests[0].headers)
    assert host.requests[0].headers["Accept-Encoding"] == "identity"


async def test_bytes_that_the_server_compressed_all_the_same_are_not_unpacked() -> None:
    packed = gzip.compress(bytes(100_000))
    content, _ = await fetch_from({"/a.png": says(packed, Content_Encoding="gzip")})
    assert content == packed


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Gone),
        (401, Gone),
        (403, Gone),
        (404, Gone),
        (410, Gone),
        (408, Unreachable),
        (425, Unreachable),
        (429, Unreachable),
        (500, Unreachable),
        (502, Unreachable),
        (503, Unreachable),
        (204, Unreachable),
        (206, Unreachable),
        (302, Unreachable),
        (304, Unreachable),
    ],
)
async def test_a_status_says_what_to_do_next(status: int, error: type[FetchError]) -> None:
    with pytest.raises(error) as caught:
        await fetch_from({"/a.png": says(status=status)})
    assert type(caught.value) is error


async def test_redirects_within_the_origin_are_followed() -> None:
    content, _ = await fetch_from(
        {
            "/a.png": says(status=302, Location="/b.png"),
            "/b.png": says(status=307, Location="c.png"),
            "/c.png": says(status=301, Location="/d.png"),
            "/d.png": says(b"picture"),
        }
    )
    assert content == b"picture"


async def test_redirects_in_circles_come_to_an_end() -> None:
    async with hosting({"/a.png": says(status=302, Location="/a.png")}) as host, fetching(host.origin) as fetcher:
        with pytest.raises(NotAllowed, match="circles"):
            await fetcher.fetch(host.origin + "/a.png")
    assert len(host.requests) == 4


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "//127.0.0.1:1/",
        "https://example.com/a.png",
        "file:///etc/passwd",
        "http://[broken",
    ],
)
async def test_a_redirect_elsewhere_is_refused(elsewhere: str) -> None:
    with pytest.raises(NotAllowed):
        await fetch_from({"/a.png": says(status=302, Location=elsewhere)})


async def test_a_redirect_from_one_trusted_origin_to_another_is_refused_too() -> None:
    async with hosting({"/b.png": says(b"picture")}) as other:
        answers = {"/a.png": says(status=302, Location=other.origin + "/b.png")}
        async with hosting(answers) as host, fetching(host.origin, other.origin) as fetcher:
            with pytest.raises(NotAllowed):
                await fetcher.fetch(host.origin + "/a.png")
        assert not other.requests


async def test_a_length_above_the_limit_is_refused_before_the_body() -> None:
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n") as (origin, _), fetching(origin) as fetcher:
        with pytest.raises(TooLarge, match="1001 bytes"):
            await fetcher.fetch(origin + "/a.png")


async def test_an_endless_body_is_cut_off() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 400)

    with pytest.raises(TooLarge, match="more than 1000"):
        await fetch_from({"/a.png": endless})


async def test_a_body_byte_by_byte_runs_into_the_deadline() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0)

    async with (
        hosting({"/a.png": drip}) as host,
        fetching(host.origin, within=0.1, most=10**9) as fetcher,
    ):
        with pytest.raises(Unreachable, match=r"within 0\.1 s"):
            await fetcher.fetch(host.origin + "/a.png")


async def test_a_server_that_falls_silent_runs_into_the_deadline() -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("nobody rings")

    async with hosting({"/a.png": silent}) as host, fetching(host.origin, within=0.1) as fetcher:
        with pytest.raises(Unreachable):
            await fetcher.fetch(host.origin + "/a.png")


SHORT_BODIES = {
    "shorter than announced": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "last chunk missing": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    "no answer": b"",
    "not HTTP": b"hello\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nshort",
    "an endless length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nshort",
}


@pytest.mark.parametrize("reply", SHORT_BODIES.values(), ids=SHORT_BODIES.keys())
async def test_a_cut_or_garbled_answer_is_worth_another_try(reply: bytes) -> None:
    async with raw(reply) as (origin, _), fetching(origin) as fetcher:
        with pytest.raises(Unreachable):
            await fetcher.fetch(origin + "/a.png")


async def test_a_closed_port_is_unreachable() -> None:
    async with raw(b"") as (origin, _):
        pass
    async with fetching(origin) as fetcher:
        with pytest.raises(Unreachable):
            await fetcher.fetch(origin + "/a.png")


async def test_errors_do_not_tell_the_url() -> None:
    async with hosting({"/secret.png": says(status=404)}) as host, fetching(host.origin) as fetcher:
        with pytest.raises(Gone) as caught:
            await fetcher.fetch(host.origin + "/secret.png")
    assert "secret" not in str(caught.value)
