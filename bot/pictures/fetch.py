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
from collections.abc import Callable, Collection
from urllib.request import getproxies, proxy_bypass

import httpx

from bot.outgoing import Client, claimed_length, collected, let_go
from bot.pictures import addresses
from bot.pictures.addresses import Resolve
from bot.pictures.pools import KEPT, Pools

_MOST_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_WORTH_REPEATING = {408, 425, 429}
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
Origin = tuple[str, str, int]


class FetchError(Exception):
    """The picture did not arrive."""


class NotAllowed(FetchError):
    """We do not go there."""


class Gone(FetchError):
    """The server will not give us this file, now or later."""


class TooLarge(FetchError):
    """The file is larger than the limit."""


class Unreachable(FetchError):
    """It did not work this time."""


class Fetcher:
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
        resolve: Resolve = addresses.resolve,
        is_allowed_address: Callable[[str], bool] = addresses.is_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted = frozenset(_origin(httpx.URL(url)) for url in trusted_origins)
        self._timeout = timeout
        self._most = most
        self._resolve = resolve
        self._is_allowed_address = is_allowed_address
        tls = tls or httpx.create_ssl_context()
        self._direct = Pools(lambda: _client(tls))
        self._proxied = {scheme: _client(tls, proxy) for scheme, proxy in _proxies().items()}

    async def aclose(self) -> None:
        """Close all connections."""
        await self._direct.aclose()
        for client in self._proxied.values():
            await client.aclose()

    async def fetch(self, url: str) -> bytes:
        """Download one file; raises FetchError.

        A redirect is followed within the same origin, at most three times, and
        every hop is checked like the first.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._fetch(httpx.URL(url))
        except TimeoutError:
            raise Unreachable(f"nothing whole within {self._timeout:g} s") from None
        except httpx.HTTPError as error:
            raise Unreachable(f"{type(error).__name__} while downloading") from error
        except (httpx.InvalidURL, UnicodeError):
            raise NotAllowed("the URL cannot be read") from None

    async def _fetch(self, url: httpx.URL) -> bytes:
        origin = _origin(url)
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._visit(url)
            if isinstance(answer, bytes):
                return answer
            if _origin(answer) != origin:
                raise NotAllowed(f"{url.host} redirects to {answer.host}")
            url = answer
        raise NotAllowed(f"{url.host} redirects in circles")

    async def _visit(self, url: httpx.URL) -> bytes | httpx.URL:
        """Make one request: the content, or where it is to be found instead."""
        trusted = _origin(url) in self._trusted
        _check_url(url, trusted=trusted)
        if not trusted and addresses.is_address(_host(url)):
            self._check_address(_host(url), url)
        proxied = self._proxied.get(url.scheme)
        if proxied is not None and not proxy_bypass(_host(url)):
            return await self._answer(url, proxied, [_request(url)])
        requests = [_request(url)] if trusted else [_request(url, each) for each in await self._addresses(url)]
        async with self._direct.to(_host(url)) as client:
            return await self._answer(url, client, requests)

    async def _answer(
        self, url: httpx.URL, client: httpx.AsyncClient, requests: list[httpx.Request]
    ) -> bytes | httpx.URL:
        """Ask one address after the other that may serve this URL; the first that takes the connection answers."""
        response = await _first_answer(client, requests)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return url.join(response.headers["location"])
            _check_status(response.status_code, url.host)
            return await self._read(response)
        finally:
            await let_go(response)

    async def _addresses(self, url: httpx.URL) -> list[str]:
        try:
            found = await self._resolve(_host(url), url.port or 443)
        except OSError as error:
            raise Unreachable(f"{url.host} cannot be resolved") from error
        if not found:
            raise Unreachable(f"{url.host} has no address")
        for address in found:
            self._check_address(address, url)
        return found

    def _check_address(self, address: str, url: httpx.URL) -> None:
        if not self._is_allowed_address(address):
            raise NotAllowed(f"{url.host} is not a public address")

    async def _read(self, response: httpx.Response) -> bytes:
        """Collect the body; what the server says about its length is only believed when it is bad news."""
        claimed = claimed_length(response)
        if claimed is not None and claimed > self._most:
            raise TooLarge(f"{claimed} bytes")
        content = await collected(response.aiter_raw(), self._most)
        if len(content) > self._most:
            raise TooLarge(f"more than {self._most} bytes")
        return content


def _check_url(url: httpx.URL, *, trusted: bool) -> None:
    if url.userinfo:
        raise NotAllowed("the URL carries a name or a password")
    if trusted:
        return
    if url.scheme != "https":
        raise NotAllowed("the URL is not https")
    port_is_possible = url.port is None or 0 < url.port < 65536
    if not addresses.is_plain_host(_host(url)) or not port_is_possible:
        raise NotAllowed("the URL does not plainly name a host and a port")


def _check_status(status: int, host: str) -> None:
    if status == httpx.codes.OK:
        return
    if 400 <= status < 500 and status not in _WORTH_REPEATING:
        raise Gone(f"{host} answers {status}")
    raise Unreachable(f"{host} answers {status}")


def _request(url: httpx.URL, address: str | None = None) -> httpx.Request:
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
        extensions={"timeout": _TIMEOUTS.as_dict(), "sni_hostname": _host(url)},
    )


async def _first_answer(client: httpx.AsyncClient, requests: list[httpx.Request]) -> httpx.Response:
    """Try one address after the other until one accepts the connection."""
    for request in requests[:-1]:
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await client.send(requests[-1], stream=True)


def _client(tls: ssl.SSLContext, proxy: str | None = None) -> httpx.AsyncClient:
    """Make a client that does nothing on its own: no redirects, no proxies but the given one."""
    return Client(proxy=proxy, trust_env=False, verify=tls, limits=KEPT)


def _proxies() -> dict[str, str]:
    """Read the proxy for each scheme from the usual environment variables."""
    found = getproxies()
    chosen = {scheme: found.get(scheme) or found.get("all") for scheme in ("http", "https")}
    return {scheme: proxy if "://" in proxy else f"http://{proxy}" for scheme, proxy in chosen.items() if proxy}


def _host(url: httpx.URL) -> str:
    """The host as it goes over the wire: international names in their ASCII form."""
    return url.raw_host.decode("ascii")


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, _host(url), url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
