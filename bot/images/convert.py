"""Makes a person's picture fit to be sent: upright, without metadata, small enough, and changed as little as possible.

What is fine stays byte for byte. What tells too much loses that and nothing
else. Only what is left (turned by EXIF, too big, of a kind that is not taken)
is decoded and written again, in a process of its own: a file that crashes it,
stops it or fills it costs that one picture. Whatever comes back has passed the
same inspection as any other file.

What the inspection cannot follow is decoded as well, because files are odd in more
ways than it knows, and every viewer may show them: that a picture is damaged, only
its decoder can say.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from enum import StrEnum

from bot import child_process
from bot.child_process import ChildProcess, ChildProcessExited
from bot.images import format_detection, jpeg, png, webp
from bot.images.converter_protocol import REPLY_HEADER, REQUEST_HEADER, ConversionOutcome, ConverterReply
from bot.images.errors import (
    AnimatedImage,
    ConversionFailed,
    DecodingTooCostly,
    ExtremeAspectRatio,
    ImageError,
    OtherImageFormat,
    TooManyPixels,
    UnreadableImage,
    UnsupportedEncoding,
    UnsupportedImageFormat,
    WrongChecksum,
)
from bot.images.inspect import ImageFormat, inspect_image, obstacle_to_sending
from bot.images.limits import MAX_FILE_BYTES, MAX_PIXELS_OF_SINGLE_SCAN_JPEG, MAX_PIXELS_TO_DECODE, check_aspect_ratio
from bot.images.strip_metadata import keep_first_jpeg, strip_metadata

log = logging.getLogger(__name__)

#: seconds for one picture. The slowest that are accepted take a quarter of that on a small server (100 million pixels
#: in 100 scans within a TIFF 7 s, as a JPEG of noise 5 s, 49 million as HEIC of noise 5 s), and photos a second or two.
CONVERSION_TIMEOUT = 30.0

#: A process may be killed for reasons that are not the picture's; a picture that does it twice is to blame.
_MAX_ATTEMPTS = 2

_DECODABLE_FORMATS = {
    OtherImageFormat.AVIF,
    OtherImageFormat.BMP,
    OtherImageFormat.GIF,
    OtherImageFormat.HEIC,
    OtherImageFormat.HEIF,
    OtherImageFormat.TIFF,
}


class ImageChange(StrEnum):
    """What was done to a picture, from nothing to most."""

    #: the very same bytes
    AS_IS = "as_is"
    #: metadata was left out; the compressed picture is the very same
    STRIPPED = "stripped"
    #: written again with all its pixels
    CONVERTED = "converted"
    #: written again with fewer pixels
    DOWNSCALED = "shrunk"


@dataclass(frozen=True, slots=True)
class SendableImage:
    """A picture that can be sent."""

    #: at most MOST_BYTES; nothing but the picture and its colour profile
    content: bytes
    format: ImageFormat
    change: ImageChange


class ImageConverter:
    """Makes pictures fit, one at a time where they have to be decoded.

    Needs a running loop, and an aclose at the end. Each such picture gets a process of its own, which is up in a fifth
    of a second, takes up to 1 GiB while it works, and is gone afterwards.
    """

    def __init__(self, *, timeout: float = CONVERSION_TIMEOUT) -> None:
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._process: ConverterProcess | None = None
        self._is_closed = False
        self._has_warned = False

    @property
    def pid(self) -> int | None:
        """The process at work, if there is one: for whoever watches over it."""
        return self._process.pid if self._process is not None else None

    async def convert(self, content: bytes) -> SendableImage:
        """Give this picture in a form that can be sent.

        Raises PictureError (Recognised for formats that are not read, Animated,
        Unreadable, TooMuchWork, TooNarrow, TooManyPixels) when it cannot be had from these bytes, and
        ConversionFailed when another try may help.
        """
        ready = await self.convert_without_decoding(content)
        if ready is not None:
            return ready
        reply = await self._convert_in_process(content)
        return await asyncio.to_thread(_check_reply, reply, content)

    async def convert_without_decoding(self, content: bytes) -> SendableImage | None:
        """Give this picture as it is or stripped, without waiting for any other; None when it has to be decoded.

        Raises PictureError.
        """
        return await asyncio.to_thread(_without_decoding, content)

    async def aclose(self) -> None:
        """End the process; a picture that is in it, and any later one, fails with ConversionFailed."""
        self._is_closed = True
        if self._process is not None:
            self._process.kill()
        async with self._lock:
            pass

    async def _convert_in_process(self, content: bytes) -> ConverterReply:
        async with self._lock:
            for _ in range(_MAX_ATTEMPTS):
                try:
                    return await self._convert_once(content)
                except ChildProcessExited:
                    continue
                except TimeoutError:
                    raise DecodingTooCostly("the picture takes too long to decode") from None
        raise UnreadableImage("the decoder breaks down over the picture")

    async def _convert_once(self, content: bytes) -> ConverterReply:
        if self._is_closed:
            raise ConversionFailed("the converter is closed")
        process = self._process = await start_converter_process(self._timeout)
        try:
            self._warn_if_unfiltered(process)
            async with asyncio.timeout(self._timeout):
                return await process.convert(content)
        finally:
            self._process = None
            await process.end()

    def _warn_if_unfiltered(self, process: "ConverterProcess") -> None:
        """Say once, where it is so, that one of the fences around the process is missing."""
        if not process.is_filtered and not self._has_warned:
            self._has_warned = True
            log.warning("this system does not filter the system calls of the process that decodes pictures")


def _without_decoding(content: bytes) -> SendableImage | None:
    """Pass a picture on as it is or stripped; None when it has to be decoded.

    Raises PictureError for what decoding cannot change, or costs too much.
    """
    try:
        return _as_is_or_stripped(content)
    except UnsupportedImageFormat as error:
        if error.format is OtherImageFormat.MPO:
            first = _without_decoding(keep_first_jpeg(content))
            return first and replace(first, change=ImageChange.STRIPPED)
        _refuse_undecodable(content, error)
    except TooManyPixels as error:
        if error.width * error.height > _max_pixels(content):
            raise
    except UnreadableImage as error:
        if isinstance(error, DecodingTooCostly | WrongChecksum):
            raise
    return None


def _refuse_undecodable(content: bytes, error: UnsupportedImageFormat) -> None:
    if format_detection.is_image_sequence(content):
        raise AnimatedImage("a series of frames") from None
    if error.format not in _DECODABLE_FORMATS:
        raise error


def _as_is_or_stripped(content: bytes) -> SendableImage | None:
    picture = inspect_image(content)
    is_framed = picture.format is ImageFormat.WEBP and webp.has_single_frame(content)
    if picture.animated and not is_framed:
        raise AnimatedImage("several frames")
    check_aspect_ratio(picture.width, picture.height)
    if is_framed or not picture.upright:
        return None
    clean = strip_metadata(picture.format, content) if picture.has_metadata else content
    if len(clean) > MAX_FILE_BYTES:
        return None
    return SendableImage(clean, picture.format, ImageChange.STRIPPED if picture.has_metadata else ImageChange.AS_IS)


def _max_pixels(content: bytes) -> int:
    """Say what the process would say, without the way there."""
    if content.startswith(jpeg.JPEG_SIGNATURE):
        return MAX_PIXELS_OF_SINGLE_SCAN_JPEG if jpeg.has_single_scan(content) else MAX_PIXELS_TO_DECODE["JPEG"]
    return MAX_PIXELS_TO_DECODE["PNG" if content.startswith(png.PNG_SIGNATURE) else "WEBP"]


def _check_reply(reply: ConverterReply, content: bytes) -> SendableImage:
    """Turn a reply into a picture or an error; a picture that is not fit counts as none."""
    match reply.outcome:
        case ConversionOutcome.CONVERTED | ConversionOutcome.DOWNSCALED:
            how = ImageChange.DOWNSCALED if reply.outcome is ConversionOutcome.DOWNSCALED else ImageChange.CONVERTED
            return SendableImage(reply.body, _format_of_result(reply.body), how)
        case ConversionOutcome.UNSUPPORTED_ENCODING if (found := format_detection.detect_format(content)) is not None:
            raise UnsupportedEncoding(found, reply.body.decode(errors="replace"))
        case _:
            raise _error_from_reply(reply)


def _error_from_reply(reply: ConverterReply) -> ImageError:
    match reply.outcome:
        case ConversionOutcome.ANIMATED:
            return AnimatedImage("several frames or pages")
        case ConversionOutcome.RAW:
            return UnsupportedImageFormat(OtherImageFormat.RAW)
        case ConversionOutcome.TOO_MANY_PIXELS:
            return TooManyPixels(reply.width, reply.height)
        case ConversionOutcome.EXTREME_ASPECT_RATIO:
            return ExtremeAspectRatio(reply.width, reply.height)
        case ConversionOutcome.DECODING_TOO_COSTLY:
            return DecodingTooCostly(reply.body.decode(errors="replace"))
        case _:
            return UnreadableImage(reply.body.decode(errors="replace"))


def _format_of_result(content: bytes) -> ImageFormat:
    try:
        picture = inspect_image(content)
    except ImageError:
        raise UnreadableImage("what the decoder gave is no picture") from None
    if obstacle_to_sending(picture) is not None:
        raise UnreadableImage("what the decoder gave is not fit to be sent")
    return picture.format


#: seconds; on a busy machine loading the decoders takes a while
_START_TIMEOUT = 30
#: seconds that the process waits longer than we do before it ends itself, in case that we are gone
_GRACE_PERIOD = 5


class ConverterProcess:
    """One running process, for one picture."""

    def __init__(self, child: ChildProcess) -> None:
        self._child = child
        #: whether the kernel filters its system calls
        self.is_filtered = False

    @property
    def pid(self) -> int:
        """The number that the system knows it by."""
        return self._child.pid

    async def wait_until_ready(self) -> None:
        """Wait until it has shut itself in; raises Broken."""
        outcome = (await self._read_reply()).outcome
        if outcome not in {ConversionOutcome.READY, ConversionOutcome.READY_UNFILTERED}:
            raise ChildProcessExited("the process did not come up")
        self.is_filtered = outcome is ConversionOutcome.READY

    async def convert(self, content: bytes) -> ConverterReply:
        """Send the picture and wait for what became of it; raises Broken."""
        await self._child.write(REQUEST_HEADER.pack(len(content)), content)
        return await self._read_reply()

    async def _read_reply(self) -> ConverterReply:
        try:
            kind, width, height, size = REPLY_HEADER.unpack(await self._child.read(REPLY_HEADER.size))
            outcome = ConversionOutcome(kind)
        except ValueError:
            raise ChildProcessExited("the reply makes no sense") from None
        if size > MAX_FILE_BYTES:
            raise ChildProcessExited("the reply is too long")
        return ConverterReply(outcome, await self._child.read(size), width, height)

    def kill(self) -> None:
        """End it at once. Whoever waits for its reply gets Broken."""
        self._child.kill()

    async def end(self) -> None:
        """Kill it and wait until it is gone; nobody may be waiting for its reply."""
        await self._child.kill_and_wait()


async def start_converter_process(seconds: float) -> ConverterProcess:
    """Start a process and wait until it is ready.

    It gives the picture so many seconds. Raises ConversionFailed.
    """
    try:
        child = await child_process.start_child_process("bot.images.converter_main", str(seconds + _GRACE_PERIOD))
    except OSError as error:
        raise ConversionFailed(f"no process could be started: {error.strerror}") from None
    process = ConverterProcess(child)
    try:
        async with asyncio.timeout(_START_TIMEOUT):
            await process.wait_until_ready()
    except (TimeoutError, ChildProcessExited):
        await process.end()
        raise ConversionFailed("the converting process did not come up") from None
    except BaseException:
        await process.end()
        raise
    return process
