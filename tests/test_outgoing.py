"""What all HTTP clients have in common."""

from collections.abc import AsyncIterator

import httpx
import pytest

from bot.outgoing import SMALL, Client, claimed_length, in_one_piece
from tests.pictures.server import hosting, says

ANYWHERE = "http://localhost"


async def test_a_small_body_leaves_in_one_piece() -> None:
    request = _upload(SMALL - 1000)
    await in_one_piece(request)
    assert [len(piece) for piece in await _pieces(request)] == [int(request.headers["Content-Length"])]


async def test_what_is_large_is_not_in_memory_twice() -> None:
    request = _upload(SMALL)
    await in_one_piece(request)
    assert len(await _pieces(request)) > 1


async def test_what_comes_little_by_little_leaves_so() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    request = httpx.Request("POST", ANYWHERE, content=content())
    await in_one_piece(request)
    assert await _pieces(request) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("claim", "length"),
    [("0", 0), ("17", 17), ("9" * 18, int("9" * 18)), ("9" * 5000, None), ("-1", None), ("٣", None)],
)
def test_a_body_is_as_long_as_it_is_said_where_that_can_be(claim: str, length: int | None) -> None:
    assert claimed_length(httpx.Response(200, headers=[(b"Content-Length", claim.encode())])) == length
    assert claimed_length(httpx.Response(200)) is None


async def test_no_cookie_is_sent_back() -> None:
    async with hosting({"/": says(Set_Cookie="a=b")}) as host, Client() as client:
        await client.get(host.origin)
        await client.get(host.origin)
        assert [request.headers.get("Cookie") for request in host.requests] == [None, None]


def _upload(size: int) -> httpx.Request:
    return httpx.Request("POST", ANYWHERE, files={"file": b"x" * size}, data={"name": "a"})


async def _pieces(request: httpx.Request) -> list[bytes]:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    return [piece async for piece in request.stream]
