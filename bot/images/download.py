"""Brings the finished picture home, from wherever Kie put it.

The URL comes from outside, so it is followed only to public machines (or to
origins that the operator configured), without any credentials, and with an end
to patience and to memory: one deadline for everything, one limit for the bytes.

FetchError
├── NotAllowed    the URL, or where it leads, breaks these rules: never try again
├── Gone          the server answered for good that there is no picture here (403, 404, 410 ...)
├── TooLarge      more bytes than we take
└── Unreachable   anything worth another try: network, names, TLS, 408, 425, 429, 5xx, a cut body

Messages name the host at most: who has the whole URL has the picture.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

import httpx

from bot.http_client import NoCookies, read_bounded, read_content_length
from bot.images import ssrf_guard
from bot.images.errors import (
    DecodingTooCostly,
    ImageError,
    NotAnImage,
    OtherImageFormat,
    UnreadableImage,
    UnsupportedImageFormat,
)
from bot.images.inspect import ImageInfo, inspect_image_in_thread
from bot.images.ssrf_guard import Resolver

_MAX_REDIRECTS = 3
_REDIRECT_STATUSES = {301, 302, 303, 307, 308}
_RETRYABLE_STATUSES = {408, 425, 429}
#: seconds until the next address of the host gets its turn, and that a server may stay silent
_TIMEOUTS = httpx.Timeout(30, connect=10)

#: Compressed bytes would be counted wrongly. A client that downloads results of Kie sends a
#: browser's User-Agent (seen in its source, 2026); hosts of files often refuse a library's own.
_HEADERS = {
    "Accept": "image/*,*/*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": "Mozilla/5.0 (compatible; Darkroom)",
}

#: scheme, host, port
UrlOrigin = tuple[str, str, int]


class DownloadError(Exception):
    """The picture did not arrive."""


class DownloadNotAllowed(DownloadError):
    """We do not go there."""


class DownloadGone(DownloadError):
    """The server will not give us this file, now or later."""


class DownloadTooLarge(DownloadError):
    """The file is larger than the limit."""


class DownloadUnavailable(DownloadError):
    """It did not work this time."""


class Downloader:
    """Downloads pictures by the rules of this module.

    `trusted_origins` are URLs of which scheme, host and port count: files there
    are fetched without a look at the address, over plain http too. `timeout` is
    the limit for one fetch in seconds, `most` in bytes.

    With a proxy in the environment (HTTPS_PROXY and its relatives) the proxy
    resolves names, often in a network where we cannot resolve any, so only
    addresses that the URL itself spells out are checked here; where the proxy
    may connect to is for its operator to say. SSL_CERT_FILE and SSL_CERT_DIR say
    whose certificates to trust, as everywhere.
    """

    def __init__(
        self,
        *,
        trusted_origins: Collection[str],
        timeout: float = 120.0,
        most: int = 50 * 1024 * 1024,
        resolve: Resolver = ssrf_guard.resolve_host,
        is_allowed_address: Callable[[str], bool] = ssrf_guard.is_public_address,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted_origins = frozenset(_origin(httpx.URL(url)) for url in trusted_origins)
        self._timeout = timeout
        self._max_bytes = most
        self._resolve = resolve
        self._is_allowed_address = is_allowed_address
        tls = tls or httpx.create_ssl_context()
        self._direct_pools = ConnectionPools(lambda: _create_client(tls))
        self._proxy_clients = {scheme: _create_client(tls, proxy) for scheme, proxy in _read_proxies().items()}

    async def aclose(self) -> None:
        """Close all connections."""
        await self._direct_pools.aclose()
        for client in self._proxy_clients.values():
            await client.aclose()

    async def download(self, url: str) -> bytes:
        """Download one file; raises FetchError.

        A redirect is followed within the same origin, at most three times, and
        every hop is checked like the first.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow_redirects(httpx.URL(url))
        except TimeoutError:
            raise DownloadUnavailable(f"nothing whole within {self._timeout:g} s") from None
        except httpx.HTTPError as error:
            raise DownloadUnavailable(f"{type(error).__name__} while downloading") from error
        except (httpx.InvalidURL, UnicodeError):
            raise DownloadNotAllowed("the URL cannot be read") from None

    async def _follow_redirects(self, url: httpx.URL) -> bytes:
        origin = _origin(url)
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._request_once(url)
            if isinstance(answer, bytes):
                return answer
            if _origin(answer) != origin:
                raise DownloadNotAllowed(f"{url.host} redirects to {answer.host}")
            url = answer
        raise DownloadNotAllowed(f"{url.host} redirects in circles")

    async def _request_once(self, url: httpx.URL) -> bytes | httpx.URL:
        """Make one request: the content, or where it is to be found instead."""
        trusted = _origin(url) in self._trusted_origins
        _check_url(url, trusted=trusted)
        if not trusted and ssrf_guard.is_ip_address(_ascii_host(url)):
            self._check_address(_ascii_host(url), url)
        proxied = self._proxy_clients.get(url.scheme)
        if proxied is not None and not proxy_bypass(_ascii_host(url)):
            return await self._send_and_read(url, proxied, [_build_request(url)])
        requests = (
            [_build_request(url)]
            if trusted
            else [_build_request(url, each) for each in await self._resolve_allowed_addresses(url)]
        )
        async with self._direct_pools.client_for(_ascii_host(url)) as client:
            return await self._send_and_read(url, client, requests)

    async def _send_and_read(
        self, url: httpx.URL, client: httpx.AsyncClient, requests: list[httpx.Request]
    ) -> bytes | httpx.URL:
        """Ask one address after the other that may serve this URL; the first that takes the connection answers."""
        response = await _send_to_first_reachable(client, requests)
        try:
            if response.status_code in _REDIRECT_STATUSES and "location" in response.headers:
                return url.join(response.headers["location"])
            _check_status(response.status_code, url.host)
            return await self._read_body(response)
        finally:
            await response.aclose()

    async def _resolve_allowed_addresses(self, url: httpx.URL) -> list[str]:
        try:
            found = await self._resolve(_ascii_host(url), url.port or 443)
        except OSError as error:
            raise DownloadUnavailable(f"{url.host} cannot be resolved") from error
        if not found:
            raise DownloadUnavailable(f"{url.host} has no address")
        for address in found:
            self._check_address(address, url)
        return found

    def _check_address(self, address: str, url: httpx.URL) -> None:
        if not self._is_allowed_address(address):
            raise DownloadNotAllowed(f"{url.host} is not a public address")

    async def _read_body(self, response: httpx.Response) -> bytes:
        """Collect the body; what the server says about its length is only believed when it is bad news."""
        claimed = read_content_length(response)
        if claimed is not None and claimed > self._max_bytes:
            raise DownloadTooLarge(f"{claimed} bytes")
        content = await read_bounded(response.aiter_raw(), self._max_bytes)
        if len(content) > self._max_bytes:
            raise DownloadTooLarge(f"more than {self._max_bytes} bytes")
        return content


