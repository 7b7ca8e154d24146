"""Prepare: fetches a queued job's pictures, makes them fit, and makes them fetchable for Kie.

It runs as soon as it can, without waiting for the job's turn at Kie, so that an unusable picture
is told at once and an order has nothing left to do but to order. Everything
here is free and repeatable; one commit at the end makes it count.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bot.chat.client import Chat
from bot.chat.errors import NoFile, Rejected, TooBig
from bot.job import Instant, Job, Reason, Source, State
from bot.jobs import outcome, trouble
from bot.jobs.bell import Bell
from bot.jobs.pauses import MOST_TRIES
from bot.jobs.transport import Transport
from bot.pictures.aside import inspect_aside
from bot.pictures.convert import Converter, Fitted, How
from bot.pictures.errors import Animated, PictureError, Recognised, TooManyPixels, Unreadable, Unsupported
from bot.pictures.fetch import Fetcher, FetchError, Unreachable
from bot.pictures.inspect import Obstacle, why_not_as_it_is
from bot.store.connection import Database
from bot.store.transaction import Transaction
from bot.texts import Sentence, sentence

log = logging.getLogger(__name__)

#: Pictures in memory at once, over all jobs: 20 MB each at the most.
MOST_PICTURES = 4

#: Tries after which Telegram's copy of a picture has to do.
TRIES_FOR_THE_BEST = 3

#: Some apps leave an empty EXIF block in the photos that they compress; the sender's data is gone all the same.
LEFT_BY_APPS = (Obstacle.METADATA, Obstacle.ROTATED)


class Unusable(Exception):
    """This picture cannot be edited."""

    def __init__(self, told: Sentence) -> None:
        super().__init__(told.name)
        #: what the person is told
        self.told = told


@dataclass(frozen=True)
class _Carried:
    source: Source
    url: str | None


@dataclass(frozen=True)
class _Content:
    content: bytes
    #: whether Telegram has the very same
    is_telegrams: bool


class Prepare:
    """The step that makes a queued job ready for its turn."""

    def __init__(
        self,
        db: Database,
        chat: Chat,
        fetcher: Fetcher,
        converter: Converter,
        transport: Transport,
        bell: Bell,
        *,
        deadline: float,
        admins: frozenset[int],
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._chat = chat
        self._fetcher = fetcher
        self._room = asyncio.Semaphore(MOST_PICTURES)
        self._converter = converter
        self._transport = transport
        self._bell = bell
        self._deadline = deadline
        self._admins = admins
        self._clock = clock

    async def run(self, job: Job) -> None:
        """Prepare every picture that is not, then let the job wait for its turn.

        Raises what the rooms below raise when it is worth another try; what was carried by then stays carried.
        """
        now = self._clock()
        to_carry = [source for source in job.request.sources if not self._transport.is_fresh(source, now)]
        outcomes = await asyncio.gather(*(self._carried(job, source) for source in to_carry), return_exceptions=True)
        carried = [each for each in outcomes if isinstance(each, _Carried)]
        errors = [each for each in outcomes if isinstance(each, BaseException)]
        if errors:
            await self._failed(job, carried, next((e for e in errors if isinstance(e, Unusable)), errors[0]))
        else:
            # so that the order is written down in the same commit, if it is its turn
            await self._bell.commit(self._db, lambda tx: self._ready(tx, job, carried))

    async def _failed(self, job: Job, carried: list[_Carried], error: BaseException) -> None:
        if not isinstance(error, Unusable):
            if carried:
                await self._db.unit(lambda tx: self._note(tx, job, carried))
            raise error
        told = error.told
        await self._db.unit(lambda tx: outcome.fail(tx, job, Reason.PICTURE, told, self._clock()))

    async def _carried(self, job: Job, source: Source) -> _Carried:
        async with self._room:
            try:
                return _Carried(source, await self._carry(job, source))
            except Unusable as unusable:
                raise Unusable(_in_album(job, source, unusable.told)) from None

    async def _carry(self, job: Job, source: Source) -> str | None:
        found = await self._content(job, source)
        try:
            photo = await _photo(found.content) if source.is_photo and found.is_telegrams else None
            fitted = photo or await self._converter.fit(found.content)
        except PictureError as error:
            raise Unusable(_words(error)) from None
        return await self._transport.carry(source, fitted, telegram_has_it=found.is_telegrams)

    async def _content(self, job: Job, source: Source) -> _Content:
        """Fetch a picture from wherever it is best."""
        if source.full_url is not None:
            try:
                return _Content(await self._fetcher.fetch(source.full_url), is_telegrams=False)
            except FetchError as error:
                if isinstance(error, Unreachable) and job.tries < TRIES_FOR_THE_BEST:
                    raise
                log.info("job %d: Telegram's copy has to do: %s", job.id, error, extra={"job": job.id})
        return _Content(await self._download(job, source), is_telegrams=True)

    async def _download(self, job: Job, source: Source) -> bytes:
        try:
            return await self._chat.download(source.file_id)
        except TooBig:
            raise Unusable(sentence("file-too-large")) from None
        except (NoFile, Rejected) as error:
            if isinstance(error, NoFile) and job.tries < MOST_TRIES:
                raise
            raise Unusable(sentence("not-fetched")) from None

    def _ready(self, tx: Transaction, job: Job, carried: list[_Carried]) -> None:
        reminder = outcome.reminder_at(job, self._deadline, self._clock())
        if job.state != State.QUEUED or not tx.jobs.note(job, due_at=reminder, tries=0):
            return
        self._note(tx, job, carried)
        tx.line.mark(job.id, is_ready=True)
        if carried:
            trouble.uploads_go_on(tx, self._admins, self._clock())

    def _note(self, tx: Transaction, job: Job, carried: list[_Carried]) -> None:
        for each in carried:
            tx.jobs.uploaded(job.id, each.source.place, each.url, self._clock())


def _in_album(job: Job, source: Source, words: Sentence) -> Sentence:
    """Say which picture is meant, where there are several."""
    places = [each.place for each in job.request.sources]
    if len(places) == 1:
        return words
    return sentence("album-item", place=places.index(source.place) + 1, count=len(places), words=words)


async def _photo(content: bytes) -> Fitted | None:
    """Take a photo as the sender's app made it, unless there is more in its way than an app leaves."""
    try:
        picture = await inspect_aside(content)
    except PictureError:
        return None  # the converter says what is wrong with it, if anything is
    if why_not_as_it_is(picture) not in (None, *LEFT_BY_APPS):
        return None
    return Fitted(content, picture.kind, How.AS_IS)


def _words(error: PictureError) -> Sentence:
    match error:
        case Recognised(format=found) | Unsupported(format=found):
            return sentence("other-format", format=found)
        case Animated():
            return sentence("animated")
        case Unreadable():
            return sentence("broken-picture")
        case TooManyPixels():
            return sentence("too-many-pixels")
        case _:
            return sentence("not-a-picture")
