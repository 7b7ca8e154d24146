"""The way to Kie: four calls, each with one total time limit, each ending in a value or a `KieError`.

The rule it guarantees: `create_task`, the one call that costs money, is sent once and never repeated here, and
its failures say whether the order can have arrived. The key goes to the two configured addresses and nowhere
else: no redirect is followed, and errors quote nothing that the HTTP library says.
"""

import asyncio
import json
import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpx

from bot.kie.decipher import Answer, created, credit, looked, uploaded
from bot.kie.errors import KieError, Unavailable, Unclear, kind_of, one_line
from bot.kie.models import KNOWN_MODELS, EditInput, Look
from bot.outgoing import Client, collected, in_one_piece, let_go

log = logging.getLogger(__name__)

#: bytes of an answer that are read; recorded ones stay below 20 kB
ANSWER_LIMIT = 1_000_000

#: seconds. A connection that lay idle may be closed by Kie at the moment a paid call goes out on it, and then
#: nobody can know what happened.
_ORDER_KEEPALIVE = 5.0
_READ_KEEPALIVE = 60.0

# OSError stands for the total time limit (TimeoutError) and for TLS errors, which can come through unwrapped.
_BROKEN = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError, OSError)


#: Is told each call that came to an end, by its name, and how: GOOD or a kind of error.
Told = Callable[[str, str], None]

CALLS = CREATE, LOOK, UPLOAD, CREDITS = "create", "look", "upload", "credits"

#: The call ended in a value.
GOOD = "ok"


def nobody_listens(_call: str, _outcome: str) -> None:
    """Count nothing."""


class Kie:
    """A client for one account; `timeout` and `transfer_timeout` are total seconds for a call.

    Every text that Kie says goes through `redact` first: it may quote the key when it complains about it, and the
    addresses of pictures when it cannot fetch them.
    """

    def __init__(
        self,
        *,
        api_url: str,
        upload_url: str,
        key: str,
        model: str,
        redact: Callable[[str], str],
        timeout: float = 30.0,
        transfer_timeout: float = 120.0,
        tls: ssl.SSLContext | None = None,
        told: Told = nobody_listens,
    ) -> None:
        """Raise `ValueError` for an unknown model or a key that no HTTP header can carry."""
        if model not in KNOWN_MODELS:
            raise ValueError(f"the input names of model {model!r} are not known")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("an API key has only visible ASCII characters")
        self._jobs = f"{api_url.rstrip('/')}/api/v1/jobs"
        self._credit = f"{api_url.rstrip('/')}/api/v1/chat/credit"
        self._upload = f"{upload_url.rstrip('/')}/api/file-stream-upload"
        self._redact = redact
        self._model = model
        self._timeout = timeout
        self._transfer_timeout = transfer_timeout
        self._told = told
        certificates = tls or httpx.create_ssl_context()
        self._orders = _http_client(key, certificates, _ORDER_KEEPALIVE)
        self._reads = _http_client(key, certificates, _READ_KEEPALIVE)

    async def aclose(self) -> None:
        """Close the connections; a call after this is a programming error."""
        await self._orders.aclose()
        await self._reads.aclose()

    async def create_task(self, edit: EditInput, callback_url: str | None = None) -> str:
        """Order one edit, which costs credits, and return Kie's task id.

        Raises `Unavailable`, `Refused` and `Halted` when certainly nothing was ordered, and `Unclear` when
        something may have been. There is no idempotency key: a second call is a second charge.
        """
        with self._counted(CREATE):
            return await self._create_task(edit, callback_url)

    async def _create_task(self, edit: EditInput, callback_url: str | None) -> str:
        callback = {} if callback_url is None else {"callBackUrl": callback_url}
        order = _Order({"model": self._model, **callback, "input": edit.to_wire()})
        headers = {"Content-Type": "application/json", "Content-Length": str(len(order.content))}
        request = self._orders.build_request(
            "POST", f"{self._jobs}/createTask", content=order, headers=headers, timeout=_limits(self._timeout)
        )
        try:
            answer = await self._exchange(self._orders, request, self._timeout)
        except _BROKEN as error:
            lost = _lost(error, may_have_arrived=order.began_to_leave)
        else:
            return created(answer)
        raise lost

    async def look(self, task_id: str) -> Look:
        """Ask how far a task is (free); raises `Unavailable`, `Refused`, `Halted` or `Garbled`."""
        request = self._reads.build_request(
            "GET", f"{self._jobs}/recordInfo", params={"taskId": task_id}, timeout=_limits(self._timeout)
        )
        with self._counted(LOOK):
            return looked(await self._read(request, self._timeout), task_id)

    async def upload(self, content: bytes, *, name: str, mime: str) -> str:
        """Store a picture with Kie (free) and return its public URL; raises like `look`.

        Kie overwrites a file of the same `name`, and anyone who knows the URL can read it: names have to be
        unguessable. Count on 24 hours of storage.
        """
        request = self._reads.build_request(
            "POST",
            self._upload,
            files={"file": (name, content, mime)},
            data={"uploadPath": "darkroom", "fileName": name},
            timeout=_limits(self._transfer_timeout),
        )
        await in_one_piece(request)
        with self._counted(UPLOAD):
            return uploaded(await self._read(request, self._transfer_timeout))

    async def credits(self) -> float:
        """Return the balance in credits (free); raises like `look`."""
        request = self._reads.build_request("GET", self._credit, timeout=_limits(self._timeout))
        with self._counted(CREDITS):
            return credit(await self._read(request, self._timeout))

    @contextmanager
    def _counted(self, call: str) -> Iterator[None]:
        try:
            yield
        except KieError as error:
            self._told(call, kind_of(error))
            raise
        self._told(call, GOOD)

    async def _read(self, request: httpx.Request, total: float) -> Answer:
        try:
            return await self._exchange(self._reads, request, total)
        except _BROKEN as error:
            lost = _lost(error, may_have_arrived=False)
        raise lost

    async def _exchange(self, http: httpx.AsyncClient, request: httpx.Request, total: float) -> Answer:
        async with asyncio.timeout(total):
            response = await http.send(request, stream=True)
            try:
                body = await _bounded_body(response)
            finally:
                await let_go(response)
        if log.isEnabledFor(logging.DEBUG):  # at no other level, because Kie may repeat the words of an order
            said = one_line(self._redact(body.decode("utf-8", "replace")))
            log.debug("Kie answers HTTP %d: %s", response.status_code, said)
        return Answer(response.status_code, response.headers, body, self._redact)


