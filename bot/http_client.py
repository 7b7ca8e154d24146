"""What the HTTP clients of all rooms have in common: little is left behind by a request, and it leaves in few pieces.

httpx ties each answer to itself in a circle, which Python frees only when it looks for garbage: the picture that was
sent would stay in memory until then, and to look is work too.
"""

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

#: Bytes. A form leaves in two or three pieces for each of its fields; what is put together is in memory twice.
MAX_BUFFERED_BYTES = 2 << 20

#: Name a proxy, in capitals or not; NO_PROXY names whom to reach without one.
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CONTENT_LENGTH = re.compile("[0-9]{1,18}")

_EMPTY_STREAM = httpx.ByteStream(b"")


class HttpClient(httpx.AsyncClient):
    """A client that keeps no cookies, and nothing of an answer but what it hands out."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._cookies = _NoCookies()

    async def send(self, request: httpx.Request, *, stream: bool = False, **how: Any) -> httpx.Response:
        """Send a request; an answer that is still to be read wants `let_go` in the end."""
        response = await super().send(request, stream=stream, **how)
        if not stream:
            response.stream = _EMPTY_STREAM
        return response


class _NoCookies(httpx.Cookies):
    """Sending cookies back would serve nobody, and let a host know us again."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep none."""


async def read_bounded(parts: AsyncIterator[bytes], most: int) -> bytes:
    """Put the parts of a body together; where there are more than `most` bytes it ends with the part that says so."""
    found, size = [], 0
    async for part in parts:
        found.append(part)
        size += len(part)
        if size > most:
            break
    return b"".join(found)


def read_content_length(response: httpx.Response) -> int | None:
    """Return how many bytes a body is said to have; None where nothing is said that can be so."""
    claim = response.headers.get("Content-Length", "")
    return int(claim) if _CONTENT_LENGTH.fullmatch(claim) else None


async def close_response(response: httpx.Response) -> None:
    """Close an answer that was not read as a whole, and open its circle."""
    await response.aclose()
    response.stream = _EMPTY_STREAM


def find_proxy_problem(environ: Mapping[str, str]) -> str | None:
    """Say which of the environment's variables for proxies the library cannot use, and what to do; None: all is well.

    `environ` has to be that of the process, which the library reads by itself.
    """
    for name in (*PROXY_VARIABLES, *map(str.lower, PROXY_VARIABLES)):
        proxy = environ.get(name, "")
        if proxy and not _can_build_client(proxy=proxy if "://" in proxy else f"http://{proxy}"):
            return f"{name} cannot be used: name an HTTP proxy, like http://host:port (SOCKS is not spoken here)"
    if _can_build_client(trust_env=True):
        return None
    return (
        "NO_PROXY cannot be used: name hosts separated by commas, IPv6 addresses without brackets (::1) and one by one "
        "(no ranges like fe80::/10)"
    )


def _can_build_client(*, trust_env: bool = False, proxy: str | None = None) -> bool:
    """Try to make a client; it trusts nobody, which takes no time."""
    with suppress(ValueError, ImportError, httpx.InvalidURL):
        httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=trust_env, proxy=proxy).close()
        return True
    return False


async def buffer_small_body(request: httpx.Request) -> None:
    """Put the pieces of a small body together before they leave."""
    if int(request.headers.get("Content-Length", MAX_BUFFERED_BYTES + 1)) <= MAX_BUFFERED_BYTES:
        await request.aread()
