"""Runs the bot with a kill switch: SIGKILL exactly before or after one commit or one call.

`CRASH_AT` names the point, such as `before createTask 1`, `after commit 4`, or
`point 30` for the thirtieth of all; without it, the points are only logged. The
commits and the HTTP client are wrapped from outside, and some waits are shortened.
"""

import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from urllib.parse import urlsplit

import httpx

from bot.__main__ import main
from bot.pipeline import circuit_breakers, uncertain_orders
from bot.store import database, progress_messages

#: the prefix of log lines about points
POINT_PREFIX = "passed "

#: seconds for which the bot waits for a callback here; Kie retries several times within them
CALLBACK_WAIT_SECONDS = 8.0

SendRequest = Callable[[httpx.AsyncHTTPTransport, httpx.Request], Awaitable[httpx.Response]]


class KillSwitch:
    """Counts the points that are passed, and kills the process at one of them."""

    def __init__(self, crash_at: str | None) -> None:
        self._kill_at = crash_at
        self._times_reached: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next_number(self, name: str) -> int:
        """Count a point of this name and return its number."""
        with self._lock:
            self._times_reached[name] += 1
            return self._times_reached[name]

    def reach(self, point: str) -> None:
        """Kill the process if this is the point, and log it otherwise."""
        if self._kill_at in (point, f"point {self.next_number('point')}"):
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(sys.stderr.fileno(), f"{POINT_PREFIX}{point}\n".encode())  # unbuffered, in one write


def install_kill_switch(kill_switch: KillSwitch) -> None:
    """Wrap every commit that changes something, and every call."""
    real_commit = database.commit
    real_handle: SendRequest = httpx.AsyncHTTPTransport.handle_async_request
    changes = 0

    def commit(db: sqlite3.Connection) -> None:
        nonlocal changes
        if db.total_changes == changes:
            return real_commit(db)
        changes = db.total_changes
        number = kill_switch.next_number("commit")
        kill_switch.reach(f"before commit {number}")
        real_commit(db)
        return kill_switch.reach(f"after commit {number}")

    async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        name = call_name(request)
        number = kill_switch.next_number(name)
        kill_switch.reach(f"before {name} {number}")
        response = await real_handle(transport, request)
        kill_switch.reach(f"after {name} {number}")
        return response

    database.commit = commit
    httpx.AsyncHTTPTransport.handle_async_request = handle  # type: ignore[method-assign, assignment]  # wrapped on purpose


def call_name(request: httpx.Request) -> str:
    """Return the name of a call: its method, "file" or "result"."""
    path = urlsplit(str(request.url)).path
    if path.startswith("/file/bot"):
        return "file"
    return path.rsplit("/", 1)[-1] if "/bot" in path or "/api/" in path else "result"


def shorten_waits() -> None:
    """Shorten waits that are too long for a test."""
    uncertain_orders.CALLBACK_WAIT = CALLBACK_WAIT_SECONDS
    circuit_breakers.BREAKER_PAUSES["credits"] = (1.0, 4.0)
    progress_messages.MIN_EDIT_INTERVAL = 0.5


def parse_points(log: str) -> list[str]:
    """Return the points that were passed, in order."""
    return [line.removeprefix(POINT_PREFIX) for line in log.splitlines() if line.startswith(POINT_PREFIX)]


def drop_equivalent_points(passed: Sequence[str]) -> list[str]:
    """Omit points that are equivalent to the one before them."""
    return [
        point
        for previous, point in pairwise(["", *passed])
        if not (point.startswith("before ") and previous.startswith("after "))
    ]


if __name__ == "__main__":
    shorten_waits()
    install_kill_switch(KillSwitch(os.environ.get("CRASH_AT")))
    sys.exit(main(["run"]))
