"""Downloads Kie's results, from whatever host has them.

The URL is untrusted. It may lead only to public hosts (`ssrf_guard`) or to origins that the operator configured. No
credentials are sent; one deadline covers the whole download, and one limit its size.

DownloadError
├── DownloadNotAllowed   the URL, or where it leads, breaks these rules: do not retry
├── DownloadGone         the server does not have or give the file (403, 404, 410 ...)
├── DownloadTooLarge     more bytes than the limit
└── DownloadUnavailable  worth a retry: network, DNS, TLS, 408, 425, 429, 5xx, a truncated body

Error messages contain no more than the host, because the whole URL gives access to the image.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

import httpx

from bot.http_client import NoCookies, read_bounded, read_content_length
from bot.images import ssrf_guard
from bot.images.errors import DecodingTooCostly, ImageError, NotAnImage, UnreadableImage, UnsupportedImageFormat
from bot.images.format_detection import ImageInfo, OtherImageFormat
from bot.images.inspect import inspect_image_in_thread
from bot.images.limits import DOWNLOAD_TIMEOUT, MAX_DOWNLOAD_BYTES, MAX_REDIRECTS
from bot.images.ssrf_guard import Resolver

_REDIRECT_STATUSES = {301, 302, 303, 307, 308}
_RETRYABLE_STATUSES = {408, 425, 429}
#: Seconds without a byte from the server, and until the next address of the host is tried (connect).
_TIMEOUTS = httpx.Timeout(30, connect=10)

#: No compression, which would evade the size limit. A browser's User-Agent, because file hosts often refuse that of a
#: library; another client of Kie does the same (seen in its source, 2026).
_HEADERS = {
    "Accept": "image/*,*/*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": "Mozilla/5.0 (compatible; Darkroom)",
}

#: Hosts with kept connections; Kie's results come from one or two.
MAX_POOLS = 4
#: Idle connections to each host, for fewer seconds than servers and proxies keep them open.
_POOL_LIMITS = httpx.Limits(max_keepalive_connections=2, keepalive_expiry=30)

#: Scheme, host, port.
UrlOrigin = tuple[str, str, int]


class DownloadError(Exception):
    """The file was not downloaded."""


class DownloadNotAllowed(DownloadError):
    """The URL, or its target, is not allowed."""


class DownloadGone(DownloadError):
    """The server does not have the file, or refuses to give it."""


class DownloadTooLarge(DownloadError):
    """The file is larger than the limit."""


class DownloadUnavailable(DownloadError):
    """The download failed, and a retry may succeed."""


class Downloader:
    """Downloads files by the rules of this module.

    `trusted_origins` are URLs of which scheme, host and port count; from these origins, files are downloaded from any
    address, even over http. `timeout` is in seconds for one file.

    A proxy in the environment (HTTPS_PROXY and so on) resolves host names itself, often where the bot cannot. Then only
    IP addresses in the URL are checked here, and the proxy decides where else it may connect.
    """

    def __init__(
        self,
        *,
        trusted_origins: Collection[str],
        timeout: float = DOWNLOAD_TIMEOUT,
        max_bytes: int = MAX_DOWNLOAD_BYTES,
        resolve: Resolver = ssrf_guard.resolve_host,
        is_allowed_address: Callable[[str], bool] = ssrf_guard.is_public_address,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted_origins = frozenset(_origin(httpx.URL(url)) for url in trusted_origins)
        self._timeout = timeout
        self._max_bytes = max_bytes
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
        """Download one file. Raises DownloadError.

        Follows redirects within the same origin only, each with the same checks.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow_redirects(httpx.URL(url))
        except TimeoutError:
            raise DownloadUnavailable(f"not complete within {self._timeout:g} s") from None
        except httpx.HTTPError as error:
            raise DownloadUnavailable(f"{type(error).__name__} while downloading") from error
        except (httpx.InvalidURL, UnicodeError):
            raise DownloadNotAllowed("the URL cannot be read") from None

    async def _follow_redirects(self, url: httpx.URL) -> bytes:
        origin = _origin(url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._request_once(url)
            if isinstance(answer, bytes):
                return answer
            if _origin(answer) != origin:
                raise DownloadNotAllowed(f"{url.host} redirects to {answer.host}")
            url = answer
        raise DownloadNotAllowed(f"{url.host} redirects in circles")

    async def _request_once(self, url: httpx.URL) -> bytes | httpx.URL:
        host, is_trusted = _ascii_host(url), _origin(url) in self._trusted_origins
        _check_url(url, is_trusted=is_trusted)
        if not is_trusted and ssrf_guard.is_ip_address(host):
            self._check_address(host, url)
        proxy_client = self._proxy_clients.get(url.scheme)
        if proxy_client is not None and not proxy_bypass(host):
            return await self._send_and_read(url, proxy_client, [_build_request(url)])
        addresses = [None] if is_trusted else await self._resolve_allowed_addresses(url)
        async with self._direct_pools.client_for(host) as client:
            return await self._send_and_read(url, client, [_build_request(url, each) for each in addresses])

    async def _send_and_read(
        self, url: httpx.URL, client: httpx.AsyncClient, requests: list[httpx.Request]
    ) -> bytes | httpx.URL:
        """Return the content or the target of a redirect, from the first address that accepts a connection."""
        response = await _send_to_first_reachable(client, requests)
        try:
            if response.status_code in _REDIRECT_STATUSES and "location" in response.headers:
                return url.join(response.headers["location"])
            _check_status(response.status_code, url.host)
            return await self._read_body(response)
        finally:
            await response.aclose()

    async def _resolve_allowed_addresses(self, url: httpx.URL) -> Sequence[str]:
        try:
            addresses = await self._resolve(_ascii_host(url), url.port or 443)
        except OSError as error:
            raise DownloadUnavailable(f"{url.host} cannot be resolved") from error
        if not addresses:
            raise DownloadUnavailable(f"{url.host} has no address")
        for address in addresses:
            self._check_address(address, url)
        return addresses

    def _check_address(self, address: str, url: httpx.URL) -> None:
        if not self._is_allowed_address(address):
            raise DownloadNotAllowed(f"{url.host} is not a public address")

    async def _read_body(self, response: httpx.Response) -> bytes:
        """Read the body, counting its bytes; Content-Length only serves to refuse early."""
        declared = read_content_length(response)
        if declared is not None and declared > self._max_bytes:
            raise DownloadTooLarge(f"{declared} bytes")
        content = await read_bounded(response.aiter_raw(), self._max_bytes)
        if len(content) > self._max_bytes:
            raise DownloadTooLarge(f"more than {self._max_bytes} bytes")
        return content


def _check_url(url: httpx.URL, *, is_trusted: bool) -> None:
    if url.userinfo:
        raise DownloadNotAllowed("the URL contains a user name or a password")
    if is_trusted:
        return
    if url.scheme != "https":
        raise DownloadNotAllowed("the URL is not https")
    is_valid_port = url.port is None or 0 < url.port < 65536
    if not ssrf_guard.is_unambiguous_host(_ascii_host(url)) or not is_valid_port:
        raise DownloadNotAllowed("the host or the port of the URL is ambiguous")


def _check_status(status: int, host: str) -> None:
    if status == httpx.codes.OK:
        return
    if 400 <= status < 500 and status not in _RETRYABLE_STATUSES:
        raise DownloadGone(f"{host} answers {status}")
    raise DownloadUnavailable(f"{host} answers {status}")


def _build_request(url: httpx.URL, address: str | None = None) -> httpx.Request:
    """Build a request, to one IP address of the host if given: it is pinned against DNS rebinding.

    The host name stays in the Host header and in TLS (SNI), so the certificate must match it.
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
    for request in requests[:-1]:
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await client.send(requests[-1], stream=True)


def _create_client(tls: ssl.SSLContext, proxy: str | None = None) -> httpx.AsyncClient:
    """Create a client without redirects and without any proxy but the given one."""
    return httpx.AsyncClient(proxy=proxy, trust_env=False, verify=tls, limits=_POOL_LIMITS, cookies=NoCookies())


def _read_proxies() -> dict[str, str]:
    found = getproxies()
    chosen = {scheme: found.get(scheme) or found.get("all") for scheme in ("http", "https")}
    return {scheme: proxy if "://" in proxy else f"http://{proxy}" for scheme, proxy in chosen.items() if proxy}


def _ascii_host(url: httpx.URL) -> str:
    """Return the host as it is sent: internationalised names in ASCII (IDNA)."""
    return url.raw_host.decode("ascii")


def _origin(url: httpx.URL) -> UrlOrigin:
    return url.scheme, _ascii_host(url), url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


async def download_image(downloader: Downloader, url: str) -> tuple[bytes, ImageInfo]:
    """Download an image and inspect it.

    Raises DownloadError (DownloadUnavailable for anything but a complete image), and ImageError for a complete image
    that cannot be used.
    """
    content = await downloader.download(url)
    try:
        return content, await inspect_image_in_thread(content)
    except ImageError as error:
        if _is_incomplete(error):
            raise DownloadUnavailable(f"the {len(content)} bytes are no complete image: {error}") from None
        raise


def _is_incomplete(error: ImageError) -> bool:
    """Tell whether a retry may help. An SVG counts: no image model makes one, so it is part of a web page."""
    if isinstance(error, UnsupportedImageFormat):
        return error.format is OtherImageFormat.SVG
    return isinstance(error, NotAnImage | UnreadableImage) and not isinstance(error, DecodingTooCostly)


@dataclass
class _ConnectionPool:
    client: httpx.AsyncClient
    users: int = 0


class ConnectionPools:
    """A client for each of the last hosts used, so that no two hosts share a connection."""

    def __init__(self, create_client: Callable[[], httpx.AsyncClient]) -> None:
        self._create_client = create_client
        #: by host, the most recently used last
        self._pools: dict[str, _ConnectionPool] = {}

    @asynccontextmanager
    async def client_for(self, host: str) -> AsyncIterator[httpx.AsyncClient]:
        """Return the client for a host; it stays open inside the context."""
        pool = self._pools.pop(host, None) or _ConnectionPool(self._create_client())
        self._pools[host] = pool
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
        """Close the idle pools of all but the last MAX_POOLS hosts."""
        older = list(self._pools)[:-MAX_POOLS]
        for host in [host for host in older if not self._pools[host].users]:
            await self._pools.pop(host).client.aclose()
