"""What a file really is: the question before a picture is handed to anybody.

The answer comes from the bytes alone, never from a name or a declared type,
and without decoding a single pixel. Nothing passes as a picture unless it is
there from its first byte to its last. No decoder is involved: even opening a
WebP makes Pillow reserve its whole canvas (Pillow 12), which is more trust than
a stranger's header deserves.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from bot.images import format_detection, jpeg, png, webp
from bot.images.errors import (
    NotAnImage,
    UnsupportedImageFormat,
)
from bot.images.limits import MAX_ASPECT_RATIO, MAX_FILE_BYTES, ImageStructure

#: Telegram's sendPhoto: pixels of both sides together
MAX_WIDTH_PLUS_HEIGHT = 10_000


class ImageFormat(StrEnum):
    """The formats that Kie takes; the values are their names as people write them."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"

    @property
    def mime(self) -> str:
        """The media type, such as "image/jpeg"."""
        return f"image/{self.name.lower()}"

    @property
    def extension(self) -> str:
        """The end of a file name without the dot, such as "jpg"."""
        return "jpg" if self is ImageFormat.JPEG else self.name.lower()


class SendObstacle(StrEnum):
    """Why a picture cannot be handed on byte for byte."""

    #: more than one frame
    ANIMATED = "animated"
    #: above MOST_BYTES
    TOO_BIG = "too_big"
    #: shown upright only by programs that heed EXIF
    ROTATED = "rotated"
    #: tells more than the picture shows: where, when, with what, by whom
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """A whole JPEG, PNG or WebP file."""

    format: ImageFormat
    #: pixels, as stored, before any rotation
    width: int
    height: int
    #: bytes of the file
    file_size: int
    #: EXIF asks for no rotation; False too when its EXIF cannot be read
    upright: bool
    #: EXIF, XMP, IPTC, comments, texts, times, thumbnails, or anything between the parts or behind the end;
    #: colour profiles and what decoders need do not count
    has_metadata: bool
    #: more than one frame
    animated: bool


def inspect_image(content: bytes) -> ImageInfo:
    """Say what these bytes are.

    Takes milliseconds for megabytes, but is work: call it in a thread.
    Raises Recognised for a known format that is not one of ours, NotAPicture for
    anything else, Unreadable for a broken file and TooManyPixels.
    """
    kind, found = _read_structure(content)
    return ImageInfo(
        format=kind,
        width=found.width,
        height=found.height,
        file_size=len(content),
        upright=found.upright,
        has_metadata=found.has_metadata,
        animated=found.animated,
    )


def obstacle_to_sending(picture: ImageInfo) -> SendObstacle | None:
    """Name what keeps a picture from being handed on byte for byte, the gravest first.

    METADATA therefore means that nothing else is in the way.
    """
    if picture.animated:
        return SendObstacle.ANIMATED
    if picture.file_size > MAX_FILE_BYTES:
        return SendObstacle.TOO_BIG
    if not picture.upright:
        return SendObstacle.ROTATED
    return SendObstacle.METADATA if picture.has_metadata else None


def fits_as_photo(picture: ImageInfo) -> bool:
    """Tell whether Telegram's sendPhoto takes this picture; what does not fit goes as a document.

    Limits of the Bot API: 10 MB, width and height at most 10000 together, ratio
    at most 20.
    """
    long, short = max(picture.width, picture.height), min(picture.width, picture.height)
    return (
        picture.file_size <= MAX_FILE_BYTES
        and long + short <= MAX_WIDTH_PLUS_HEIGHT
        and long <= MAX_ASPECT_RATIO * short
    )


def _read_structure(content: bytes) -> tuple[ImageFormat, ImageStructure]:
    if content.startswith(jpeg.JPEG_SIGNATURE):
        return ImageFormat.JPEG, jpeg.read_jpeg(content)
    if content.startswith(png.PNG_SIGNATURE):
        return ImageFormat.PNG, png.read_png(content)
    if webp.is_webp(content):
        return ImageFormat.WEBP, webp.read_webp(content)
    found = format_detection.detect_format(content)
    if found is None:
        raise NotAnImage("the file is no picture of a known kind")
    raise UnsupportedImageFormat(found)


#: Bytes; to inspect as many takes two milliseconds, and a thread for it most of one.
_MAX_INLINE_BYTES = 2 << 20


async def inspect_image_in_thread(content: bytes) -> ImageInfo:
    """Inspect a file that Telegram or Kie made; a stranger's of this size can be made to take far longer."""
    if len(content) <= _MAX_INLINE_BYTES:
        return inspect_image(content)
    return await asyncio.to_thread(inspect_image, content)
