"""HTTP probe: requests a URL without any secret, through the bot's proxies, and explains a failure.

The clients of Telegram and Kie hide the server's clock and the cause of a failed connection, because the errors of
their libraries can contain secrets. This client has none.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from bot.http_client import PROXY_VARIABLES

#: Seconds for one response, less than a whole check has.
PROBE_TIMEOUT = 8.0

#: Bytes of a response that are read.
MAX_BODY_BYTES = 4096


@dataclass(frozen=True)
class ProbeResponse:
    """A response, whatever its status."""

    status: int
    #: its beginning, up to `MAX_BODY_BYTES`
    body: str
    #: the server's time in seconds since 1970; None without a Date header
    date: float | None


class ProbeError(Exception):
    """There was no response: `found` says why, `remedy` what to check."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


class HttpProbe:
    """Sends GET requests, through the proxies that the environment names."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        # no retries and no redirects: the response of the URL itself counts
        timeout = httpx.Timeout(PROBE_TIMEOUT, connect=PROBE_TIMEOUT / 2)
        self._via_proxies = httpx.AsyncClient(verify=tls, timeout=timeout)
        self._direct = httpx.AsyncClient(verify=tls, timeout=timeout, trust_env=False)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._via_proxies.aclose()
        await self._direct.aclose()

    async def get(self, url: str, *, is_local: bool = False) -> ProbeResponse:
        """Return any response; no proxy is used for a URL that `is_local`. Raises ProbeError."""
        http = self._direct if is_local else self._via_proxies
        try:
            async with http.stream("GET", url, headers={"Cache-Control": "no-cache"}) as response:
                body = await _read_beginning(response)
                return ProbeResponse(response.status_code, body.decode("utf-8", "replace"), _read_server_time(response))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise _diagnose(url, error, is_local=is_local) from None

    async def explain_failure(self, url: str, otherwise: str) -> ProbeError:
        """Return why a URL gave no response or, if it gives one by now, the reason in `otherwise`."""
        try:
            await self.get(url)
        except ProbeError as error:
            return error
        return ProbeError(f"{displayed_host(url)} answers, but not as it should ({otherwise})", "try again later")


def displayed_host(url: str) -> str:
    """Return the host of a URL, without path and password."""
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


def _diagnose(url: str, error: BaseException, *, is_local: bool) -> ProbeError:
    remedy = _network_remedy(is_local=is_local)
    for cause in _error_chain(error):
        match cause:
            case ssl.SSLCertVerificationError():
                found = f"the certificate of {displayed_host(url)} is not accepted ({cause.verify_message})"
                return ProbeError(found, "check this machine's clock, SSL_CERT_FILE, and any proxy in between")
            case ssl.SSLError():
                found = f"no TLS connection to {displayed_host(url)} ({cause.reason})"
                return ProbeError(found, "check the address, and any proxy in between")
            case socket.gaierror():
                return ProbeError(f"the name {displayed_host(url)} is not found", remedy)
            case ConnectionRefusedError():
                return ProbeError(f"the connection to {displayed_host(url)} is refused", remedy)
            case httpx.ProxyError():
                return ProbeError(f"the proxy does not connect to {displayed_host(url)}", remedy)
            case httpx.TimeoutException():
                return ProbeError(f"{displayed_host(url)} does not answer in time", remedy)
    return ProbeError(f"{displayed_host(url)} does not answer ({type(error).__name__})", remedy)


def _network_remedy(*, is_local: bool) -> str:
    proxies = [name for name in PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
    at_proxies = "" if is_local or not proxies else f", and {' and '.join(proxies)}"
    return f"check this machine's network and DNS{at_proxies}"


def _error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, through groups as well."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _error_chain(inner)
        error = error.__cause__ or error.__context__
