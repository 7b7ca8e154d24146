"""A server on loopback that answers, stalls or hangs up as a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class ReceivedRequest:
    line: str
    headers: dict[str, str]
    body: bytes


#: What the server does with a request that has arrived completely.
ResponseBehaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ScriptedServer:
    """A server whose behaviour can be changed between calls, and what it has received."""

    url: str = ""
    behaviour: ResponseBehaviour | None = None
    requests: list[ReceivedRequest] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def respond_with(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.behaviour = respond(body, status, **headers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.requests.append(await _read_request(reader))
                self.arrived.set()
                assert self.behaviour is not None
                await self.behaviour(writer)
                if writer.is_closing():
                    break
        writer.close()


async def _read_request(reader: asyncio.StreamReader) -> ReceivedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in fields)}
    return ReceivedRequest(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def respond(body: bytes, status: int = 200, **headers: str) -> ResponseBehaviour:
    async def answer(writer: asyncio.StreamWriter) -> None:
        fields = {"Content-Length": str(len(body))} | {k.replace("_", "-"): v for k, v in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body)
        await writer.drain()

    return answer


async def hang(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def close_connection(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset_connection(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def stop_halfway(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"code":200,"data":{"taskId":"ab')
    await writer.drain()
    writer.close()


async def send_garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(b"I am not a web server\r\n\r\n")
    await writer.drain()
    writer.close()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then for ever: each read is short, the response never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.005)


def stream_endlessly(chunk: bytes, **headers: str) -> ResponseBehaviour:
    """Send `chunk` again and again as long as it is read."""

    async def pour(writer: asyncio.StreamWriter) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode())
        while True:
            writer.write(chunk)
            await writer.drain()

    return pour


@contextlib.asynccontextmanager
async def open_scripted_server() -> AsyncIterator[ScriptedServer]:
    """Open a server on a free loopback port; its connections end with it."""
    server = ScriptedServer()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(lambda _: writer.close())

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
