"""The sandbox's servers, with a note of when each request began and when its answer had left.

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

from bot.sandbox.kie import LocalKie
from bot.sandbox.kie_tasks import Task
from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.door import Door

#: Bytes of the picture that somebody sends, and of the one that Kie makes.
PHOTO_BYTES, RESULT_BYTES = 250_000, 1_500_000

#: Bytes of a piece of a PNG, as libpng writes them.
PIECE = 8192

#: Seconds that a task took, by Kie's own words, which ends at a certain look: earlier than anybody looks.
SHORTEST_TASK = 1.0

#: Calls of Kie whose names Telegram's calls have as well: this one is Kie's own, for the pictures of a task.
NAMES = {"file": "fetched by Kie"}

#: Bytes that travel together on a long way.
PACE = 65_536

Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@dataclass
class Seen:
    """One request, in seconds of the monotonic clock, which all processes of a machine share."""

    name: str
    #: its head had arrived
    began: float
    #: the last byte of the answer was handed to the system; 0 while it was not
    ended: float = 0.0
    #: in what order it may be fetched again: the path, for a look and a result
    about: str = ""


@dataclass
class Record:
    """Every request to one of the servers, in order of arrival."""

    seen: list[Seen] = field(default_factory=list)
    #: seconds that a result takes on its way, 0 for as long as the machine takes
    way: float = 0.0

    async def answer(self, name: str, request: web.Request, handle: Handler) -> web.StreamResponse:
        """Answer a request and note when."""
        seen = Seen(name, time.monotonic(), about=request.query.get("taskId", ""))
        self.seen.append(seen)
        response = await handle(request)
        with suppress(ConnectionError):  # whoever asked is gone
            if name == "result" and self.way and isinstance(response, web.Response):
                response = await self._over_a_long_way(request, response)
            else:
                await response.prepare(request)
            await response.write_eof()
            seen.ended = time.monotonic()
        return response

    async def _over_a_long_way(self, request: web.Request, whole: web.Response) -> web.StreamResponse:
        """Send a body piece by piece, each when the one before has left, so that the last byte is not early."""
        content = bytes(whole.body or b"")  # type: ignore[arg-type]  # a result is bytes
        response = web.StreamResponse(headers={"Content-Type": whole.content_type})
        response.content_length = len(content)
        await response.prepare(request)
        for start in range(0, len(content), PACE):
            await response.write(content[start : start + PACE])
            await asyncio.sleep(self.way * PACE / len(content))
        return response


class QuickKie(LocalKie):
    """A Kie whose tasks all end with the same picture, when their time is over or at a certain look."""

    def __init__(self, record: Record, *, key: str, duration: Callable[[], float]) -> None:
        super().__init__(key=key, duration=duration, credits=1e9, creates_per_10_seconds=1_000_000)
        self._record = record
        #: the look at which a task turns out to have ended long ago; 0: when its time is over
        self.ends_at_look = 0
        self._looks: Counter[str] = Counter()

    def _door(self, name: str, answering: object, *, keyed: bool = True) -> Handler:
        handle = super()._door(name, answering, keyed=keyed)  # type: ignore[arg-type]  # handed on as it is

        async def noted(request: web.Request) -> web.StreamResponse:
            if name == "recordInfo":
                self._is_looked_at(request.query.get("taskId", ""))
            return await self._record.answer(NAMES.get(name, name), request, handle)

        return noted

    def _is_looked_at(self, task_id: str) -> None:
        self._looks[task_id] += 1
        if self._looks[task_id] == self.ends_at_look:
            task = self.tasks[task_id]
            task.due_at = task.created_at + SHORTEST_TASK

    async def _prepare(self, task: Task) -> None:
        task.inputs = [await self._fetched(url) for url in task.order.image_urls]
        task.result = a_result()
        task.prepared_at = self._clock()
        self.wake()


class NotedDoor(Door):
    """A door that notes its calls."""

    record: Record

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        return await self.record.answer(request.match_info["method"], request, super()._on_call)

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        return await self.record.answer("file", request, super()._on_download)


def a_telegram(token: str, record: Record) -> LocalTelegram:
    """Return a Telegram whose calls are noted."""
    telegram = LocalTelegram(token=token)
    door = NotedDoor(telegram.cloud, token, telegram.faults, None)
    door.record = record
    telegram._door = door
    return telegram


@cache
def a_photo() -> bytes:
    """Return a JPEG of about PHOTO_BYTES, as an app sends it."""
    noise = Image.effect_noise((1280, 960), 40).convert("RGB")
    written = io.BytesIO()
    noise.save(written, "JPEG", quality=20)
    return written.getvalue()


@cache
def a_result() -> bytes:
    """Return a PNG of RESULT_BYTES: few pixels, and as many pieces as a large one has."""
    written = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(written, "PNG")
    head, end = written.getvalue()[:-12], written.getvalue()[-12:]
    chance = random.Random(1)  # noqa: S311 - bytes that cannot be compressed
    pieces = [_piece(chance.randbytes(PIECE)) for _ in range((RESULT_BYTES - len(written.getvalue())) // (PIECE + 12))]
    return b"".join([head, *pieces, end])


def _piece(content: bytes) -> bytes:
    kind = b"fiLl"  # ancillary, private, safe to copy
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


async def opened(telegram: LocalTelegram, kie: LocalKie) -> None:
    """Start both."""
    await asyncio.gather(telegram.start(), kie.start())
