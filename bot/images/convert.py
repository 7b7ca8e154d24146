"""Makes a user's image acceptable to Kie: upright, without metadata, small enough, and changed as little as possible.

An acceptable image is not changed, and one with metadata loses only that. Any other (rotated by EXIF, too large, in
another format) is decoded and encoded again in an isolated child process, so a file that crashes, hangs or exhausts it
costs that one image. The result must pass the same inspection as any file.

A file that the inspection cannot parse is decoded as well: viewers show many malformed files, and only a decoder can
tell whether one is damaged.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.child_process import ChildProcess, ChildProcessFailed, ChildProcessNotStarted, start_child_process
from bot.images import jpeg, limits, png, webp
from bot.images.errors import (
    CONVERTED,
    DOWNSCALED,
    AnimatedImage,
    ConverterUnavailable,
    DecodingTooCostly,
    ImageError,
    TooManyPixels,
    UnreadableImage,
    UnsupportedImageFormat,
    WrongChecksum,
    unpack_error,
)
from bot.images.format_detection import ImageFormat, OtherImageFormat, detect_format, is_image_sequence
from bot.images.inspect import inspect_image, obstacle_to_sending
from bot.images.strip_metadata import keep_first_jpeg, strip_metadata

log = logging.getLogger(__name__)

#: A process may be killed for other reasons than its image; if it dies twice, the image is to blame.
_MAX_ATTEMPTS = 2

_DECODABLE_FORMATS = {OtherImageFormat(name) for name in ("AVIF", "BMP", "GIF", "HEIC", "HEIF", "TIFF")}


class ImageChange(StrEnum):
    """What was changed, from the least to the most."""

    #: nothing
    AS_IS = "as_is"
    #: metadata was removed, without loss: the compressed image is the same
    STRIPPED = "stripped"
    #: encoded again with all pixels
    CONVERTED = "converted"
    #: encoded again with fewer pixels
    DOWNSCALED = "shrunk"


@dataclass(frozen=True, slots=True)
class SendableImage:
    """An image that can be sent."""

    #: the image and its colour profile only, at most MAX_FILE_BYTES
    content: bytes
    format: ImageFormat
    change: ImageChange


class ImageConverter:
    """Makes images acceptable to Kie, decoding one at a time.

    Each image to decode gets a process of its own, which starts in a fifth of a second and takes up to 1 GiB. Needs an
    `aclose` at the end.
    """

    def __init__(self, *, timeout: float = limits.CONVERSION_TIMEOUT) -> None:
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._process: ChildProcess | None = None
        self._is_closed = False
        self._has_warned = False

    @property
    def pid(self) -> int | None:
        """The id of the process that is decoding, if any."""
        return self._process.pid if self._process is not None else None

    async def convert(self, content: bytes) -> SendableImage:
        """Return the image in a form that can be sent.

        Raises ImageError if these bytes cannot be used, and ConverterUnavailable if a retry may succeed.
        """
        image = await self.convert_without_decoding(content)
        if image is not None:
            return image
        reply = await self._decode_and_encode(content)
        return await asyncio.to_thread(_check_reply, reply, content)

    async def convert_without_decoding(self, content: bytes) -> SendableImage | None:
        """Return the image unchanged or stripped, without waiting for others; None if it must be decoded.

        Raises ImageError.
        """
        return await asyncio.to_thread(_convert_without_decoding, content)

    async def aclose(self) -> None:
        """Kill the process; its image, and any later one, fails with ConverterUnavailable."""
        self._is_closed = True
        if self._process is not None:
            self._process.kill()
        async with self._lock:
            pass

    async def _decode_and_encode(self, content: bytes) -> bytes:
        async with self._lock:
            for _ in range(_MAX_ATTEMPTS):
                try:
                    return await self._run_process(content)
                except ChildProcessFailed:
                    continue
                except ChildProcessNotStarted as error:
                    raise ConverterUnavailable(str(error)) from None
                except TimeoutError:
                    raise DecodingTooCostly("the image takes too long to decode") from None
        raise UnreadableImage("the decoder crashes over the image")

    async def _run_process(self, content: bytes) -> bytes:
        if self._is_closed:
            raise ConverterUnavailable("the converter is closed")
        async with start_child_process("bot.images.converter_process", seconds=self._timeout) as process:
            if not process.is_filtered and not self._has_warned:
                self._has_warned = True
                log.warning("this system does not filter the system calls of the process that decodes images")
            self._process = process
            try:
                return await process.request(content, max_reply_bytes=1 + limits.MAX_FILE_BYTES)
            finally:
                self._process = None


def _convert_without_decoding(content: bytes) -> SendableImage | None:
    """Raise ImageError only for what decoding could not change, or for what would cost too much."""
    try:
        return _keep_or_strip(content)
    except UnsupportedImageFormat as error:
        if error.format is OtherImageFormat.MPO:
            first = _convert_without_decoding(keep_first_jpeg(content))
            return first and replace(first, change=ImageChange.STRIPPED)
        _refuse_undecodable(content, error)
    except TooManyPixels as error:
        if error.width * error.height > _max_pixels_to_decode(content):
            raise
    except UnreadableImage as error:
        if isinstance(error, DecodingTooCostly | WrongChecksum):
            raise
    return None


def _refuse_undecodable(content: bytes, error: UnsupportedImageFormat) -> None:
    if is_image_sequence(content):
        raise AnimatedImage("an image sequence") from None
    if error.format not in _DECODABLE_FORMATS:
        raise error


def _keep_or_strip(content: bytes) -> SendableImage | None:
    image = inspect_image(content)
    is_single_frame = image.format is ImageFormat.WEBP and webp.has_single_frame(content)
    if image.animated and not is_single_frame:
        raise AnimatedImage("several frames")
    limits.check_aspect_ratio(image.width, image.height)
    if is_single_frame or not image.upright:
        return None
    stripped = strip_metadata(image.format, content) if image.has_metadata else content
    if len(stripped) > limits.MAX_FILE_BYTES:
        return None
    return SendableImage(stripped, image.format, ImageChange.STRIPPED if image.has_metadata else ImageChange.AS_IS)


def _max_pixels_to_decode(content: bytes) -> int:
    """Return the pixel limit of the converter process for this file."""
    if content.startswith(jpeg.SIGNATURE):
        if jpeg.has_single_scan(content):
            return limits.MAX_PIXELS_OF_SINGLE_SCAN_JPEG
        return limits.MAX_PIXELS_TO_DECODE["JPEG"]
    return limits.MAX_PIXELS_TO_DECODE["PNG" if content.startswith(png.SIGNATURE) else "WEBP"]


def _check_reply(reply: bytes, content: bytes) -> SendableImage:
    """Return the image in a reply, which is untrusted, because the process has decoded an untrusted file."""
    changes = {CONVERTED: ImageChange.CONVERTED, DOWNSCALED: ImageChange.DOWNSCALED}
    change, converted = changes.get(reply[:1]), reply[1:]
    if change is None:
        raise unpack_error(reply, detect_format(content))
    try:
        image = inspect_image(converted)
    except ImageError:
        raise UnreadableImage("the decoder returned no image") from None
    if obstacle_to_sending(image) is not None:
        raise UnreadableImage("the decoder returned an image that is not fit to be sent")
    return SendableImage(converted, image.format, change)
