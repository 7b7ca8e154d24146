"""Kie's API client: four calls, each with one timeout for everything; each returns a value or raises a `KieError`.

`create_task` is the only call that costs money. It is sent once and never retried here, and its errors say whether the
order may have arrived. The API key is sent only to the two configured URLs: redirects are not followed, and errors
quote nothing of the HTTP library.
"""

import asyncio
import json
import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpx

from bot.http_client import NoCookies, read_bounded, use_body_once
from bot.kie.errors import KieError, KieUnavailable, OrderUncertain, sanitize_text
from bot.kie.models import KNOWN_MODELS, EditInput, TaskRecord
from bot.kie.responses import (
    KieResponse,
    read_create_response,
    read_credit_response,
    read_task_response,
    read_upload_response,
)

log = logging.getLogger(__name__)

#: Recorded responses are smaller than 20 kB.
MAX_RESPONSE_BYTES = 1_000_000

#: Seconds. If Kie closes an idle connection just as the paid call is sent on it, the outcome is uncertain.
_ORDER_KEEPALIVE = 5.0
_READ_KEEPALIVE = 60.0

# OSError: the timeout for the whole call (TimeoutError), and TLS errors, which httpx does not always wrap
_NETWORK_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError, OSError)

#: Called with the name of each finished call and its outcome, "ok" or the kind of error; both are metric labels.
OnKieCall = Callable[[str, str], None]

CREATE_TASK, GET_TASK, UPLOAD_IMAGE, GET_CREDITS = "create", "look", "upload", "credits"


def ignore_call(_call: str, _outcome: str) -> None:
    """Report nothing."""


class KieClient:
    """A client for one account; `timeout` and `transfer_timeout` (uploads) are seconds for a whole call.

    All text from Kie goes through `redact`: it may quote a wrong key, or the URLs of images that Kie cannot fetch.
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
        on_call: OnKieCall = ignore_call,
    ) -> None:
        """Raise `ValueError` for an unknown model, or a key that is no valid HTTP header."""
        if model not in KNOWN_MODELS:
            raise ValueError(f"the input names of model {model!r} are not known")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("an API key has only visible ASCII characters")
        self._jobs_url = f"{api_url.rstrip('/')}/api/v1/jobs"
        self._credit_url = f"{api_url.rstrip('/')}/api/v1/chat/credit"
        self._upload_url = f"{upload_url.rstrip('/')}/api/file-stream-upload"
        self._redact = redact
        self._model = model
        self._timeout = timeout
        self._transfer_timeout = transfer_timeout
        self._on_call = on_call
        tls = tls or httpx.create_ssl_context()
        self._order_http = _create_http_client(key, tls, _ORDER_KEEPALIVE)
        self._read_http = _create_http_client(key, tls, _READ_KEEPALIVE)

    async def aclose(self) -> None:
        """Close all connections; no call may follow."""
        await self._order_http.aclose()
        await self._read_http.aclose()

    async def create_task(self, edit: EditInput, callback_url: str | None = None) -> str:
        """Order one edit, which costs credits; return Kie's task id.

        Raises OrderUncertain if it may have been ordered, and KieUnavailable, RequestRefused or AccountBlocked if it
        certainly was not. Kie has no idempotency key: a second call is a second charge.
        """
        callback = {} if callback_url is None else {"callBackUrl": callback_url}
        order = _OrderBody({"model": self._model, **callback, "input": edit.to_wire()})
        headers = {"Content-Type": "application/json", "Content-Length": str(len(order.content))}
        request = self._order_http.build_request(
            "POST", f"{self._jobs_url}/createTask", content=order, headers=headers, timeout=_timeouts(self._timeout)
        )
        with self._report_call(CREATE_TASK):
            try:
                response = await self._exchange(self._order_http, request, self._timeout)
            except _NETWORK_ERRORS as error:
                failure = _no_response_error(error, may_have_arrived=order.send_started)
            else:
                return read_create_response(response)
            raise failure  # outside of `except`, so that it is not chained to the library's error

    async def get_task(self, task_id: str) -> TaskRecord:
        """Read a task's record (free). Raises KieUnavailable, RequestRefused, AccountBlocked or UnexpectedResponse."""
        request = self._read_http.build_request(
            "GET", f"{self._jobs_url}/recordInfo", params={"taskId": task_id}, timeout=_timeouts(self._timeout)
        )
        with self._report_call(GET_TASK):
            return read_task_response(await self._send_repeatable(request, self._timeout), task_id)

    async def upload_image(self, content: bytes, *, name: str, mime: str) -> str:
        """Upload an image (free) and return its public URL; raises like `get_task`.

        Kie overwrites a file of the same `name`, and anyone who knows the URL can read it: use unguessable names. Rely
        on no more than 24 hours of storage.
        """
        request = self._read_http.build_request(
            "POST",
            self._upload_url,
            files={"file": (name, content, mime)},
            data={"uploadPath": "darkroom", "fileName": name},
            timeout=_timeouts(self._transfer_timeout),
        )
        with self._report_call(UPLOAD_IMAGE):
            return read_upload_response(await self._send_repeatable(request, self._transfer_timeout))

    async def get_credits(self) -> float:
        """Return the account's balance in credits (free); raises like `get_task`."""
        request = self._read_http.build_request("GET", self._credit_url, timeout=_timeouts(self._timeout))
        with self._report_call(GET_CREDITS):
            return read_credit_response(await self._send_repeatable(request, self._timeout))

    @contextmanager
    def _report_call(self, call: str) -> Iterator[None]:
        try:
            yield
        except KieError as error:
            self._on_call(call, error.kind)
            raise
        self._on_call(call, "ok")

    async def _send_repeatable(self, request: httpx.Request, total_timeout: float) -> KieResponse:
        try:
            return await self._exchange(self._read_http, request, total_timeout)
        except _NETWORK_ERRORS as error:
            failure = _no_response_error(error, may_have_arrived=False)
        raise failure

    async def _exchange(self, http: httpx.AsyncClient, request: httpx.Request, total_timeout: float) -> KieResponse:
        async with asyncio.timeout(total_timeout):
            response = await http.send(request, stream=True)
            try:
                body = await _read_body(response)
            finally:
                await response.aclose()
        if log.isEnabledFor(logging.DEBUG):  # at no other level, because the response may repeat the prompt
            text = sanitize_text(self._redact(body.decode("utf-8", "replace")))
            log.debug("Kie answers HTTP %d: %s", response.status_code, text)
        return KieResponse(response.status_code, response.headers, body, self._redact)


