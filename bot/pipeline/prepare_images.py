"""Prepare a queued job's images: download them, convert those that Kie would not accept, and upload them.

This does not wait for the job's turn to be ordered, so users soon learn of an unusable image and orders need not wait.
Everything here is free of charge and idempotent, and one commit stores the result.

Decoding may take long and must delay only the sender. If the conversion lane is free, a job's last missing image is
decoded at once. Otherwise its bytes are dropped, the job enters the conversion queue, and at each of its turns
`convert` downloads and converts one image.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from bot.clock import Instant, seconds_between
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
from bot.kie.client import KieClient
from bot.pipeline import circuit_breakers, finish_job
from bot.pipeline.error_containment import MAX_TRIES
from bot.pipeline.finish_job import Withdrawn
from bot.store.database import Database, Transaction
from bot.telegram.client import TelegramClient
from bot.telegram.errors import FileTooLarge, FileUnavailable, Rejected

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Images in memory at once, over all jobs, besides those in the conversion lane; each has at most 20 MB from Telegram,
#: or 50 MB from Kie.
MAX_IMAGES_IN_MEMORY = 4

#: Images in the conversion lane: while one user's is decoded, the next user's is downloaded or uploaded.
MAX_CONVERSIONS = 2

#: Tries after which Telegram's smaller copy of an image is used instead of Kie's.
TRIES_FOR_FULL_SIZE = 3

#: Accepted in Telegram's photos: some apps leave an EXIF block without personal data in photos that they compress.
TOLERATED_OBSTACLES = (SendObstacle.METADATA, SendObstacle.ROTATED)

#: Seconds for which an upload is used. Kie keeps it for 24 hours or 3 days, depending on the page of its docs (2026).
UPLOAD_VALID_FOR = 20 * 3600.0

#: Kie refuses URLs whose path ends otherwise.
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")


class ImageUnusable(Exception):
    """The image cannot be edited; `text` tells the user why."""

    def __init__(self, text: Sentence) -> None:
        super().__init__(text.name)
        self.text = text


@dataclass(frozen=True)
class _DownloadedImage:
    source: SourceImage
    content: bytes
    #: False for Kie's copy, of which Telegram has only a smaller version
    is_from_telegram: bool


@dataclass(frozen=True)
class _UploadedImage:
    source: SourceImage
    url: str | None


def is_upload_fresh(source: SourceImage, now: Instant) -> bool:
    """Say whether Kie can fetch this image for long enough."""
    return source.uploaded_at is not None and seconds_between(source.uploaded_at, now) < UPLOAD_VALID_FOR


@dataclass(eq=False)
class ImageUploader:
    """Puts images where Kie can fetch them: uploads them under an unguessable name.

    With `direct`, an image that needs no change is not uploaded: Kie fetches it from Telegram. Such a URL contains the
    bot token, so it is requested at the last moment and never stored.
    """

    telegram: TelegramClient
    kie: KieClient
    _: KW_ONLY
    direct: bool

    async def upload(self, source: SourceImage, image: SendableImage, *, is_from_telegram: bool = True) -> str | None:
        """Make the image available and return its URL, None if Kie can fetch it from Telegram."""
        if self.direct and is_from_telegram and image.change is ImageChange.AS_IS:
            path = urlsplit(await self.telegram.get_file_url(source.file_id)).path
            if path.lower().endswith(IMAGE_EXTENSIONS):
                return None
        name = f"{secrets.token_hex(16)}.{image.format.extension}"
        return await self.kie.upload_image(image.content, name=name, mime=image.format.mime)

    async def image_urls(self, job: Job) -> list[str]:
        """Return the URLs of a job's images for the order; they may contain the bot token. Raises TelegramApiError."""
        return [source.upload_url or await self.telegram.get_file_url(source.file_id) for source in job.request.sources]


class ConversionLane:
    """The jobs whose image is being converted: a bulkhead that keeps slow images from delaying other work.

    It is kept in memory only; after a crash the jobs are prepared again.
    """

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
    """A semaphore of which one user gets all slots but one at most; those who wait are served in order."""

    def __init__(self, slots: int) -> None:
        self._shared = asyncio.Semaphore(slots)
        self._max_per_user = slots - 1
        #: for the users who hold a slot or wait for one
        self._per_user: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def slot_for(self, user: int) -> AsyncIterator[None]:
        """Hold a slot for a user."""
        of_user = self._per_user.setdefault(user, asyncio.Semaphore(self._max_per_user))
        async with of_user, self._shared:
            yield


