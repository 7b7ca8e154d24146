"""Runs the bot with a bomb in it: SIGKILL exactly before or after one commit or one call.

`CRASH_AT` names the point, like `before createTask 1` or `after commit 4`;
without it nothing happens but that every point passed is written to the file
`CRASH_LOG`. The bot knows nothing of this: its commits and the HTTP library's
requests are wrapped from outside.
"""

import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bot.__main__ import main
from bot.store import connection

Handle = Callable[[httpx.AsyncHTTPTransport, httpx.Request], Awaitable[httpx.Response]]


class Bomb:
    """Counts the points that are passed, and goes off at one of them."""

    def __init__(self, at: str | None, log: str | None) -> None:
        self._at = at
        self._log = log
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, name: str) -> int:
        """Return the how-manieth of its name this is."""
        with self._lock:
            self._passed[name] += 1
            return self._passed[name]

    def passes(self, point: str) -> None:
        """Go off if this is the point."""
        if point == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._log is not None:
            with Path(self._log).open("a", encoding="utf-8") as points:
                points.write(f"{point}\n")


def arm(bomb: Bomb) -> None:
    """Put the bomb around every commit that changes something, and around every call."""
    real_commit = connection.commit
    real_handle: Handle = httpx.AsyncHTTPTransport.handle_async_request
    changes = 0

    def commit(db: sqlite3.Connection) -> None:
        nonlocal changes
        if db.total_changes == changes:
            return real_commit(db)
        changes = db.total_changes
        number = bomb.count("commit")
        bomb.passes(f"before commit {number}")
        real_commit(db)
        return bomb.passes(f"after commit {number}")

    async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        name = call_name(request)
        number = bomb.count(name)
        bomb.passes(f"before {name} {number}")
        response = await real_handle(transport, request)
        bomb.passes(f"after {name} {number}")
        return response

    connection.commit = commit
    httpx.AsyncHTTPTransport.handle_async_request = handle  # type: ignore[method-assign, assignment]  # wrapped on purpose


def call_name(request: httpx.Request) -> str:
    """Name a call by its address: a method, or what kind of file is fetched."""
    path = urlsplit(str(request.url)).path
    if path.startswith("/file/bot"):
        return "file"
    return path.rsplit("/", 1)[-1] if "/bot" in path or "/api/" in path else "result"


if __name__ == "__main__":
    arm(Bomb(os.environ.get("CRASH_AT"), os.environ.get("CRASH_LOG")))
    sys.exit(main(["run"]))
