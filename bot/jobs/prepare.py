"""Prepare: fetches a queued job's pictures, makes them fit, and makes them fetchable for Kie.

It runs as soon as it can, without waiting for the job's turn at Kie, so that an unusable picture
is told at once and an order has nothing left to do but to order. Everything
here is free and repeatable; one commit at the end makes it count.

A picture that has to be decoded may take long, and must slow nobody but its sender. Where the conversion
lane is free it is decoded at once; else its bytes are dropped, the job enters the conversion queue, and
`convert` fetches it again when it is its turn, one picture at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.chat.client import Chat
from bot.chat.errors import NoFile, Rejected, TooBig
from bot.job import Instant, Job, Reason, Source, State
from bot.jobs import outcome, trouble
from bot.jobs.bell import Bell
from bot.jobs.conversion_lane import ConversionLane
from bot.jobs.fair_semaphore import FairSemaphore
from bot.jobs.pauses import MOST_TRIES
from bot.jobs.transport import Transport
from bot.jobs.withdrawal import Withdrawn
from bot.pictures.aside import inspect_aside
from bot.pictures.convert import Converter, Fitted, How
from bot.pictures.errors import (
    Animated,
    PictureError,
    Recognised,
    TooManyPixels,
    TooMuchWork,
    TooNarrow,
    Unreadable,
    Unsupported,
)
from bot.pictures.fetch import Fetcher, FetchError, Unreachable
from bot.pictures.fetch_picture import fetch_picture
from bot.pictures.inspect import Obstacle, why_not_as_it_is
from bot.pictures.structure import MOST_RATIO
from bot.store.connection import Database
from bot.store.transaction import Transaction
from bot.texts import Sentence, sentence

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Pictures in memory at once, over all jobs and beside those in the conversion lane: 20 MB each at the most.
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
        self._room = FairSemaphore(MOST_PICTURES)
        #: who has a picture decoded
        self.lane = ConversionLane()
        self._converter = converter
        self._transport = transport
        self._bell = bell
        self._deadline = deadline
        self._admins = admins
        self._clock = clock

    async def run(self, job: Job) -> None:
        """Prepare every picture that is not, then let the job wait for its turn at Kie, or at being converted.

        Raises what the rooms below raise when it is worth another try; what was carried by then stays carried.
        """
        to_carry = self._to_carry(job)
        may_convert = len(to_carry) == 1  # of several, each waits for a turn of its own
        outcomes = await asyncio.gather(
            *(self._carried(job, source, may_convert=may_convert) for source in to_carry), return_exceptions=True
        )
        carried = [each for each in outcomes if isinstance(each, _Carried)]
        errors = [each for each in outcomes if isinstance(each, BaseException)]
        if errors:
            await self._failed(
                job, carried, next((e for e in errors if isinstance(e, Withdrawn | Unusable)), errors[0])
            )
        else:
            await self._done(job, carried, is_ready=len(carried) == len(to_carry))

    async def convert(self, job: Job) -> None:
        """Prepare one picture of a job in the conversion lane, whatever it takes, and leave the lane.

        Raises like `run`.
        """
        try:
            to_carry = self._to_carry(job)
            carried = [await self._converted(job, source) for source in to_carry[:1]]
            await self._done(job, carried, is_ready=len(carried) == len(to_carry))
        except (Unusable, Withdrawn) as error:
            await self._failed(job, [], error)
        finally:
            self.lane.leave(job)

    def _to_carry(self, job: Job) -> list[Source]:
        now = self._clock()
        return [source for source in job.request.sources if not self._transport.is_fresh(source, now)]

    async def _done(self, job: Job, carried: list[_Carried], *, is_ready: bool) -> None:
        # by the bell, so that the order is written down in the same commit, if it is its turn
        await self._bell.commit(self._db, lambda tx: (self._ready if is_ready else self._queue)(tx, job, carried))

    async def _failed(self, job: Job, carried: list[_Carried], error: BaseException) -> None:
        if isinstance(error, Withdrawn):
            return
        if not isinstance(error, Unusable):
            if carried:
                await self._db.unit(lambda tx: self._note(tx, job, carried))
            raise error
        told = error.told
        await self._db.unit(lambda tx: outcome.fail(tx, job, Reason.PICTURE, told, self._clock()))

    async def _carried(self, job: Job, source: Source, *, may_convert: bool) -> _Carried | None:
        """Carry a picture; None where it has to wait for being converted."""
        with _told_of(job, source):
            async with self._room.place_of(job.person):
                await self._confirm_wanted(job)  # it may have waited for that room
                found = await self._content(job, source)
                found, ready = await self._fitted(job, source, found, partial(self._without_decoding, source))
                if ready is not None:
                    return await self._carry(job, source, found, ready)
            if not (may_convert and await self._enters_lane(job)):
                return None
            try:
                found, fitted = await self._fitted(job, source, found, self._converted_from)
            finally:
                self.lane.leave(job)
                self._bell.ring()
            return await self._carry(job, source, found, fitted)

    async def _converted(self, job: Job, source: Source) -> _Carried:
        with _told_of(job, source):
            found = await self._content(job, source)
            return await self._carry(job, source, *await self._fitted(job, source, found, self._converted_from))

    async def _converted_from(self, found: _Content) -> Fitted:
        return await self._converter.fit(found.content)

    async def _without_decoding(self, source: Source, found: _Content) -> Fitted | None:
        photo = await _photo(found.content) if source.is_photo and found.is_telegrams else None
        return photo or await self._converter.fit_without_decoding(found.content)

    async def _enters_lane(self, job: Job) -> bool:
        """Let a job go on with the picture that it has in hand, if nobody waits for a turn before it."""
        if not self.lane.enter(job):
            return False
        if await self._db.unit(lambda tx: tx.conversions.is_empty()):
            return True
        self.lane.leave(job)
        return False

    async def _carry(self, job: Job, source: Source, found: _Content, fitted: Fitted) -> _Carried:
        await self._confirm_wanted(job)
        return _Carried(source, await self._transport.carry(source, fitted, telegram_has_it=found.is_telegrams))

    async def _confirm_wanted(self, job: Job) -> None:
        """Raise Withdrawn where the job was cancelled, or everything of its person deleted, in the meantime."""
        if not await self._db.unit(lambda tx: tx.jobs.stands(job)):
            raise Withdrawn

    async def _content(self, job: Job, source: Source) -> _Content:
        """Fetch a picture from wherever it is best. Raises Unreachable where Kie's copy may be had in a moment."""
        if source.full_url is not None:
            try:
                content, _ = await fetch_picture(self._fetcher, source.full_url)
                return _Content(content, is_telegrams=False)
            except (FetchError, PictureError) as error:
                if isinstance(error, Unreachable) and job.tries < TRIES_FOR_THE_BEST:
                    raise
                self._note_that_telegrams_has_to_do(job, error)
        return _Content(await self._download(job, source), is_telegrams=True)

    async def _fitted(
        self, job: Job, source: Source, found: _Content, fit: Callable[[_Content], Awaitable[T]]
    ) -> tuple[_Content, T]:
        """Make a picture fit; where Kie's copy cannot be, whatever the reason, Telegram's has to do."""
        try:
            return found, await fit(found)
        except PictureError as error:
            if found.is_telegrams:
                raise
            self._note_that_telegrams_has_to_do(job, error)
        found = _Content(await self._download(job, source), is_telegrams=True)
        return found, await fit(found)

    @staticmethod
    def _note_that_telegrams_has_to_do(job: Job, error: Exception) -> None:
        log.info("job %d: Telegram's copy has to do: %s", job.id, error, extra={"job": job.id})

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
        # where there was nothing to do, nothing speaks for it that what failed before will work
        if job.state != State.QUEUED or not tx.jobs.note(job, due_at=reminder, tries=0 if carried else job.tries):
            return
        self._note(tx, job, carried)
        tx.line.mark(job.id, is_ready=True)
        self._uploads_go_on(tx, carried)

    def _queue(self, tx: Transaction, job: Job, carried: list[_Carried]) -> None:
        """Let a job wait for the next turn at being converted."""
        if job.state == State.QUEUED and tx.jobs.note(job, due_at=None, tries=0):
            self._note(tx, job, carried)
            tx.conversions.enter(job)
            self._uploads_go_on(tx, carried)

    def _uploads_go_on(self, tx: Transaction, carried: list[_Carried]) -> None:
        if carried:
            trouble.uploads_go_on(tx, self._admins, self._clock())

    def _note(self, tx: Transaction, job: Job, carried: list[_Carried]) -> None:
        for each in carried:
            tx.jobs.uploaded(job.id, each.source.place, each.url, self._clock())


@contextmanager
def _told_of(job: Job, source: Source) -> Iterator[None]:
    """Turn what is wrong with a picture into words that say which one it is."""
    try:
        yield
    except PictureError as error:
        raise Unusable(_in_album(job, source, _words(error))) from None
    except Unusable as unusable:
        raise Unusable(_in_album(job, source, unusable.told)) from None


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
        case TooMuchWork():
            return sentence("too-much-work")
        case Unreadable():
            return sentence("broken-picture")
        case TooNarrow():
            return sentence("too-narrow", most=MOST_RATIO)
        case TooManyPixels():
            return sentence("too-many-pixels")
        case _:
            return sentence("not-a-picture")