class _OrderBody:
    """The body of the paid call; `send_started` tells whether any of it may have been sent.

    Until then Kie has the headers at most, so nothing was ordered, whatever failed: DNS, a proxy, or the timeout while
    connecting.
    """

    def __init__(self, order: dict[str, object]) -> None:
        self.content = json.dumps(order, ensure_ascii=False).encode()
        self.send_started = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.send_started = True
        yield self.content


def _create_http_client(key: str, tls: ssl.SSLContext, keepalive: float) -> httpx.AsyncClient:
    # Passing a transport would turn off the proxies of the environment. By default there are no retries.
    return httpx.AsyncClient(
        headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip"},
        verify=tls,
        limits=httpx.Limits(keepalive_expiry=keepalive),
        follow_redirects=False,
        http2=False,
        cookies=NoCookies(),
        event_hooks={"request": [use_body_once]},
    )


def _timeouts(total: float) -> httpx.Timeout:
    # The limit for connecting applies to TCP and to TLS. Both must end before the total does, because httpcore (1.0)
    # leaks the socket when it is cancelled during a TLS handshake.
    return httpx.Timeout(total, connect=total / 3)


def _no_response_error(error: Exception, *, may_have_arrived: bool) -> KieError:
    """Return the error for a call without a response, without the library's text, which could quote the key."""
    text = f"no answer ({type(error).__name__})"
    return OrderUncertain(text) if may_have_arrived else KieUnavailable(text)


async def _read_body(response: httpx.Response) -> bytes:
    """Read about MAX_RESPONSE_BYTES at most, both compressed and decompressed."""
    body = await read_bounded(response.aiter_raw(), MAX_RESPONSE_BYTES)
    if response.headers.get("Content-Encoding", "").strip().lower() != "gzip":
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, MAX_RESPONSE_BYTES)
    except zlib.error:
        return b""
