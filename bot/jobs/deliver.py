"""Deliver: fetches a finished picture from Kie and sends it to the person who asked for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from bot.chat.client import Chat, Place
from bot.chat.errors import ChatError, Rejected
from bot.job import Instant, Job
from bot.pictures.fetch import Fetcher
from bot.pictures.inspect import Picture, PictureError, fits_as_photo, inspect
from bot.store.connection import Database
from bot.store.outbox import Say
from bot.texts import en

log = logging.getLogger(__name__)

#: Telegram shows an action for five seconds.
SHOW_AGAIN_AFTER = 4.5


class Undeliverable(Exception):
    """There is something, but no picture that could be sent."""


class Deliver:
    """The step that gives a succeeded job's picture to the person."""

    def __init__(self, db: Database, chat: Chat, fetcher: Fetcher, *, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._chat = chat
        self._fetcher = fetcher
        self._clock = clock

    async def run(self, say: Say, place: Place) -> int:
        """Fetch and send the picture; return the id of the message.

        Raises FetchError or a ChatError when it may work later, Undeliverable when it never will.
        """
        job_id = say.job_id
        job = None if job_id is None else await self._db.unit(lambda tx: tx.jobs.get(job_id))
        if job is None or job.result_url is None:
            raise Undeliverable("its address was erased")
        async with self._shown_as_uploading(place):
            content = await self._fetcher.fetch(job.result_url)
            picture = await asyncio.to_thread(_inspected, content)
            await self._answering(job)
            return await self._send(place, content, picture, say.body)

    async def _answering(self, job: Job) -> None:
        if job.answering_at is not None:
            log.warning("job %d: the answer may come twice", job.id, extra={"job": job.id})
        now = self._clock()
        await self._db.unit(lambda tx: tx.jobs.note(job, answering_at=now))

    async def _send(self, place: Place, content: bytes, picture: Picture, caption: str) -> int:
        name = f"edited.{picture.kind.extension}"
        if fits_as_photo(picture):
            try:
                return await self._chat.send_photo(place, content, name, caption)
            except Rejected as error:
                log.info("Telegram does not take it as a photo, so it goes as a file: %s", error)
        return await self._chat.send_document(place, content, name, en.ANSWER_AS_FILE)

    @asynccontextmanager
    async def _shown_as_uploading(self, place: Place) -> AsyncIterator[None]:
        showing = asyncio.create_task(self._show(place))
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _show(self, place: Place) -> None:
        while True:
            try:
                await self._chat.show_uploading(place)
            except ChatError as error:
                log.debug("the uploading action was not shown: %s", error)
                return
            await asyncio.sleep(SHOW_AGAIN_AFTER)


def _inspected(content: bytes) -> Picture:
    try:
        return inspect(content)
    except PictureError as error:
        raise Undeliverable(f"Kie made no picture: {error}") from None
