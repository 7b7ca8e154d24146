"""Simulates a crash within this process: from a chosen point on, no commit and no call has any effect.

What the bot's code still does while the exception propagates stays in memory.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from bot.store import database
from tests.crash.killable_bot import call_name

#: matches every point
ANY_POINT = "anything"

COMMIT = "commit"

CommitFunction = Callable[[sqlite3.Connection], None]
SendRequest = Callable[[httpx.AsyncHTTPTransport, httpx.Request], Awaitable[httpx.Response]]


class BotCrashed(Exception):
    """The bot has crashed, and its commit or call did not happen."""


@dataclass(frozen=True)
class CrashPoint:
    """Where to crash: "before" or "after" the `nth` commit or call of this name."""

    when: str
    name: str
    nth: int


class SimulatedCrash:
    """Crashes a bot at the scheduled point."""

    def __init__(self) -> None:
        self.has_crashed = False
        self._crash_point: CrashPoint | None = None
        self._times_reached = 0
        self._changes = 0

    def schedule(self, crash_point: CrashPoint) -> None:
        """Crash at this point, counted from now."""
        self._crash_point, self._times_reached = crash_point, 0

    def cancel(self) -> None:
        """Cancel the schedule, for a restarted bot."""
        self.has_crashed, self._crash_point, self._changes = False, None, 0

    def reach(self, when: str, name: str) -> None:
        """Raise BotCrashed at the scheduled point, and at every one after it."""
        scheduled = self._crash_point
        if scheduled is not None and scheduled.when == when and scheduled.name in (name, ANY_POINT):
            self._times_reached += 1
            self.has_crashed = self.has_crashed or self._times_reached >= scheduled.nth
        if self.has_crashed:
            raise BotCrashed(f"{when} {name}")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Wrap every commit and every HTTP call in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "commit", self._wrap_commit(database.commit))
            handle = self._wrap_call(httpx.AsyncHTTPTransport.handle_async_request)
            patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
            yield

    def _wrap_commit(self, original: CommitFunction) -> CommitFunction:
        def commit(db: sqlite3.Connection) -> None:
            if self.has_crashed:
                raise BotCrashed(COMMIT)
            if db.total_changes == self._changes:
                return original(db)
            self._changes = db.total_changes
            self.reach("before", COMMIT)
            original(db)
            return self.reach("after", COMMIT)

        return commit

    def _wrap_call(self, original: SendRequest) -> SendRequest:
        async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            name = call_name(request)
            self.reach("before", name)
            response = await original(transport, request)
            try:
                self.reach("after", name)
            except BotCrashed:
                await response.aclose()
                raise
            return response

        return handle
