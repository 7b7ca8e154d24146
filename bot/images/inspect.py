"""Determines the format and the properties of an image file, and whether it is complete, without decoding a pixel.

The parsers (`jpeg`, `png`, `webp`) follow the lengths in the file from part to part, so the work is bounded by the size
of the file and not by the dimensions that its header claims. Pillow (12) would allocate the whole canvas of a WebP to
open it.
"""

import asyncio
from enum import StrEnum

from bot.images import jpeg, png, webp
from bot.images.errors import NotAnImage, UnsupportedImageFormat
from bot.images.format_detection import ImageInfo, detect_format
from bot.images.limits import MAX_ASPECT_RATIO, MAX_FILE_BYTES, MAX_WIDTH_PLUS_HEIGHT

#: Bytes. Inspecting so many takes two milliseconds, and handing that to a thread almost one.
_MAX_INLINE_BYTES = 2 << 20


class SendObstacle(StrEnum):
    """Why an image cannot be sent byte for byte."""

    #: more than one frame
    ANIMATED = "animated"
    #: above MAX_FILE_BYTES
    TOO_BIG = "too_big"
    #: shown upright only by programs that respect EXIF
    ROTATED = "rotated"
    #: may reveal where, when, with what and by whom it was taken
    METADATA = "metadata"


def inspect_image(content: bytes) -> ImageInfo:
    """Describe a file. Takes milliseconds for each megabyte, so call it in a thread.

    Raises UnsupportedImageFormat, NotAnImage, UnreadableImage and TooManyPixels.
    """
    if content.startswith(jpeg.SIGNATURE):
        return jpeg.read_jpeg(content)
    if content.startswith(png.SIGNATURE):
        return png.read_png(content)
    if webp.is_webp(content):
        return webp.read_webp(content)
    found = detect_format(content)
    if found is None:
        raise NotAnImage("the file is in no known image format")
    raise UnsupportedImageFormat(found)


async def inspect_image_in_thread(content: bytes) -> ImageInfo:
    """Inspect a file from Telegram or Kie: in a thread unless it is small. Others' files may take far longer."""
    if len(content) <= _MAX_INLINE_BYTES:
        return inspect_image(content)
    return await asyncio.to_thread(inspect_image, content)


def obstacle_to_sending(image: ImageInfo) -> SendObstacle | None:
    """Return the most serious reason not to send an image unchanged (METADATA is the least serious), or None."""
    if image.animated:
        return SendObstacle.ANIMATED
    if image.file_size > MAX_FILE_BYTES:
        return SendObstacle.TOO_BIG
    if not image.upright:
        return SendObstacle.ROTATED
    return SendObstacle.METADATA if image.has_metadata else None


def fits_as_photo(image: ImageInfo) -> bool:
    """Tell whether Telegram's sendPhoto accepts an image; others have to be sent as documents."""
    long, short = max(image.width, image.height), min(image.width, image.height)
    return (
        image.file_size <= MAX_FILE_BYTES and long + short <= MAX_WIDTH_PLUS_HEIGHT and long <= MAX_ASPECT_RATIO * short
    )
