"""Runs the bot with a bomb in it: SIGKILL exactly before or after one commit or one call.

`CRASH_AT` names the point, like `before createTask 1`, `after commit 4`, or
`point 30` for the thirtieth of all;
without it nothing happens but that every point passed is told among the lines
of the log. The bot knows nothing of this: its commits and the HTTP library's
requests are wrapped from outside. Some waits are shortened, which no test could
sit out.
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

#: How a line begins that tells of a point.
POINT_PREFIX = "passed "

#: Seconds for which a callback is waited for here; in which Kie calls several times.
CALLBACK_WAIT_SECONDS = 8.0

SendRequest = Callable[[httpx.AsyncHTTPTransport, httpx.Request], Awaitable[httpx.Response]]


class KillSwitch:
    """Counts the points that are passed, and goes off at one of them."""

    def __init__(self, at: str | None) -> None:
        self._kill_at = at
        self._times_reached: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next_number(self, name: str) -> int:
        """Return the how-manieth of its name this is."""
        with self._lock:
            self._times_reached[name] += 1
            return self._times_reached[name]

    def reach(self, point: str) -> None:
        """Go off if this is the point, and tell of it otherwise."""
        if self._kill_at in (point, f"point {self.next_number('point')}"):
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(sys.stderr.fileno(), f"{POINT_PREFIX}{point}\n".encode())  # at once, and whole


def install_kill_switch(bomb: KillSwitch) -> None:
    """Put the bomb around every commit that changes something, and around every call."""
    real_commit = database.commit
    real_handle: SendRequest = httpx.AsyncHTTPTransport.handle_async_request
    changes = 0

    def commit(db: sqlite3.Connection) -> None:
        nonlocal changes
        if db.total_changes == changes:
            return real_commit(db)
        changes = db.total_changes
        number = bomb.next_number("commit")
        bomb.reach(f"before commit {number}")
        real_commit(db)
        return bomb.reach(f"after commit {number}")

    async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        name = call_name(request)
        number = bomb.next_number(name)
        bomb.reach(f"before {name} {number}")
        response = await real_handle(transport, request)
        bomb.reach(f"after {name} {number}")
        return response

    database.commit = commit
    httpx.AsyncHTTPTransport.handle_async_request = handle  # type: ignore[method-assign, assignment]  # wrapped on purpose


def call_name(request: httpx.Request) -> str:
    """Name a call by its address: a method, or what kind of file is fetched."""
    path = urlsplit(str(request.url)).path
    if path.startswith("/file/bot"):
        return "file"
    return path.rsplit("/", 1)[-1] if "/bot" in path or "/api/" in path else "result"


def shorten_waits() -> None:
    """Shorten the waits that nothing here depends on but the patience of the test."""
    uncertain_orders.CALLBACK_WAIT = CALLBACK_WAIT_SECONDS
    circuit_breakers.BREAKER_PAUSES["credits"] = (1.0, 4.0)
    progress_messages.MIN_EDIT_INTERVAL = 0.5


def parse_points(log: str) -> list[str]:
    """Return the points that were passed, in order."""
    return [line.removeprefix(POINT_PREFIX) for line in log.splitlines() if line.startswith(POINT_PREFIX)]


def drop_equivalent_points(passed: Sequence[str]) -> list[str]:
    """Leave out the points that differ in nothing from the one before them."""
    return [
        point
        for previous, point in pairwise(["", *passed])
        if not (point.startswith("before ") and previous.startswith("after "))
    ]


if __name__ == "__main__":
    shorten_waits()
    install_kill_switch(KillSwitch(os.environ.get("CRASH_AT")))
    sys.exit(main(["run"]))
