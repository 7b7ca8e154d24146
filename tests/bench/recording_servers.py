"""The sandbox's servers, recording when each request began and when its response was sent.

Kie's pictures are made before, and Telegram keeps a sent photo as it is: drawing would take more time on
these two cores than everything that is measured.
"""

import asyncio
import io
import random
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aiohttp import web
from PIL import Image

from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.kie.tasks import LocalKieTask
from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.bot_api_server import BotApiServer

#: Bytes of the source image, and of the result.
PHOTO_BYTES, RESULT_BYTES = 250_000, 1_500_000

#: Bytes of a piece of a PNG, as libpng writes them.
PNG_CHUNK_BYTES = 8192

#: Seconds that Kie reports for a task that finishes at a certain poll; earlier than the first poll.
SHORTEST_TASK = 1.0

#: Calls of Kie whose names Telegram's calls have as well: this one is Kie's own, for the pictures of a task.
RENAMED_CALLS = {"file": "fetched by Kie"}

#: Bytes of one piece of a slow download.
TRANSFER_CHUNK_BYTES = 65_536

HttpHandler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@dataclass
class RecordedRequest:
    """One request, in seconds of the monotonic clock, which all processes share."""

    name: str
    #: its head had arrived
    began: float
    #: the last byte of the answer was handed to the system; 0 while it was not
    ended: float = 0.0
    #: in what order it may be fetched again: the path, for a look and a result
    about: str = ""


@dataclass
class RequestRecording:
    """Every request to one of the servers, in order of arrival."""

    requests: list[RecordedRequest] = field(default_factory=list)
    #: seconds that a result takes on its way, 0 for as long as the machine takes
    result_transfer_seconds: float = 0.0

    async def answer(self, name: str, request: web.Request, handle: HttpHandler) -> web.StreamResponse:
        """Answer a request and record the times."""
        recorded = RecordedRequest(name, time.monotonic(), about=request.query.get("taskId", ""))
        self.requests.append(recorded)
        response = await handle(request)
        with suppress(ConnectionError):  # the client is gone
            if name == "result" and self.result_transfer_seconds and isinstance(response, web.Response):
                response = await self._send_slowly(request, response)
            else:
                await response.prepare(request)
            await response.write_eof()
            recorded.ended = time.monotonic()
        return response

    async def _send_slowly(self, request: web.Request, whole: web.Response) -> web.StreamResponse:
        """Send a body in pieces at a limited rate."""
        content = bytes(whole.body or b"")  # type: ignore[arg-type]  # a result is bytes
        response = web.StreamResponse(headers={"Content-Type": whole.content_type})
        response.content_length = len(content)
        await response.prepare(request)
        for start in range(0, len(content), TRANSFER_CHUNK_BYTES):
            await response.write(content[start : start + TRANSFER_CHUNK_BYTES])
            await asyncio.sleep(self.result_transfer_seconds * TRANSFER_CHUNK_BYTES / len(content))
        return response


class ScriptedKie(LocalKie):
    """A Kie whose tasks all end with the same image, after their duration or at a certain poll."""

    def __init__(self, record: RequestRecording, *, key: str, duration: Callable[[], float]) -> None:
        super().__init__(key=key, duration=duration, credits=1e9, creates_per_10_seconds=1_000_000)
        self._record = record
        #: the poll at which a task finishes; 0: after its duration
        self.finish_at_poll = 0
        self._polls: Counter[str] = Counter()

    def _route_handler(self, name: str, answering: object, *, requires_key: bool = True) -> HttpHandler:
        handle = super()._route_handler(name, answering, requires_key=requires_key)  # type: ignore[arg-type]  # handed on as it is

        async def record_request(request: web.Request) -> web.StreamResponse:
            if name == "recordInfo":
                self._count_poll(request.query.get("taskId", ""))
            return await self._record.answer(RENAMED_CALLS.get(name, name), request, handle)

        return record_request

    def _count_poll(self, task_id: str) -> None:
        self._polls[task_id] += 1
        if self._polls[task_id] == self.finish_at_poll:
            task = self.tasks[task_id]
            task.due_at = task.created_at + SHORTEST_TASK

    async def _prepare(self, task: LocalKieTask) -> None:
        task.inputs = [await self._fetch_image(url) for url in task.request.image_urls]
        task.result = make_result()
        task.prepared_at = self._clock()
        self.notify_change()


class RecordingBotApi(BotApiServer):
    """A Bot API server that records its calls."""

    record: RequestRecording

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        return await self.record.answer(request.match_info["method"], request, super()._on_call)

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        return await self.record.answer("file", request, super()._on_download)


def make_telegram(token: str, record: RequestRecording) -> LocalTelegram:
    """Return a Telegram whose calls are recorded."""
    telegram = LocalTelegram(token=token)
    server = RecordingBotApi(telegram.state, token, telegram.faults, None)
    server.record = record
    telegram._server = server
    return telegram


@cache
def make_camera_photo() -> bytes:
    """Return a JPEG of about PHOTO_BYTES, as an app sends it."""
    noise = Image.effect_noise((1280, 960), 40).convert("RGB")
    written = io.BytesIO()
    noise.save(written, "JPEG", quality=20)
    return written.getvalue()


@cache
def make_result() -> bytes:
    """Return a PNG of RESULT_BYTES: few pixels, and as many pieces as a large one has."""
    written = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(written, "PNG")
    head, end = written.getvalue()[:-12], written.getvalue()[-12:]
    chance = random.Random(1)  # noqa: S311 - bytes that cannot be compressed
    pieces = [
        _png_chunk(chance.randbytes(PNG_CHUNK_BYTES))
        for _ in range((RESULT_BYTES - len(written.getvalue())) // (PNG_CHUNK_BYTES + 12))
    ]
    return b"".join([head, *pieces, end])


def _png_chunk(content: bytes) -> bytes:
    kind = b"fiLl"  # ancillary, private, safe to copy
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


async def start_servers(telegram: LocalTelegram, kie: LocalKie) -> None:
    """Start both."""
    await asyncio.gather(telegram.start(), kie.start())