@dataclass(eq=False)
class ImagePreparer:
    """The step that makes a queued job ready to be ordered."""

    db: Database
    telegram: TelegramClient
    downloader: Downloader
    converter: ImageConverter
    uploader: ImageUploader
    wakeup: asyncio.Event
    _: KW_ONLY
    deadline: float
    admins: frozenset[int]
    clock: Callable[[], Instant]
    _image_slots: FairSemaphore = field(init=False, default_factory=partial(FairSemaphore, MAX_IMAGES_IN_MEMORY))
    #: the jobs of which an image is being converted
    lane: ConversionLane = field(init=False, default_factory=ConversionLane)

    async def run(self, job: Job) -> None:
        """Prepare all images that are not ready yet; then the job waits for its turn to be ordered or converted.

        Raises the errors of Telegram, Kie and the download that may pass; finished uploads are kept for the next try.
        """
        sources = self._sources_to_upload(job)
        may_convert = len(sources) == 1  # several images take their turns in the conversion queue
        steps = [self._prepare_image(job, source, may_convert=may_convert) for source in sources]
        await self._store_results(job, await asyncio.gather(*steps, return_exceptions=True), len(sources))

    async def convert(self, job: Job) -> None:
        """Prepare one image of a job in the conversion lane, decoding it if need be, and leave the lane.

        Raises like `run`.
        """
        try:
            sources = self._sources_to_upload(job)
            steps = [self._convert_image(job, source) for source in sources[:1]]
            await self._store_results(job, await asyncio.gather(*steps, return_exceptions=True), len(sources))
        finally:
            self.lane.leave(job)

    def _sources_to_upload(self, job: Job) -> list[SourceImage]:
        now = self.clock()
        return [source for source in job.request.sources if not is_upload_fresh(source, now)]

    async def _prepare_image(self, job: Job, source: SourceImage, *, may_convert: bool) -> _UploadedImage | None:
        """Upload an image; None if it has to wait for its conversion."""
        with _explaining_errors(job, source):
            async with self._image_slots.slot_for(job.charged_to):
                await self._confirm_job_wanted(job)  # the wait for the slot may have been long
                image = await self._download(job, source)
                image, sendable = await self._fit(job, image, self._fit_without_decoding)
                if sendable is not None:
                    return await self._upload(job, image, sendable)
            if not (may_convert and await self._try_enter_lane(job)):
                return None
            try:
                image, converted = await self._fit(job, image, self._convert_content)
            finally:
                self.lane.leave(job)
                self.wakeup.set()
            return await self._upload(job, image, converted)

    async def _convert_image(self, job: Job, source: SourceImage) -> _UploadedImage:
        with _explaining_errors(job, source):
            image = await self._download(job, source)
            return await self._upload(job, *await self._fit(job, image, self._convert_content))

    async def _convert_content(self, image: _DownloadedImage) -> SendableImage:
        return await self.converter.convert(image.content)

    async def _fit_without_decoding(self, image: _DownloadedImage) -> SendableImage | None:
        """Make an image acceptable to Kie; None if that requires decoding."""
        if image.source.is_photo and image.is_from_telegram:
            with suppress(ImageError):  # the converter reports what is wrong
                info = await inspect_image_in_thread(image.content)
                if obstacle_to_sending(info) in (None, *TOLERATED_OBSTACLES):
                    return SendableImage(image.content, info.format, ImageChange.AS_IS)
        return await self.converter.convert_without_decoding(image.content)

    async def _try_enter_lane(self, job: Job) -> bool:
        """Enter the conversion lane with the image in memory, unless other jobs wait for a turn."""
        if not self.lane.enter(job):
            return False
        if await self.db.transact(lambda tx: tx.conversion_queue.is_empty()):
            return True
        self.lane.leave(job)
        return False

    async def _upload(self, job: Job, image: _DownloadedImage, sendable: SendableImage) -> _UploadedImage:
        await self._confirm_job_wanted(job)
        url = await self.uploader.upload(image.source, sendable, is_from_telegram=image.is_from_telegram)
        return _UploadedImage(image.source, url)

    async def _confirm_job_wanted(self, job: Job) -> None:
        """Raise Withdrawn if the job was cancelled meanwhile, or its user deleted everything."""
        if not await self.db.transact(lambda tx: tx.jobs.is_still_in_state(job)):
            raise Withdrawn

    async def _download(self, job: Job, source: SourceImage) -> _DownloadedImage:
        """Download the best copy of an image. Raises DownloadUnavailable if Kie's copy may be available later."""
        if source.full_url is not None:
            try:
                content, _ = await download_image(self.downloader, source.full_url)
                return _DownloadedImage(source, content, is_from_telegram=False)
            except (DownloadError, ImageError) as error:
                if isinstance(error, DownloadUnavailable) and job.tries < TRIES_FOR_FULL_SIZE:
                    raise
                _log_fallback_to_telegram(job, error)
        return await self._download_from_telegram(job, source)

    async def _download_from_telegram(self, job: Job, source: SourceImage) -> _DownloadedImage:
        try:
            content = await self.telegram.download_file(source.file_id)
        except FileTooLarge:
            raise ImageUnusable(sentence("file-too-large")) from None
        except (FileUnavailable, Rejected) as error:
            if isinstance(error, FileUnavailable) and job.tries < MAX_TRIES:
                raise
            raise ImageUnusable(sentence("not-fetched")) from None
        return _DownloadedImage(source, content, is_from_telegram=True)

    async def _fit(
        self, job: Job, image: _DownloadedImage, fit: Callable[[_DownloadedImage], Awaitable[T]]
    ) -> tuple[_DownloadedImage, T]:
        """Apply `fit` to an image; if Kie's copy is unusable, to Telegram's."""
        try:
            return image, await fit(image)
        except ImageError as error:
            if image.is_from_telegram:
                raise
            _log_fallback_to_telegram(job, error)
        image = await self._download_from_telegram(job, image.source)
        return image, await fit(image)

    async def _store_results(
        self, job: Job, results: Sequence[_UploadedImage | BaseException | None], source_count: int
    ) -> None:
        uploads = [each for each in results if isinstance(each, _UploadedImage)]
        errors = [each for each in results if isinstance(each, BaseException)]
        final = [each for each in errors if isinstance(each, Withdrawn | ImageUnusable)]
        match (final or errors or [None])[0]:
            case None:
                is_ready = len(uploads) == source_count
                # before the commit, so that the order can begin in the same transaction if it is next
                self.wakeup.set()
                await self.db.transact(lambda tx: self._record_finished(tx, job, uploads, is_ready=is_ready))
            case ImageUnusable(text=text):
                await self.db.transact(
                    lambda tx: finish_job.fail_job(tx, job, FailureReason.UNUSABLE_IMAGE, text, self.clock())
                )
            case Withdrawn():
                pass
            case error:
                if uploads:
                    await self.db.transact(lambda tx: self._record_uploads(tx, job, uploads))
                raise error

    def _record_finished(self, tx: Transaction, job: Job, uploads: list[_UploadedImage], *, is_ready: bool) -> None:
        now = self.clock()
        due_at = finish_job.waiting_reminder_at(job, self.deadline, now) if is_ready else None
        # without an upload, nothing shows that the cause of earlier failures is gone
        tries = 0 if uploads or not is_ready else job.tries
        if job.state != State.QUEUED or not tx.jobs.update(job, due_at=due_at, tries=tries):
            return
        self._record_uploads(tx, job, uploads)
        if is_ready:
            tx.fair_queue.set_ready(job.id, is_ready=True)
        else:
            tx.conversion_queue.enqueue(job)
        if uploads:
            circuit_breakers.close_upload_breaker(tx, self.admins, now)

    def _record_uploads(self, tx: Transaction, job: Job, uploads: list[_UploadedImage]) -> None:
        for each in uploads:
            tx.jobs.set_upload_url(job.id, each.source.position, each.url, self.clock())


def _log_fallback_to_telegram(job: Job, error: Exception) -> None:
    log.info("job %d: falling back to Telegram's copy: %s", job.id, error, extra={"job": job.id})


@contextmanager
def _explaining_errors(job: Job, source: SourceImage) -> Iterator[None]:
    """Turn an ImageError into ImageUnusable, and name the image where the job has several."""
    try:
        yield
    except (ImageError, ImageUnusable) as error:
        text = error.text if isinstance(error, ImageUnusable) else _explain_error(error)
        positions = [each.position for each in job.request.sources]
        if len(positions) > 1:
            place = positions.index(source.position) + 1
            text = sentence("album-item", place=place, count=len(positions), words=text)
        raise ImageUnusable(text) from None


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