class _Order:
    """The body of the paid call, which remembers whether any of it can have left.

    Kie cannot act on an order of which it has only seen the headers. This holds whatever broke: a name that
    did not resolve, a proxy that refused, or the total time limit while still connecting.
    """

    def __init__(self, order: dict[str, object]) -> None:
        self.content = json.dumps(order, ensure_ascii=False).encode()
        self.began_to_leave = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.began_to_leave = True
        yield self.content


def _http_client(key: str, certificates: ssl.SSLContext, keepalive: float) -> httpx.AsyncClient:
    # No transport is passed: that would switch off the proxies of the environment. Retries are off by default.
    return Client(
        headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip"},
        verify=certificates,
        limits=httpx.Limits(keepalive_expiry=keepalive),
        follow_redirects=False,
        http2=False,
    )


def _limits(total: float) -> httpx.Timeout:
    # Connecting takes one wait for TCP and one for TLS. Both end before the total limit does, because httpcore
    # (1.0) forgets to close a socket when it is cancelled in the middle of a TLS handshake.
    return httpx.Timeout(total, connect=total / 3)


def _lost(error: Exception, *, may_have_arrived: bool) -> KieError:
    """Name a call that got no answer, without the library's words: they can quote the key's header."""
    text = f"no answer ({type(error).__name__})"
    return Unclear(text) if may_have_arrived else Unavailable(text)


async def _bounded_body(response: httpx.Response) -> bytes:
    """Read at most about `ANSWER_LIMIT` bytes, before and after unpacking."""
    body = await collected(response.aiter_raw(), ANSWER_LIMIT)
    if response.headers.get("Content-Encoding", "").strip().lower() != "gzip":
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, ANSWER_LIMIT)
    except zlib.error:
        return b""
