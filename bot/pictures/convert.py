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

from bot.child_process import Broken
from bot.pictures import foreign, jpeg, png, webp
from bot.pictures.bounds import MOST_PIXELS_OF_JPEG_IN_ONE_SCAN, MOST_PIXELS_TO_OPEN
from bot.pictures.conversion_process import ConversionProcess, start
from bot.pictures.errors import (
    Animated,
    ConversionFailed,
    Format,
    PictureError,
    Recognised,
    TooManyPixels,
    TooMuchWork,
    TooNarrow,
    Unreadable,
    Unsupported,
    WrongChecksum,
)
from bot.pictures.inspect import MOST_BYTES, Kind, inspect, why_not_as_it_is
from bot.pictures.strip import first_of_several, stripped
from bot.pictures.structure import check_ratio
from bot.pictures.wire import Outcome, Reply

log = logging.getLogger(__name__)

#: seconds for one picture. The slowest that are accepted take a quarter of that on a small server (100 million pixels
#: in 100 scans within a TIFF 7 s, as a JPEG of noise 5 s, 49 million as HEIC of noise 5 s), and photos a second or two.
TIMEOUT = 30.0

#: A process may be killed for reasons that are not the picture's; a picture that does it twice is to blame.
_TRIES = 2

_READABLE = {Format.AVIF, Format.BMP, Format.GIF, Format.HEIC, Format.HEIF, Format.TIFF}


class How(StrEnum):
    """What was done to a picture, from nothing to most."""

    #: the very same bytes
    AS_IS = "as_is"
    #: metadata was left out; the compressed picture is the very same
    STRIPPED = "stripped"
    #: written again with all its pixels
    CONVERTED = "converted"
    #: written again with fewer pixels
    SHRUNK = "shrunk"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture that can be sent."""

    #: at most MOST_BYTES; nothing but the picture and its colour profile
    content: bytes
    kind: Kind
    how: How


class Converter:
    """Makes pictures fit, one at a time where they have to be decoded.

    Needs a running loop, and an aclose at the end. Each such picture gets a process of its own, which is up in a fifth
    of a second, takes up to 1 GiB while it works, and is gone afterwards.
    """

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._process: ConversionProcess | None = None
        self._is_closed = False
        self._was_told = False

    @property
    def pid(self) -> int | None:
        """The process at work, if there is one: for whoever watches over it."""
        return self._process.pid if self._process is not None else None

    async def fit(self, content: bytes) -> Fitted:
        """Give this picture in a form that can be sent.

        Raises PictureError (Recognised for formats that are not read, Animated,
        Unreadable, TooMuchWork, TooNarrow, TooManyPixels) when it cannot be had from these bytes, and
        ConversionFailed when another try may help.
        """
        ready = await self.fit_without_decoding(content)
        if ready is not None:
            return ready
        reply = await self._converted(content)
        return await asyncio.to_thread(_judged, reply, content)

    async def fit_without_decoding(self, content: bytes) -> Fitted | None:
        """Give this picture as it is or stripped, without waiting for any other; None when it has to be decoded.

        Raises PictureError.
        """
        return await asyncio.to_thread(_without_decoding, content)

    async def aclose(self) -> None:
        """End the process; a picture that is in it, and any later one, fails with ConversionFailed."""
        self._is_closed = True
        if self._process is not None:
            self._process.kill()
        async with self._turn:
            pass

    async def _converted(self, content: bytes) -> Reply:
        async with self._turn:
            for _ in range(_TRIES):
                try:
                    return await self._asked(content)
                except Broken:
                    continue
                except TimeoutError:
                    raise TooMuchWork("the picture takes too long to decode") from None
        raise Unreadable("the decoder breaks down over the picture")

    async def _asked(self, content: bytes) -> Reply:
        if self._is_closed:
            raise ConversionFailed("the converter is closed")
        process = self._process = await start(self._timeout)
        try:
            self._tell_of(process)
            async with asyncio.timeout(self._timeout):
                return await process.convert(content)
        finally:
            self._process = None
            await process.end()

    def _tell_of(self, process: ConversionProcess) -> None:
        """Say once, where it is so, that one of the fences around the process is missing."""
        if not process.is_filtered and not self._was_told:
            self._was_told = True
            log.warning("this system does not filter the system calls of the process that decodes pictures")


def _without_decoding(content: bytes) -> Fitted | None:
    """Pass a picture on as it is or stripped; None when it has to be decoded.

    Raises PictureError for what decoding cannot change, or costs too much.
    """
    try:
        return _sendable(content)
    except Recognised as error:
        if error.format is Format.MPO:
            first = _without_decoding(first_of_several(content))
            return first and replace(first, how=How.STRIPPED)
        _refuse_foreign(content, error)
    except TooManyPixels as error:
        if error.width * error.height > _most_pixels(content):
            raise
    except Unreadable as error:
        if isinstance(error, TooMuchWork | WrongChecksum):
            raise
    return None


def _refuse_foreign(content: bytes, error: Recognised) -> None:
    if foreign.is_sequence(content):
        raise Animated("a series of frames") from None
    if error.format not in _READABLE:
        raise error


def _sendable(content: bytes) -> Fitted | None:
    picture = inspect(content)
    is_framed = picture.kind is Kind.WEBP and webp.has_one_frame(content)
    if picture.animated and not is_framed:
        raise Animated("several frames")
    check_ratio(picture.width, picture.height)
    if is_framed or not picture.upright:
        return None
    clean = stripped(picture.kind, content) if picture.has_metadata else content
    if len(clean) > MOST_BYTES:
        return None
    return Fitted(clean, picture.kind, How.STRIPPED if picture.has_metadata else How.AS_IS)


def _most_pixels(content: bytes) -> int:
    """Say what the process would say, without the way there."""
    if content.startswith(jpeg.SIGNATURE):
        return MOST_PIXELS_OF_JPEG_IN_ONE_SCAN if jpeg.is_in_one_scan(content) else MOST_PIXELS_TO_OPEN["JPEG"]
    return MOST_PIXELS_TO_OPEN["PNG" if content.startswith(png.SIGNATURE) else "WEBP"]


def _judged(reply: Reply, content: bytes) -> Fitted:
    """Turn a reply into a picture or an error; a picture that is not fit counts as none."""
    match reply.outcome:
        case Outcome.CONVERTED | Outcome.SHRUNK:
            how = How.SHRUNK if reply.outcome is Outcome.SHRUNK else How.CONVERTED
            return Fitted(reply.body, _kind_of(reply.body), how)
        case Outcome.UNSUPPORTED if (found := foreign.name_of(content)) is not None:
            raise Unsupported(found, reply.body.decode(errors="replace"))
        case _:
            raise _why_not(reply)


def _why_not(reply: Reply) -> PictureError:
    match reply.outcome:
        case Outcome.ANIMATED:
            return Animated("several frames or pages")
        case Outcome.RAW:
            return Recognised(Format.RAW)
        case Outcome.TOO_MANY_PIXELS:
            return TooManyPixels(reply.width, reply.height)
        case Outcome.TOO_NARROW:
            return TooNarrow(reply.width, reply.height)
        case Outcome.TOO_MUCH_WORK:
            return TooMuchWork(reply.body.decode(errors="replace"))
        case _:
            return Unreadable(reply.body.decode(errors="replace"))


def _kind_of(content: bytes) -> Kind:
    try:
        picture = inspect(content)
    except PictureError:
        raise Unreadable("what the decoder gave is no picture") from None
    if why_not_as_it_is(picture) is not None:
        raise Unreadable("what the decoder gave is not fit to be sent")
    return picture.kind
