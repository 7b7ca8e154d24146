"""What all HTTP clients share: no cookies, request bodies that are freed once sent, bounded reads, proxy checks."""

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from http.cookiejar import CookieJar

import httpx

#: Bytes up to which a body is sent in one piece, since each multipart field would otherwise leave in two or three. Such
#: a body is in memory twice while it is sent.
MAX_BUFFERED_BYTES = 2 << 20

#: The environment variables that name a proxy, also in lower case; NO_PROXY lists the exceptions.
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

_CONTENT_LENGTH = re.compile("[0-9]{1,18}")


class NoCookies(CookieJar):
    """A cookie jar that accepts nothing, so that no host recognises us.

    A policy that rejects everything is not enough: the jar would still parse each Set-Cookie header, and a
    `max-age` of 400 digits makes it warn with a traceback (Python 3.11).
    """

    def extract_cookies(self, response: object, request: object) -> None:
        """Ignore the response's cookies."""


async def read_bounded(parts: AsyncIterator[bytes], max_bytes: int) -> bytes:
    """Return a body, cut off after the part that exceeds `max_bytes`: a longer result means that it is too large."""
    found, size = [], 0
    async for part in parts:
        found.append(part)
        size += len(part)
        if size > max_bytes:
            break
    return b"".join(found)


def read_content_length(response: httpx.Response) -> int | None:
    """Return the Content-Length in bytes; None where it is missing or invalid."""
    length = response.headers.get("Content-Length", "")
    return int(length) if _CONTENT_LENGTH.fullmatch(length) else None


async def use_body_once(request: httpx.Request) -> None:
    """Send the body once, and free it then; a request hook of httpx.

    httpx ties each response and its request into a reference cycle, which would keep an uploaded image in memory until
    the garbage collector runs.
    """
    if isinstance(request.stream, httpx.AsyncByteStream):
        is_small = int(request.headers.get("Content-Length", MAX_BUFFERED_BYTES + 1)) <= MAX_BUFFERED_BYTES
        request.stream = _SingleUseBody(request.stream, in_one_piece=is_small)


class _SingleUseBody(httpx.AsyncByteStream):
    def __init__(self, body: httpx.AsyncByteStream, *, in_one_piece: bool) -> None:
        self._body: httpx.AsyncByteStream = body
        self._in_one_piece = in_one_piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body, self._body = self._body, httpx.ByteStream(b"")
        if self._in_one_piece:
            yield b"".join([piece async for piece in body])
        else:
            async for piece in body:
                yield piece


def find_proxy_problem(environ: Mapping[str, str]) -> str | None:
    """Return which proxy variable httpx cannot use, and the remedy; None if there is no problem.

    `environ` must be the environment of this process, because httpx reads that itself.
    """
    for name in (*PROXY_VARIABLES, *map(str.lower, PROXY_VARIABLES)):
        proxy = environ.get(name, "")
        if proxy and not _can_build_client(proxy=proxy if "://" in proxy else f"http://{proxy}"):
            return f"{name} cannot be used: name an HTTP proxy, like http://host:port (SOCKS is not supported)"
    if _can_build_client(trust_env=True):
        return None
    return (
        "NO_PROXY cannot be used: name hosts separated by commas, IPv6 addresses without brackets (::1) and one by one "
        "(no ranges like fe80::/10)"
    )


def _can_build_client(*, trust_env: bool = False, proxy: str | None = None) -> bool:
    """Try to build a client; it trusts no certificate, because loading them takes time."""
    with suppress(ValueError, ImportError, httpx.InvalidURL):
        httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=trust_env, proxy=proxy).close()
        return True
    return False
