"""Nobody keeps others out by holding many connections open, or by never finishing a request."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bot.inbound.http_server import MAX_CONNECTIONS, HttpServer, max_connections
from tests.inbound.raw_http import request_head, response_status, send_raw, url_port

CONNECTION_LIMIT = 20
HEALTHZ = request_head(b"GET /healthz HTTP/1.1")
INCOMPLETE_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow"


class ConnectionFlooder:
    """A server, and clients that open many connections to it."""

    def __init__(self, server: HttpServer, url: str) -> None:
        self.server = server
        self.url = url
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(
        self, sent: bytes, *, address: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and send something."""
        pair = await asyncio.open_connection("127.0.0.1", url_port(self.url), local_addr=(address, 0))
        self._writers.append(pair[1])
        pair[1].write(sent)
        return pair

    async def flood(self, count: int, *, address: str = "127.0.0.1") -> None:
        """Leave many requests half sent."""
        for _ in range(count):
            await self.connect(INCOMPLETE_REQUEST, address=address)
        assert response_status(await send_raw(self.url, HEALTHZ)) == 200  # by then all of them were accepted

    def close(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def _open_flooder(**options: Any) -> AsyncIterator[ConnectionFlooder]:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="alive")

    app = web.Application()
    app.router.add_get("/healthz", alive)
    server = HttpServer(app, connection_limit=CONNECTION_LIMIT, **options)
    flooder = ConnectionFlooder(server, await server.open("127.0.0.1", 0))
    try:
        yield flooder
    finally:
        flooder.close()
        await server.close()


@pytest.fixture
async def flooder() -> AsyncIterator[ConnectionFlooder]:
    """A server with a low limit, and its clients."""
    async with _open_flooder() as opened:
        yield opened


async def test_one_address_has_half_of_the_connections_at_most(flooder: ConnectionFlooder) -> None:
    await flooder.flood(5 * CONNECTION_LIMIT)
    assert len(flooder.server.connections) <= CONNECTION_LIMIT // 2
    assert response_status(await send_raw(flooder.url, HEALTHZ)) == 200


async def test_many_addresses_do_not_keep_others_out(flooder: ConnectionFlooder) -> None:
    for number in range(2, 2 + CONNECTION_LIMIT):
        await flooder.flood(3, address=f"127.0.0.{number}")
    assert len(flooder.server.connections) <= CONNECTION_LIMIT
    assert response_status(await send_raw(flooder.url, HEALTHZ)) == 200


async def test_who_hangs_is_cut_before_who_is_answered(flooder: ConnectionFlooder) -> None:
    reader, writer = await flooder.connect(HEALTHZ)
    for _ in range(5):
        await reader.readuntil(b"alive")
        await flooder.flood(CONNECTION_LIMIT // 2 - 2)
        writer.write(HEALTHZ)
    await reader.readuntil(b"alive")


@pytest.mark.parametrize("sent", [b"", b"GET", INCOMPLETE_REQUEST, HEALTHZ, HEALTHZ + INCOMPLETE_REQUEST])
async def test_a_request_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    async with _open_flooder(head_timeout=0.05) as flooder:
        reader, _ = await flooder.connect(sent)
        async with asyncio.timeout(5):
            await reader.read()
        assert len(flooder.server.connections) == 0  # else a closed one would count for ever


async def test_a_connection_that_ends_counts_no_more(flooder: ConnectionFlooder) -> None:
    for _ in range(3):
        _, writer = await flooder.connect(INCOMPLETE_REQUEST)
        writer.close()
        await writer.wait_closed()
    assert response_status(await send_raw(flooder.url, HEALTHZ)) == 200
    assert len(flooder.server.connections) <= 1


@pytest.mark.parametrize("files", [64, 256, 1024, 1 << 20])
def test_connections_never_take_most_of_the_files_that_may_be_open(files: int) -> None:
    assert 2 <= max_connections(files) <= min(files // 4, MAX_CONNECTIONS)


def test_where_files_have_no_bound_connections_have_one() -> None:
    assert max_connections(resource.RLIM_INFINITY) == MAX_CONNECTIONS
