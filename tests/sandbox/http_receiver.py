"""An HTTP server that records requests, for callbacks and webhooks."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class HttpReceiver:
    """Records headers and JSON bodies; answers with the queued statuses, then with 200."""

    url: str = ""
    received: list[tuple[Mapping[str, str], Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        self.received.append((request.headers.copy(), await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def open_http_receiver() -> AsyncIterator[HttpReceiver]:
    receiver = HttpReceiver()
    app = web.Application()
    app.router.add_post("/", receiver.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield receiver
    await runner.cleanup()
