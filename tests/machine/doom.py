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

from bot.store import connection
from tests.crash.launcher import call_name

#: The name of every point, beside its own.
ANYTHING = "anything"

COMMIT = "commit"

Commit = Callable[[sqlite3.Connection], None]
Handle = Callable[[httpx.AsyncHTTPTransport, httpx.Request], Awaitable[httpx.Response]]


class Died(Exception):
    """The bot is dead, and whatever it tried has not happened."""


@dataclass(frozen=True)
class Fate:
    """Where to die: before or after the commit, or the call, that is the `nth` of its name."""

    when: str
    name: str
    nth: int


class Doom:
    """Lets a bot die at the point that was chosen for it."""

    def __init__(self) -> None:
        self.is_dead = False
        self._fate: Fate | None = None
        self._passed = 0
        self._changes = 0

    def awaits(self, fate: Fate) -> None:
        """Let the bot die there, counted from this moment."""
        self._fate, self._passed = fate, 0

    def lift(self) -> None:
        """Forget it, for a bot that is to live."""
        self.is_dead, self._fate, self._changes = False, None, 0

    def passes(self, when: str, name: str) -> None:
        """Raise Died at the chosen point, and at every one after it."""
        if self._fate is not None and (self._fate.when, self._fate.name) in ((when, name), (when, ANYTHING)):
            self._passed += 1
            self.is_dead = self.is_dead or self._passed >= self._fate.nth
        if self.is_dead:
            raise Died(f"{when} {name}")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch over every commit and every call that a bot makes in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection, "commit", self._mortal_commit(connection.commit))
            handle = self._mortal_call(httpx.AsyncHTTPTransport.handle_async_request)
            patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
            yield

    def _mortal_commit(self, real: Commit) -> Commit:
        def commit(db: sqlite3.Connection) -> None:
            if self.is_dead:
                raise Died(COMMIT)
            if db.total_changes == self._changes:
                return real(db)
            self._changes = db.total_changes
            self.passes("before", COMMIT)
            real(db)
            return self.passes("after", COMMIT)

        return commit

    def _mortal_call(self, real: Handle) -> Handle:
        async def handle(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            name = call_name(request)
            self.passes("before", name)
            response = await real(transport, request)
            try:
                self.passes("after", name)
            except Died:
                await response.aclose()
                raise
            return response

        return handle
