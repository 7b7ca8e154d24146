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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from bot.clock import Instant
from bot.i18n import Sentence, sentence
from bot.images.convert import ImageChange, ImageConverter, SendableImage
from bot.images.download import Downloader, DownloadError, DownloadUnavailable, download_image
from bot.images.errors import (
    AnimatedImage,
    DecodingTooCostly,
    ExtremeAspectRatio,
    ImageError,
    TooManyPixels,
    UnreadableImage,
    UnsupportedEncoding,
    UnsupportedImageFormat,
)
from bot.images.inspect import SendObstacle, inspect_image_in_thread, obstacle_to_sending
from bot.images.limits import MAX_ASPECT_RATIO
from bot.job import FailureReason, Job, SourceImage, State
from bot.pipeline import circuit_breakers, finish_job
from bot.pipeline.error_containment import MAX_TRIES
from bot.pipeline.finish_job import Withdrawn
from bot.pipeline.image_upload import ImageUploader
from bot.store.database import Database
from bot.store.transaction import Transaction
from bot.telegram.client import TelegramClient
from bot.telegram.errors import FileTooLarge, FileUnavailable, Rejected

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Pictures in memory at once, over all jobs and beside those in the conversion lane: 20 MB each at the most.
MAX_IMAGES_IN_MEMORY = 4

#: Images decoded at once: while the image of one user is decoded, that of the next is downloaded or uploaded.
MAX_CONVERSIONS = 2

#: Tries after which Telegram's copy of a picture has to do.
TRIES_FOR_FULL_SIZE = 3

#: Some apps leave an empty EXIF block in the photos that they compress; the sender's data is gone all the same.
TOLERATED_OBSTACLES = (SendObstacle.METADATA, SendObstacle.ROTATED)


class ImageUnusable(Exception):
    """This picture cannot be edited."""

    def __init__(self, told: Sentence) -> None:
        super().__init__(told.name)
        #: what the person is told
        self.explanation = told


@dataclass(frozen=True)
class _UploadedImage:
    source: SourceImage
    url: str | None


@dataclass(frozen=True)
class _FetchedImage:
    content: bytes
    #: whether Telegram has the very same
    is_from_telegram: bool


