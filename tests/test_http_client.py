"""What all HTTP clients share: request bodies and cookies."""

from collections.abc import AsyncIterator

import httpx
import pytest

from bot.http_client import MAX_BUFFERED_BYTES, NoCookies, read_content_length, use_body_once
from tests.images.image_host import host_images, respond_with

ANYWHERE = "http://localhost"


async def test_a_small_body_leaves_in_one_piece() -> None:
    request = _upload(MAX_BUFFERED_BYTES - 1000)
    await use_body_once(request)
    assert [len(piece) for piece in await _read_chunks(request)] == [int(request.headers["Content-Length"])]


async def test_what_is_large_is_not_in_memory_twice() -> None:
    request = _upload(MAX_BUFFERED_BYTES)
    await use_body_once(request)
    assert len(await _read_chunks(request)) > 1


async def test_what_comes_little_by_little_leaves_so() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    request = httpx.Request("POST", ANYWHERE, content=content())
    await use_body_once(request)
    assert await _read_chunks(request) == [b"a", b"b"]


async def test_a_body_is_forgotten_once_it_was_sent() -> None:
    for size in (1000, MAX_BUFFERED_BYTES):
        request = _upload(size)
        await use_body_once(request)
        assert b"".join(await _read_chunks(request))
        assert b"".join(await _read_chunks(request)) == b""


@pytest.mark.parametrize(
    ("claim", "length"),
    [("0", 0), ("17", 17), ("9" * 18, int("9" * 18)), ("9" * 5000, None), ("-1", None), ("٣", None)],
)
def test_a_body_is_as_long_as_it_is_said_where_that_can_be(claim: str, length: int | None) -> None:
    assert read_content_length(httpx.Response(200, headers=[(b"Content-Length", claim.encode())])) == length
    assert read_content_length(httpx.Response(200)) is None


@pytest.mark.parametrize("cookie", ["a=b", f"a=b; max-age={'9' * 400}"])
async def test_no_cookie_is_parsed_or_sent_back(cookie: str) -> None:
    async with (
        host_images({"/": respond_with(Set_Cookie=cookie)}) as host,
        httpx.AsyncClient(cookies=NoCookies()) as client,
    ):
        await client.get(host.origin)
        await client.get(host.origin)
        assert [request.headers.get("Cookie") for request in host.requests] == [None, None]


def _upload(size: int) -> httpx.Request:
    return httpx.Request("POST", ANYWHERE, files={"file": b"x" * size}, data={"name": "a"})


async def _read_chunks(request: httpx.Request) -> list[bytes]:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    return [piece async for piece in request.stream]