def _check_url(url: httpx.URL, *, trusted: bool) -> None:
    if url.userinfo:
        raise DownloadNotAllowed("the URL carries a name or a password")
    if trusted:
        return
    if url.scheme != "https":
        raise DownloadNotAllowed("the URL is not https")
    port_is_possible = url.port is None or 0 < url.port < 65536
    if not ssrf_guard.is_unambiguous_host(_ascii_host(url)) or not port_is_possible:
        raise DownloadNotAllowed("the URL does not plainly name a host and a port")


def _check_status(status: int, host: str) -> None:
    if status == httpx.codes.OK:
        return
    if 400 <= status < 500 and status not in _RETRYABLE_STATUSES:
        raise DownloadGone(f"{host} answers {status}")
    raise DownloadUnavailable(f"{host} answers {status}")


def _build_request(url: httpx.URL, address: str | None = None) -> httpx.Request:
    """Ask for a URL, at one given address if any.

    The name stays in the Host header and in the TLS handshake, so the
    certificate must still be the name's.
    """
    if address is None:
        return httpx.Request("GET", url, headers=_HEADERS, extensions={"timeout": _TIMEOUTS.as_dict()})
    return httpx.Request(
        "GET",
        url.copy_with(host=address),
        headers={"Host": url.netloc.decode("ascii"), **_HEADERS},
        extensions={"timeout": _TIMEOUTS.as_dict(), "sni_hostname": _ascii_host(url)},
    )


