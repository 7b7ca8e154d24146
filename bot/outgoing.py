"""What the HTTP clients of all rooms have in common: little is left behind by a request, and it leaves in few pieces.

httpx ties each answer to itself in a circle, which Python frees only when it looks for garbage: the picture that was
sent would stay in memory until then, and to look is work too.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx

#: Bytes. A form leaves in two or three pieces for each of its fields; what is put together is in memory twice.
SMALL = 2 << 20

_LENGTH = re.compile("[0-9]{1,18}")

_NOTHING = httpx.ByteStream(b"")


class Client(httpx.AsyncClient):
    """A client that keeps no cookies, and nothing of an answer but what it hands out."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._cookies = _NoCookies()

    async def send(self, request: httpx.Request, *, stream: bool = False, **how: Any) -> httpx.Response:
        """Send a request; an answer that is still to be read wants `let_go` in the end."""
        response = await super().send(request, stream=stream, **how)
        if not stream:
            response.stream = _NOTHING
        return response


class _NoCookies(httpx.Cookies):
    """Sending cookies back would serve nobody, and let a host know us again."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep none."""


async def collected(parts: AsyncIterator[bytes], most: int) -> bytes:
    """Put the parts of a body together; where there are more than `most` bytes it ends with the part that says so."""
    found, size = [], 0
    async for part in parts:
        found.append(part)
        size += len(part)
        if size > most:
            break
    return b"".join(found)


def claimed_length(response: httpx.Response) -> int | None:
    """Return how many bytes a body is said to have; None where nothing is said that can be so."""
    claim = response.headers.get("Content-Length", "")
    return int(claim) if _LENGTH.fullmatch(claim) else None


async def let_go(response: httpx.Response) -> None:
    """Close an answer that was not read as a whole, and open its circle."""
    await response.aclose()
    response.stream = _NOTHING


async def in_one_piece(request: httpx.Request) -> None:
    """Put the pieces of a small body together before they leave."""
    if int(request.headers.get("Content-Length", SMALL + 1)) <= SMALL:
        await request.aread()
