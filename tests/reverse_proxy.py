"""What stands in front of a bot's door: the public address, which outlives the bot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

#: What a proxy does not hand on as it is.
NOT_FORWARDED_HEADERS = {"host", "content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True)
class ForwardedRequest:
    """A call that was handed on, and how it was answered."""

    path: str
    status: int
    body: bytes


@dataclass
class ReverseProxy:
    """A reverse proxy, as most operators have one; answers 502 while there is no bot behind it."""

    session: aiohttp.ClientSession
    url: str = ""
    #: where the bot's door is
    upstream: str | None = None
    forwarded: list[ForwardedRequest] = field(default_factory=list)

    async def forward(self, request: web.Request) -> web.Response:
        """Hand a call on."""
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED_HEADERS}
        try:
            if self.upstream is None:
                raise aiohttp.ClientConnectionError
            url = self.upstream + request.path_qs
            async with self.session.request(request.method, url, data=body, headers=headers) as answer:
                passed = ForwardedRequest(request.path, answer.status, await answer.read())
        except aiohttp.ClientError:
            passed = ForwardedRequest(request.path, 502, b"")
        self.forwarded.append(passed)
        return web.Response(status=passed.status, body=passed.body)

    @property
    def statuses(self) -> list[int]:
        """How every call was answered."""
        return [each.status for each in self.forwarded]


@asynccontextmanager
async def open_reverse_proxy() -> AsyncIterator[ReverseProxy]:
    """Open a front on a free port of this machine."""
    app = web.Application()
    async with aiohttp.ClientSession() as session:
        front = ReverseProxy(session)
        app.router.add_route("*", "/{path:.*}", front.forward)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield front
        finally:
            await runner.cleanup()
