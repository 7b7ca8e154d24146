"""What stands in front of a bot's door: the public address, which outlives the bot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

#: What a proxy does not hand on as it is.
OWN = {"host", "content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True)
class Passed:
    """A call that was handed on, and how it was answered."""

    path: str
    status: int
    body: bytes


@dataclass
class Front:
    """A reverse proxy, as most operators have one; answers 502 while there is no bot behind it."""

    session: aiohttp.ClientSession
    url: str = ""
    #: where the bot's door is
    door: str | None = None
    passed: list[Passed] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """Hand a call on."""
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN}
        try:
            if self.door is None:
                raise aiohttp.ClientConnectionError
            url = self.door + request.path_qs
            async with self.session.request(request.method, url, data=body, headers=headers) as answer:
                passed = Passed(request.path, answer.status, await answer.read())
        except aiohttp.ClientError:
            passed = Passed(request.path, 502, b"")
        self.passed.append(passed)
        return web.Response(status=passed.status, body=passed.body)

    @property
    def statuses(self) -> list[int]:
        """How every call was answered."""
        return [each.status for each in self.passed]


@asynccontextmanager
async def a_front() -> AsyncIterator[Front]:
    """Open a front on a free port of this machine."""
    app = web.Application()
    async with aiohttp.ClientSession() as session:
        front = Front(session)
        app.router.add_route("*", "/{path:.*}", front.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield front
        finally:
            await runner.cleanup()
