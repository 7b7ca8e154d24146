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
PROBE_TIMEOUT = 8.0

#: Bytes of an answer that are read.
MAX_BODY_BYTES = 4096

_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class ProbeResponse:
    """What came back, whatever it was."""

    status: int
    #: its first bytes
    body: str
    #: the clock of the other side, in seconds since 1970; None where it does not tell
    date: float | None


class ProbeError(Exception):
    """Nothing came back: `found` says why, `remedy` where to look."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


class HttpProbe:
    """Asks for addresses, by way of the proxies that the environment names."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        # not retried, not redirected: what stands at the address itself is to be found out
        timeout = httpx.Timeout(PROBE_TIMEOUT, connect=PROBE_TIMEOUT / 2)
        self._via_proxies = httpx.AsyncClient(verify=tls, timeout=timeout)
        self._direct = httpx.AsyncClient(verify=tls, timeout=timeout, trust_env=False)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._via_proxies.aclose()
        await self._direct.aclose()

    async def get(self, url: str, *, is_near: bool = False) -> ProbeResponse:
        """Return the answer, whatever it is; one that `is_near` is asked past all proxies. Raises NotReached."""
        http = self._direct if is_near else self._via_proxies
        try:
            async with http.stream("GET", url, headers={"Cache-Control": "no-cache"}) as response:
                body = await _read_beginning(response)
                return ProbeResponse(response.status_code, body.decode("utf-8", "replace"), _read_server_time(response))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise _diagnose(url, error, is_near=is_near) from None

    async def explain_failure(self, url: str, otherwise: str) -> ProbeError:
        """Say why nothing came from an address, or else what was said of it."""
        try:
            await self.get(url)
        except ProbeError as error:
            return error
        return ProbeError(f"{displayed_host(url)} answers, but not as it should ({otherwise})", "try again in a while")


def displayed_host(url: str) -> str:
    """Return the part of an address that can be shown: no path, no password."""
    return urlsplit(url).netloc.rpartition("@")[2]


async def _read_beginning(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) >= MAX_BODY_BYTES:
            break
    return body[:MAX_BODY_BYTES]


def _read_server_time(response: httpx.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except ValueError:
        return None


def _diagnose(url: str, error: BaseException, *, is_near: bool) -> ProbeError:
    remedy = _network_remedy(is_near=is_near)
    for cause in _error_chain(error):
        match cause:
            case ssl.SSLCertVerificationError():
                found = f"the certificate of {displayed_host(url)} is not accepted ({cause.verify_message})"
                return ProbeError(found, "look at this machine's clock, at SSL_CERT_FILE, and at what is in between")
            case ssl.SSLError():
                found = f"there is no TLS with {displayed_host(url)} ({cause.reason})"
                return ProbeError(found, "look at the address, and at what is in between")
            case socket.gaierror():
                return ProbeError(f"the name {displayed_host(url)} is not found", remedy)
            case ConnectionRefusedError():
                return ProbeError(f"the connection to {displayed_host(url)} is refused", remedy)
            case httpx.ProxyError():
                return ProbeError(f"the proxy lets nothing through to {displayed_host(url)}", remedy)
            case httpx.TimeoutException():
                return ProbeError(f"{displayed_host(url)} does not answer in time", remedy)
    return ProbeError(f"{displayed_host(url)} gives no answer ({type(error).__name__})", remedy)


def _network_remedy(*, is_near: bool) -> str:
    proxies = [name for name in _PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
    at_proxies = "" if is_near or not proxies else f", and at {' and '.join(proxies)}"
    return f"look at this machine's network and DNS{at_proxies}"


def _error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Go down to what an error comes from, through groups as well."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _error_chain(inner)
        error = error.__cause__ or error.__context__
