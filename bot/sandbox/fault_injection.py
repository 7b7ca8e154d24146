"""Faults: what can go wrong on the other side, switched on call by call.

A local server asks `Faults` before it executes a call. The interesting
difference is *when* a connection breaks: before the call was executed, or
after, when the caller cannot know.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum

from aiohttp import web


class FaultKind(StrEnum):
    #: answers with the given status, headers and body; nothing is executed
    ANSWER = "answer"
    #: takes the request and does not answer before `gate` is set, which mostly is never; nothing is executed
    HANG = "hang"
    #: waits `seconds`, then executes and answers
    SLOW = "slow"
    #: executes, then answers when `gate` is set: what ANSWER would where there is a body, else the truth
    HOLD_ANSWER = "held"
    #: closes the connection; nothing is executed
    CUT_BEFORE = "cut_before"
    #: executes, then closes the connection without an answer
    CUT_AFTER = "cut_after"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: `seconds` for SLOW, `gate` for HANG and HELD, the rest for these two and ANSWER."""

    kind: FaultKind
    seconds: float = 0.0
    status: int = 500
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    release: asyncio.Event = field(default_factory=asyncio.Event)


HTML_502 = Fault(
    FaultKind.ANSWER,
    status=502,
    body=b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    headers={"Content-Type": "text/html"},
)


class FaultInjector:
    """The faults that wait for a call, first come first served per call name."""

    def __init__(self) -> None:
        self._queued: dict[str, deque[Fault]] = defaultdict(deque)
        self._lasting: dict[str, Fault] = {}

    def add(self, call: str, fault: Fault, times: int = 1) -> None:
        """Let the next `times` calls of this name run into `fault`."""
        self._queued[call].extend([fault] * times)

    def always(self, call: str, fault: Fault) -> None:
        """Let every call of this name run into `fault` until `clear`."""
        self._lasting[call] = fault

    def clear(self, call: str | None = None) -> None:
        """Forget the faults of one call, or all of them."""
        for book in (self._queued, self._lasting):
            if call is None:
                book.clear()
            else:
                book.pop(call, None)

    def take(self, call: str) -> Fault | None:
        """Use up and return the fault that this call runs into, if any."""
        if self._queued[call]:
            return self._queued[call].popleft()
        return self._lasting.get(call)


async def execute_with_fault(
    fault: Fault | None,
    request: web.Request,
    execute: Callable[[], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Execute a call, or let it run into its fault."""
    if fault is None:
        return await execute()
    match fault.kind:
        case FaultKind.ANSWER:
            return _fault_response(fault)
        case FaultKind.HANG:
            await fault.release.wait()
            return _fault_response(fault)
        case FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
            return await execute()
        case FaultKind.HOLD_ANSWER:
            answer = await execute()
            await fault.release.wait()
            return _fault_response(fault) if fault.body else answer
        case FaultKind.CUT_AFTER:
            await execute()
        case FaultKind.CUT_BEFORE:
            pass
    return _cut_connection(request)


def _fault_response(fault: Fault) -> web.Response:
    return web.Response(status=fault.status, body=fault.body, headers=dict(fault.headers))


def _cut_connection(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def date_header_setter(clock: Callable[[], float]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return what an application does before it answers, so that a clock that is turned shows in its answers."""

    async def date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(clock(), usegmt=True)

    return date