class ImagePreparer:
    """The step that makes a queued job ready for its turn."""

    def __init__(
        self,
        db: Database,
        chat: TelegramClient,
        fetcher: Downloader,
        converter: ImageConverter,
        transport: ImageUploader,
        wakeup: asyncio.Event,
        *,
        deadline: float,
        admins: frozenset[int],
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._chat = chat
        self._fetcher = fetcher
        self._image_slots = FairSemaphore(MAX_IMAGES_IN_MEMORY)
        #: who has a picture decoded
        self.lane = ConversionLane()
        self._converter = converter
        self._uploader = transport
        self._wakeup = wakeup
        self._deadline = deadline
        self._admins = admins
        self._clock = clock

    async def run(self, job: Job) -> None:
        """Prepare every picture that is not, then let the job wait for its turn at Kie, or at being converted.

        Raises what the rooms below raise when it is worth another try; what was carried by then stays carried.
        """
        to_carry = self._sources_to_upload(job)
        may_convert = len(to_carry) == 1  # of several, each waits for a turn of its own
        outcomes = await asyncio.gather(
            *(self._prepare_image(job, source, may_convert=may_convert) for source in to_carry), return_exceptions=True
        )
        carried = [each for each in outcomes if isinstance(each, _UploadedImage)]
        errors = [each for each in outcomes if isinstance(each, BaseException)]
        if errors:
            await self._handle_failure(
                job, carried, next((e for e in errors if isinstance(e, Withdrawn | ImageUnusable)), errors[0])
            )
        else:
            await self._finish(job, carried, is_ready=len(carried) == len(to_carry))

    async def convert(self, job: Job) -> None:
        """Prepare one picture of a job in the conversion lane, whatever it takes, and leave the lane.

        Raises like `run`.
        """
        try:
            to_carry = self._sources_to_upload(job)
            carried = [await self._convert_image(job, source) for source in to_carry[:1]]
            await self._finish(job, carried, is_ready=len(carried) == len(to_carry))
        except (ImageUnusable, Withdrawn) as error:
            await self._handle_failure(job, [], error)
        finally:
            self.lane.leave(job)

    def _sources_to_upload(self, job: Job) -> list[SourceImage]:
        now = self._clock()
        return [source for source in job.request.sources if not self._uploader.is_fresh(source, now)]

    async def _finish(self, job: Job, carried: list[_UploadedImage], *, is_ready: bool) -> None:
        self._wakeup.set()  # before the commit, so that the worker begins the order in the same one, if it is its turn
        await self._db.transact(
            lambda tx: (self._mark_ready if is_ready else self._queue_for_conversion)(tx, job, carried)
        )

    async def _handle_failure(self, job: Job, carried: list[_UploadedImage], error: BaseException) -> None:
        if isinstance(error, Withdrawn):
            return
        if not isinstance(error, ImageUnusable):
            if carried:
                await self._db.transact(lambda tx: self._record_uploads(tx, job, carried))
            raise error
        told = error.explanation
        await self._db.transact(
            lambda tx: finish_job.fail_job(tx, job, FailureReason.UNUSABLE_IMAGE, told, self._clock())
        )

    async def _prepare_image(self, job: Job, source: SourceImage, *, may_convert: bool) -> _UploadedImage | None:
        """Carry a picture; None where it has to wait for being converted."""
        with _explaining_errors(job, source):
            async with self._image_slots.slot_for(job.charged_to):
                await self._confirm_job_wanted(job)  # it may have waited for that room
                found = await self._fetch(job, source)
                found, ready = await self._fit(job, source, found, partial(self._fit_without_decoding, source))
                if ready is not None:
                    return await self._upload(job, source, found, ready)
            if not (may_convert and await self._try_enter_lane(job)):
                return None
            try:
                found, fitted = await self._fit(job, source, found, self._convert_content)
            finally:
                self.lane.leave(job)
                self._wakeup.set()
            return await self._upload(job, source, found, fitted)

    async def _convert_image(self, job: Job, source: SourceImage) -> _UploadedImage:
        with _explaining_errors(job, source):
            found = await self._fetch(job, source)
            return await self._upload(job, source, *await self._fit(job, source, found, self._convert_content))

    async def _convert_content(self, found: _FetchedImage) -> SendableImage:
        return await self._converter.convert(found.content)

    async def _fit_without_decoding(self, source: SourceImage, found: _FetchedImage) -> SendableImage | None:
        photo = await _accept_photo(found.content) if source.is_photo and found.is_from_telegram else None
        return photo or await self._converter.convert_without_decoding(found.content)

    async def _try_enter_lane(self, job: Job) -> bool:
        """Let a job go on with the picture that it has in hand, if nobody waits for a turn before it."""
        if not self.lane.enter(job):
            return False
        if await self._db.transact(lambda tx: tx.conversion_queue.is_empty()):
            return True
        self.lane.leave(job)
        return False

    async def _upload(
        self, job: Job, source: SourceImage, found: _FetchedImage, fitted: SendableImage
    ) -> _UploadedImage:
        await self._confirm_job_wanted(job)
        return _UploadedImage(
            source, await self._uploader.upload(source, fitted, telegram_has_it=found.is_from_telegram)
        )

    async def _confirm_job_wanted(self, job: Job) -> None:
        """Raise Withdrawn where the job was cancelled, or everything of its person deleted, in the meantime."""
        if not await self._db.transact(lambda tx: tx.jobs.is_still_in_state(job)):
            raise Withdrawn

    async def _fetch(self, job: Job, source: SourceImage) -> _FetchedImage:
        """Fetch a picture from wherever it is best. Raises Unreachable where Kie's copy may be had in a moment."""
        if source.full_url is not None:
            try:
                content, _ = await download_image(self._fetcher, source.full_url)
                return _FetchedImage(content, is_from_telegram=False)
            except (DownloadError, ImageError) as error:
                if isinstance(error, DownloadUnavailable) and job.tries < TRIES_FOR_FULL_SIZE:
                    raise
                self._log_fallback_to_telegram(job, error)
        return _FetchedImage(await self._download(job, source), is_from_telegram=True)

    async def _fit(
        self, job: Job, source: SourceImage, found: _FetchedImage, fit: Callable[[_FetchedImage], Awaitable[T]]
    ) -> tuple[_FetchedImage, T]:
        """Make a picture fit; where Kie's copy cannot be, whatever the reason, Telegram's has to do."""
        try:
            return found, await fit(found)
        except ImageError as error:
            if found.is_from_telegram:
                raise
            self._log_fallback_to_telegram(job, error)
        found = _FetchedImage(await self._download(job, source), is_from_telegram=True)
        return found, await fit(found)

    @staticmethod
    def _log_fallback_to_telegram(job: Job, error: Exception) -> None:
        log.info("job %d: Telegram's copy has to do: %s", job.id, error, extra={"job": job.id})

    async def _download(self, job: Job, source: SourceImage) -> bytes:
        try:
            return await self._chat.download_file(source.file_id)
        except FileTooLarge:
            raise ImageUnusable(sentence("file-too-large")) from None
        except (FileUnavailable, Rejected) as error:
            if isinstance(error, FileUnavailable) and job.tries < MAX_TRIES:
                raise
            raise ImageUnusable(sentence("not-fetched")) from None

    def _mark_ready(self, tx: Transaction, job: Job, carried: list[_UploadedImage]) -> None:
        reminder = finish_job.waiting_reminder_at(job, self._deadline, self._clock())
        # where there was nothing to do, nothing speaks for it that what failed before will work
        if job.state != State.QUEUED or not tx.jobs.update(job, due_at=reminder, tries=0 if carried else job.tries):
            return
        self._record_uploads(tx, job, carried)
        tx.fair_queue.set_ready(job.id, is_ready=True)
        self._close_upload_breaker(tx, carried)

    def _queue_for_conversion(self, tx: Transaction, job: Job, carried: list[_UploadedImage]) -> None:
        """Let a job wait for the next turn at being converted."""
        if job.state == State.QUEUED and tx.jobs.update(job, due_at=None, tries=0):
            self._record_uploads(tx, job, carried)
            tx.conversion_queue.enqueue(job)
            self._close_upload_breaker(tx, carried)

    def _close_upload_breaker(self, tx: Transaction, carried: list[_UploadedImage]) -> None:
        if carried:
            circuit_breakers.close_upload_breaker(tx, self._admins, self._clock())

    def _record_uploads(self, tx: Transaction, job: Job, carried: list[_UploadedImage]) -> None:
        for each in carried:
            tx.jobs.set_upload_url(job.id, each.source.position, each.url, self._clock())


@contextmanager
def _explaining_errors(job: Job, source: SourceImage) -> Iterator[None]:
    """Turn what is wrong with a picture into words that say which one it is."""
    try:
        yield
    except ImageError as error:
        raise ImageUnusable(_name_album_item(job, source, _explain_error(error))) from None
    except ImageUnusable as unusable:
        raise ImageUnusable(_name_album_item(job, source, unusable.explanation)) from None


def _name_album_item(job: Job, source: SourceImage, words: Sentence) -> Sentence:
    """Say which picture is meant, where there are several."""
    places = [each.position for each in job.request.sources]
    if len(places) == 1:
        return words
    return sentence("album-item", place=places.index(source.position) + 1, count=len(places), words=words)


async def _accept_photo(content: bytes) -> SendableImage | None:
    """Take a photo as the sender's app made it, unless there is more in its way than an app leaves."""
    try:
        picture = await inspect_image_in_thread(content)
    except ImageError:
        return None  # the converter says what is wrong with it, if anything is
    if obstacle_to_sending(picture) not in (None, *TOLERATED_OBSTACLES):
        return None
    return SendableImage(content, picture.format, ImageChange.AS_IS)


def _explain_error(error: ImageError) -> Sentence:
    match error:
        case UnsupportedImageFormat(format=found) | UnsupportedEncoding(format=found):
            return sentence("other-format", format=found)
        case AnimatedImage():
            return sentence("animated")
        case DecodingTooCostly():
            return sentence("too-much-work")
        case UnreadableImage():
            return sentence("broken-picture")
        case ExtremeAspectRatio():
            return sentence("too-narrow", most=MAX_ASPECT_RATIO)
        case TooManyPixels():
            return sentence("too-many-pixels")
        case _:
            return sentence("not-a-picture")


class ConversionLane:
    """The jobs whose image is being decoded, in memory: after a crash they are still in the conversion queue."""

    def __init__(self) -> None:
        self._jobs: dict[int, int] = {}

    @property
    def jobs(self) -> Mapping[int, int]:
        """The jobs in the lane by id, each with its user."""
        return dict(self._jobs)

    def enter(self, job: Job) -> bool:
        """Take a slot for a job; False if there is none, or if its user has one."""
        is_free = len(self._jobs) < MAX_CONVERSIONS and job.charged_to not in self._jobs.values()
        if is_free:
            self._jobs[job.id] = job.charged_to
        return is_free

    def leave(self, job: Job) -> None:
        """Release the slot of a job."""
        self._jobs.pop(job.id, None)


class FairSemaphore:
    """A semaphore of which one user gets all slots but one; waiting users are served in order."""

    def __init__(self, slots: int) -> None:
        self._shared = asyncio.Semaphore(slots)
        self._max_per_user = slots - 1
        #: of the users who hold a slot or wait for one
        self._per_user: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def slot_for(self, user: int) -> AsyncIterator[None]:
        """Hold a slot for a user."""
        of_user = self._per_user.setdefault(user, asyncio.Semaphore(self._max_per_user))
        async with of_user, self._shared:
            yield
