"""Photos as Telegram stores them: recompressed in several sizes, without metadata; and its limits for bots' photos.

EXIF rotation is applied, and the longest edge is at most 1280 pixels.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from bot.sandbox.telegram.errors import bad_request_error

#: limits of a bot's photo: bytes, width plus height in pixels, and the ratio of its sides
MAX_PHOTO_BYTES = 10 << 20
MAX_SIDES_SUM = 10_000
MAX_RATIO = 20
#: the longest edge of each size, in pixels
PHOTO_EDGES = (90, 320, 800, 1280)
#: the claimed size of an unreadable photo
UNREADABLE_SIZE = (100, 100)

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


@dataclass(frozen=True)
class PhotoVersion:
    """One size of a photo, in pixels."""

    content: bytes
    width: int
    height: int


def compress_photo(data: bytes) -> list[PhotoVersion]:
    """Return a photo as an app sends it: JPEGs, the smallest first. Raises OSError for an invalid image."""
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    longest = max(upright.size)
    edges = [edge for edge in PHOTO_EDGES if edge < longest]
    return [_resize(upright, edge) for edge in (*edges, min(longest, PHOTO_EDGES[-1]))][: len(PHOTO_EDGES)]


def keep_photo(data: bytes) -> list[PhotoVersion]:
    """Return the unchanged bytes as the only size, whatever they are."""
    return [PhotoVersion(data, *(read_image_size(data) or UNREADABLE_SIZE))]


def process_bot_photo(data: bytes) -> list[PhotoVersion]:
    """Return a bot's photo as Telegram stores it; raises BotApiError for one that it refuses."""
    if len(data) > MAX_PHOTO_BYTES:
        raise bad_request_error(
            f"file of size {len(data)} bytes is too big for a photo; the maximum size is {MAX_PHOTO_BYTES} bytes"
        )
    width, height = read_image_size(data) or (0, 0)
    if not width or not height:
        raise bad_request_error("IMAGE_PROCESS_FAILED")
    if width + height > MAX_SIDES_SUM or max(width, height) > MAX_RATIO * min(width, height):
        raise bad_request_error("PHOTO_INVALID_DIMENSIONS")
    try:
        return compress_photo(data)
    except OSError:
        raise bad_request_error("IMAGE_PROCESS_FAILED") from None


def read_image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels, None for an invalid image."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            return opened.size
    except (OSError, Image.DecompressionBombError):
        return None


def _resize(upright: Image.Image, edge: int) -> PhotoVersion:
    small = upright.copy()
    small.thumbnail((edge, edge))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=87)
    return PhotoVersion(written.getvalue(), *small.size)
