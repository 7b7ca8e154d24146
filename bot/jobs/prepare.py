"""Prepare: fetches a queued job's pictures, makes them fit, and makes them fetchable for Kie.

It runs as soon as it can, without waiting for the job's turn at Kie, so that an unusable picture
is told at once and an order has nothing left to do but to order. Everything
here is free and repeatable; one commit at the end makes it count.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bot.chat.client import Chat
from bot.chat.errors import NoFile, Rejected, TooBig
from bot.job import Instant, Job, Reason, Source, State
from bot.jobs import outcome
from bot.jobs.pauses import MOST_TRIES
from bot.jobs.transport import Transport
from bot.pictures.convert import Converter, Fitted, How
from bot.pictures.errors import Animated, PictureError, Recognised, TooManyPixels, Unreadable
from bot.pictures.inspect import Obstacle, inspect, why_not_as_it_is
from bot.store.connection import Database
from bot.store.transaction import Transaction
from bot.texts import en

#: Some apps leave an empty EXIF block in the photos that they compress; the sender's data is gone all the same.
LEFT_BY_APPS = (Obstacle.METADATA, Obstacle.ROTATED)


class Unusable(Exception):
    """This picture cannot be edited; the text is for the person."""


@dataclass(frozen=True)
class _Carried:
    place: int
    url: str | None


class Prepare:
    """The step that makes a queued job ready for its turn."""

    def __init__(
        self,
        db: Database,
        chat: Chat,
        converter: Converter,
        transport: Transport,
        *,
        deadline: float,
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._chat = chat
        self._converter = converter
        self._transport = transport
        self._deadline = deadline
        self._clock = clock

    async def run(self, job: Job) -> None:
        """Prepare every picture that is not, then let the job wait for its turn.

        Raises what the rooms below raise when it is worth another try.
        """
        try:
            carried = [
                _Carried(place, await self._carry(job, source))
                for place, source in enumerate(job.request.sources)
                if not self._transport.is_fresh(source, self._clock())
            ]
        except Unusable as unusable:
            words = str(unusable)
            await self._db.unit(lambda tx: outcome.fail(tx, job, Reason.PICTURE, words, self._clock()))
        else:
            await self._db.unit(lambda tx: self._ready(tx, job, carried))

    async def _carry(self, job: Job, source: Source) -> str | None:
        try:
            content = await self._chat.download(source.file_id)
        except TooBig:
            raise Unusable(en.FILE_TOO_LARGE) from None
        except (NoFile, Rejected) as error:
            if isinstance(error, NoFile) and job.tries < MOST_TRIES:
                raise
            raise Unusable(en.NOT_FETCHED) from None
        try:
            photo = await asyncio.to_thread(_photo, content) if source.is_photo else None
            fitted = photo or await self._converter.fit(content)
        except PictureError as error:
            raise Unusable(_words(error)) from None
        return await self._transport.carry(source, fitted)

    def _ready(self, tx: Transaction, job: Job, carried: list[_Carried]) -> None:
        reminder = outcome.reminder_at(job, self._deadline, self._clock())
        if job.state != State.QUEUED or not tx.jobs.note(job, due_at=reminder, tries=0):
            return
        for each in carried:
            tx.jobs.uploaded(job.id, each.place, each.url, self._clock())
        tx.line.mark(job.id, is_ready=True)


def _photo(content: bytes) -> Fitted | None:
    """Take a photo as the sender's app made it, unless there is more in its way than an app leaves."""
    picture = inspect(content)
    if why_not_as_it_is(picture) not in (None, *LEFT_BY_APPS):
        return None
    return Fitted(content, picture.kind, How.AS_IS)


def _words(error: PictureError) -> str:
    match error:
        case Recognised(format=found):
            return en.OTHER_FORMAT.format(format=found)
        case Animated():
            return en.ANIMATED
        case Unreadable():
            return en.BROKEN_PICTURE
        case TooManyPixels():
            return en.TOO_MANY_PIXELS
        case _:
            return en.NOT_A_PICTURE
