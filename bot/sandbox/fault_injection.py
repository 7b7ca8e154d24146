"""Fault injection for the local servers, per call.

The main distinction is when a connection breaks: before the call was executed, or
after it, when the caller cannot know.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum

from aiohttp import web


class FaultKind(StrEnum):
    #: answers with `status`, `headers` and `body`, without executing the call
    RESPOND = "answer"
    #: as RESPOND, but only when `release` is set, which mostly is never
    HANG = "hang"
    #: waits `seconds`, then executes and answers
    DELAY = "slow"
    #: executes, then answers when `release` is set: with `body` if it has one, else with the true response
    HOLD_RESPONSE = "held"
    #: closes the connection without executing the call
    DISCONNECT_BEFORE = "cut_before"
    #: executes, then closes the connection without a response
    DISCONNECT_AFTER = "cut_after"


@dataclass(frozen=True)
class Fault:
    """One fault; its kind decides which of the fields matter."""

    kind: FaultKind
    seconds: float = 0.0
    status: int = 500
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    release: asyncio.Event = field(default_factory=asyncio.Event)


HTML_502 = Fault(
    FaultKind.RESPOND,
    status=502,
    body=b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    headers={"Content-Type": "text/html"},
)


class FaultInjector:
    """The faults of coming calls, by call name: queued ones first, in order, then the lasting one."""

    def __init__(self) -> None:
        self._queued: dict[str, deque[Fault]] = defaultdict(deque)
        self._lasting: dict[str, Fault] = {}

    def add(self, call: str, fault: Fault, times: int = 1) -> None:
        """Inject `fault` into the next `times` calls of this name."""
        self._queued[call].extend([fault] * times)

    def always(self, call: str, fault: Fault) -> None:
        """Inject `fault` into every call of this name until `clear`."""
        self._lasting[call] = fault

    def clear(self, call: str | None = None) -> None:
        """Remove the faults of one call name, or all."""
        for book in (self._queued, self._lasting):
            if call is None:
                book.clear()
            else:
                book.pop(call, None)

    def take(self, call: str) -> Fault | None:
        """Return the fault of this call, if any, and remove it from the queue."""
        if self._queued[call]:
            return self._queued[call].popleft()
        return self._lasting.get(call)


async def execute_with_fault(
    fault: Fault | None, request: web.Request, execute: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Execute a call with its fault, if any."""
    if fault is None:
        return await execute()
    match fault.kind:
        case FaultKind.RESPOND:
            return _fault_response(fault)
        case FaultKind.HANG:
            await fault.release.wait()
            return _fault_response(fault)
        case FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
            return await execute()
        case FaultKind.HOLD_RESPONSE:
            answer = await execute()
            await fault.release.wait()
            return _fault_response(fault) if fault.body else answer
        case FaultKind.DISCONNECT_AFTER:
            await execute()
        case FaultKind.DISCONNECT_BEFORE:
            pass
    return _cut_connection(request)


def _fault_response(fault: Fault) -> web.Response:
    return web.Response(status=fault.status, body=fault.body, headers=dict(fault.headers))


def _cut_connection(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def date_header_setter(clock: Callable[[], float]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return an `on_response_prepare` handler that sets the Date header from a clock."""

    async def date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(clock(), usegmt=True)

    return date
