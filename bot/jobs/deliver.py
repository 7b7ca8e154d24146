"""Deliver: fetches a finished picture from Kie and sends it to the person who asked for it.

An answer that may have arrived already is given again by turning the status
message into it, where there is one: doing that twice leaves one picture.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from bot.chat.buttons import Action, Button
from bot.chat.client import Chat, Photo, Place
from bot.chat.errors import ChatError, Doubtful, NoAnswer, Rejected
from bot.job import Instant, Job
from bot.pictures.fetch import Fetcher
from bot.pictures.inspect import Picture, PictureError, fits_as_photo, inspect
from bot.store.connection import Database
from bot.store.outbox import Kind, Parcel
from bot.texts import sentence

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

    async def run(self, parcel: Parcel, place: Place) -> int:
        """Fetch and send the picture; return the id of the message.

        Raises FetchError or a ChatError when it may work later, Undeliverable when it never will.
        """
        job_id = parcel.say.job_id
        job = None if job_id is None else await self._db.unit(lambda tx: tx.jobs.get(job_id))
        if job is None or job.result_url is None:
            raise Undeliverable("its address was erased")
        async with self._shown_as_uploading(place):
            content = await self._fetcher.fetch(job.result_url)
            picture = await asyncio.to_thread(_inspected, content)
            if parcel.say.kind is Kind.FILE:
                return await self._chat.send_document(place, content, _name(picture), parcel.say.body)
            status = await self._answering(job)
            return await self._answer(job, place, content, picture, status)

    async def _answering(self, job: Job) -> Parcel | None:
        """Write down that the answer is on its way; return the message that it can be put into, if it is in doubt."""
        now = self._clock()
        if job.answering_at is None:
            await self._db.unit(lambda tx: tx.jobs.note(job, answering_at=now))
            return None
        log.warning("job %d: the answer may come twice", job.id, extra={"job": job.id})
        return await self._db.unit(lambda tx: tx.statuses.of(job.id))

    async def _answer(self, job: Job, place: Place, content: bytes, picture: Picture, status: Parcel | None) -> int:
        if fits_as_photo(picture):
            button = Button(sentence("button-original").into(job.request.language), Action.ORIGINAL, job.id)
            photo = Photo(content, _name(picture), sentence("answer").into(job.request.language), (button,))
            try:
                return await self._turned(photo, status) or await self._chat.send_photo(place, photo)
            except Rejected as error:
                log.info("Telegram does not take it as a photo, so it goes as a file: %s", error)
        caption = sentence("answer-as-file").into(job.request.language)
        return await self._chat.send_document(place, content, _name(picture), caption)

    async def _turned(self, photo: Photo, status: Parcel | None) -> int | None:
        """Turn the status message into the picture; None where there is none to turn.

        Without an answer it may have become the picture: that is tried again, and
        does not count as a send that may have arrived once more.
        """
        if status is None or status.message_id is None:
            return None
        try:
            await self._chat.turn_into_photo(status.say.chat_id, status.message_id, photo)
        except NoAnswer:
            raise Doubtful("the status message may have become the answer") from None
        except Rejected as error:
            log.info("the status message cannot become the answer: %s", error)
            return None
        return status.message_id

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


def _name(picture: Picture) -> str:
    return f"edited.{picture.kind.extension}"


def _inspected(content: bytes) -> Picture:
    try:
        return inspect(content)
    except PictureError as error:
        raise Undeliverable(f"Kie made no picture: {error}") from None
