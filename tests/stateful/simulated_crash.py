"""Death within this process: from a chosen point on, nothing that the bot does has any effect.

No commit is made any more and no call leaves, as if the process had been
killed there. Whatever its steps still do on their way out stays among themselves.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from bot.store import database
from tests.crash.killable_bot import call_name

#: The name of every point, beside its own.
ANY_POINT = "anything"

COMMIT = "commit"

CommitFunction = Callable[[sqlite3.Connection], None]
SendRequest = Callable[[httpx.AsyncHTTPTransport, httpx.Request], Awaitable[httpx.Response]]


class BotCrashed(Exception):
    """The bot is dead, and whatever it tried has not happened."""


@dataclass(frozen=True)
class CrashPoint:
    """Where to die: before or after the commit, or the call, that is the `nth` of its name."""

    when: str
    name: str
    nth: int


class SimulatedCrash:
    """Lets a bot die at the point that was chosen for it."""

    def __init__(self) -> None:
        self.has_crashed = False
        self._crash_point: CrashPoint | None = None
        self._times_reached = 0
        self._changes = 0

    def schedule(self, fate: CrashPoint) -> None:
        """Let the bot die there, counted from this moment."""
        self._crash_point, self._times_reached = fate, 0

    def cancel(self) -> None:
        """Forget it, for a bot that is to live."""
        self.has_crashed, self._crash_point, self._changes = False, None, 0

    def reach(self, when: str, name: str) -> None:
        """Raise Died at the chosen point, and at every one after it."""
        if self._crash_point is not None and (self._crash_point.when, self._crash_point.name) in (
            (when, name),
            (when, ANY_POINT),
        ):
            self._times_reached += 1
            self.has_crashed = self.has_crashed or self._times_reached >= self._crash_point.nth
        if self.has_crashed:
            raise BotCrashed(f"{when} {name}")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch over every commit and every call that a bot makes in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "commit", self._wrap_commit(database.commit))
            handle = self._wrap_call(httpx.AsyncHTTPTransport.handle_async_request)
            patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
            yield

    def _wrap_commit(self, real: CommitFunction) -> CommitFunction:
        def commit(db: sqlite3.Connection) -> None:
            if self.has_crashed:
                raise BotCrashed(COMMIT)
            if db.total_changes == self._changes:
                return real(db)
            self._changes = db.total_changes
            self.reach("before", COMMIT)
            real(db)
            return self.reach("after", COMMIT)

        return commit

    def _wrap_call(self, real: SendRequest) -> SendRequest:
        async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            name = call_name(request)
            self.reach("before", name)
            response = await real(transport, request)
            try:
                self.reach("after", name)
            except BotCrashed:
                await response.aclose()
                raise
            return response

        return handle