async def _send_to_first_reachable(client: httpx.AsyncClient, requests: list[httpx.Request]) -> httpx.Response:
    """Try one address after the other until one accepts the connection."""
    for request in requests[:-1]:
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await client.send(requests[-1], stream=True)


def _create_client(tls: ssl.SSLContext, proxy: str | None = None) -> httpx.AsyncClient:
    """Make a client that does nothing on its own: no redirects, no proxies but the given one."""
    return httpx.AsyncClient(proxy=proxy, trust_env=False, verify=tls, limits=POOL_LIMITS, cookies=NoCookies())


def _read_proxies() -> dict[str, str]:
    """Read the proxy for each scheme from the usual environment variables."""
    found = getproxies()
    chosen = {scheme: found.get(scheme) or found.get("all") for scheme in ("http", "https")}
    return {scheme: proxy if "://" in proxy else f"http://{proxy}" for scheme, proxy in chosen.items() if proxy}


def _ascii_host(url: httpx.URL) -> str:
    """The host as it goes over the wire: international names in their ASCII form."""
    return url.raw_host.decode("ascii")


def _origin(url: httpx.URL) -> UrlOrigin:
    return url.scheme, _ascii_host(url), url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


async def download_image(fetcher: Downloader, url: str) -> tuple[bytes, ImageInfo]:
    """Download a picture; return its bytes and what they are.

    Raises a FetchError, which is Unreachable where something came that is no whole picture; and a PictureError for a
    picture that is one, and of no use.
    """
    content = await fetcher.download(url)
    try:
        return content, await inspect_image_in_thread(content)
    except (NotAnImage, UnreadableImage) as error:
        if _is_complete_image(error):
            raise
        raise DownloadUnavailable(f"{len(content)} bytes came that are no whole picture: {error}") from None


def _is_complete_image(error: ImageError) -> bool:
    """Say whether it is a picture of another kind, or one that asks for too much; it would be the same next time.

    One in SVG is a page with a drawing, which no image model makes.
    """
    return isinstance(error, DecodingTooCostly) or (
        isinstance(error, UnsupportedImageFormat) and error.format is not OtherImageFormat.SVG
    )


#: Names for which connections are kept; Kie's pictures come from one or two.
MAX_POOLS = 4

#: Seconds for which a connection is kept, below what servers and what stands before them allow.
KEEPALIVE_SECONDS = 30.0

#: What a name's pool may keep.
POOL_LIMITS = httpx.Limits(max_keepalive_connections=2, keepalive_expiry=KEEPALIVE_SECONDS)


@dataclass
class _ConnectionPool:
    client: httpx.AsyncClient
    users: int = 0


class ConnectionPools:
    """A client for each of the latest names; `make` makes another one."""

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        #: by name, the latest last
        self._pools: dict[str, _ConnectionPool] = {}

    @asynccontextmanager
    async def client_for(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        """Lend the client of a name."""
        pool = self._pools.pop(name, None) or _ConnectionPool(self._make())
        self._pools[name] = pool
        pool.users += 1
        try:
            yield pool.client
        finally:
            pool.users -= 1
            await self._close_oldest()

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.client.aclose()

    async def _close_oldest(self) -> None:
        """Close the connections to all but the latest names, unless they are in use."""
        older = list(self._pools)[: max(0, len(self._pools) - MAX_POOLS)]
        for name in [name for name in older if not self._pools[name].users]:
            await self._pools.pop(name).client.aclose()
