"""Reaching an address: asks for it without any secret, the way the bot's own calls go, and says why it failed.

The clients of Telegram and Kie show neither the clock of the other side nor why a connection failed, because what
their libraries say can hold secrets; here there is none.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

#: Seconds for one answer, less than a whole check has.
PATIENCE = 8.0

#: Bytes of an answer that are read.
MOST_BYTES = 4096

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class Answered:
    """What came back, whatever it was."""

    status: int
    #: its first bytes
    body: str
    #: the clock of the other side, in seconds since 1970; None where it does not tell
    date: float | None


class NotReached(Exception):
    """Nothing came back: `found` says why, `remedy` where to look."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


class Reach:
    """Asks for addresses, by way of the proxies that the environment names."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        # not retried, not redirected: what stands at the address itself is to be found out
        timeout = httpx.Timeout(PATIENCE, connect=PATIENCE / 2)
        self._through = httpx.AsyncClient(verify=tls, timeout=timeout)
        self._straight = httpx.AsyncClient(verify=tls, timeout=timeout, trust_env=False)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._through.aclose()
        await self._straight.aclose()

    async def ask(self, url: str, *, is_near: bool = False) -> Answered:
        """Return the answer, whatever it is; one that `is_near` is asked past all proxies. Raises NotReached."""
        http = self._straight if is_near else self._through
        try:
            async with http.stream("GET", url, headers={"Cache-Control": "no-cache"}) as response:
                body = await _beginning(response)
                return Answered(response.status_code, body.decode("utf-8", "replace"), _date(response))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise _not_reached(url, error, is_near=is_near) from None

    async def why_not(self, url: str, otherwise: str) -> NotReached:
        """Say why nothing came from an address, or else what was said of it."""
        try:
            await self.ask(url)
        except NotReached as error:
            return error
        return NotReached(f"{host_of(url)} answers, but not as it should ({otherwise})", "try again in a while")


def host_of(url: str) -> str:
    """Return the part of an address that can be shown: no path, no password."""
    return urlsplit(url).netloc.rpartition("@")[2]


async def _beginning(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) >= MOST_BYTES:
            break
    return body[:MOST_BYTES]


def _date(response: httpx.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except ValueError:
        return None


def _not_reached(url: str, error: BaseException, *, is_near: bool) -> NotReached:
    remedy = _where_to_look(is_near=is_near)
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                found = f"the certificate of {host_of(url)} is not accepted ({cause.verify_message})"
                return NotReached(found, "look at this machine's clock, at SSL_CERT_FILE, and at what is in between")
            case ssl.SSLError():
                found = f"there is no TLS with {host_of(url)} ({cause.reason})"
                return NotReached(found, "look at the address, and at what is in between")
            case socket.gaierror():
                return NotReached(f"the name {host_of(url)} is not found", remedy)
            case ConnectionRefusedError():
                return NotReached(f"the connection to {host_of(url)} is refused", remedy)
            case httpx.ProxyError():
                return NotReached(f"the proxy lets nothing through to {host_of(url)}", remedy)
            case httpx.TimeoutException():
                return NotReached(f"{host_of(url)} does not answer in time", remedy)
    return NotReached(f"{host_of(url)} gives no answer ({type(error).__name__})", remedy)


def _where_to_look(*, is_near: bool) -> str:
    proxies = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    at_proxies = "" if is_near or not proxies else f", and at {' and '.join(proxies)}"
    return f"look at this machine's network and DNS{at_proxies}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Go down to what an error comes from, through groups as well."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
