"""A reverse proxy in front of the bot, with a public URL that outlives the bot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

#: Headers that a proxy does not forward.
NOT_FORWARDED_HEADERS = {"host", "content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True)
class ForwardedRequest:
    """A forwarded request and its response."""

    path: str
    status: int
    body: bytes


@dataclass
class ReverseProxy:
    """A reverse proxy as operators use it; answers 502 without a bot behind it."""

    session: aiohttp.ClientSession
    url: str = ""
    #: the URL of the bot's HTTP server
    upstream: str | None = None
    forwarded: list[ForwardedRequest] = field(default_factory=list)

    async def forward(self, request: web.Request) -> web.Response:
        """Forward a request."""
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
        """The status of every response."""
        return [each.status for each in self.forwarded]


@asynccontextmanager
async def open_reverse_proxy() -> AsyncIterator[ReverseProxy]:
    """Open a proxy on a free local port."""
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
