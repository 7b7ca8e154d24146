"""Local servers to download from."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

ResponseFactory = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ImageHost:
    """A running server, its answers by path, and the requests that it received."""

    answers: dict[str, ResponseFactory]
    origin: str = ""
    port: int = 0
    requests: list[web.Request] = field(default_factory=list)
    #: the client addresses of the requests
    peers: list[object] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.peers.append(request.transport and request.transport.get_extra_info("peername"))
        return await self.answers[request.path](request)


@asynccontextmanager
async def host_images(
    answers: dict[str, ResponseFactory],
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ImageHost]:
    """Serve these answers until the block ends."""
    host = ImageHost(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", host.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port, ssl_context=tls).start()
        host.port = runner.addresses[0][1]
        host.origin = f"{'https' if tls else 'http'}://{address}:{host.port}"
        yield host
    finally:
        await runner.cleanup()


@asynccontextmanager
async def host_raw_bytes(reply: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer every request with these bytes and close; yields the origin and the first lines received."""
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", lines
    finally:
        server.close()
        await server.wait_closed()


def respond_with(body: bytes = b"", status: int = 200, **headers: str) -> ResponseFactory:
    """Return an answer; underscores in header names stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=named)

    return answer
