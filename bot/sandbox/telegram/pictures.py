"""What happens to pictures on the way: apps shrink them, and the server refuses odd ones.

A photo keeps no metadata: EXIF rotation is applied, the longest edge becomes at
most 1280 pixels, and smaller versions of it travel along.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from bot.sandbox.telegram.refusals import bad

#: Bounds of a photo sent by a bot: bytes, pixels (width plus height), and the ratio of its sides.
MAX_PHOTO_BYTES = 10 << 20
MAX_SIDES = 10_000
MAX_RATIO = 20
#: Longest edges, in pixels, of the versions of a photo.
EDGES = (90, 320, 800, 1280)
#: The size claimed for a photo that nobody can read.
UNREADABLE = (100, 100)

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


@dataclass(frozen=True)
class Version:
    """One size of a photo, in pixels."""

    content: bytes
    width: int
    height: int


def shrunk(data: bytes) -> list[Version]:
    """Return a picture as an app sends it: JPEG versions, the smallest first.

    Raises OSError when it is not a picture.
    """
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    longest = max(upright.size)
    edges = [edge for edge in EDGES if edge < longest]
    return [_version(upright, edge) for edge in (*edges, min(longest, EDGES[-1]))][: len(EDGES)]


def untouched(data: bytes) -> list[Version]:
    """Return a picture as its only version, byte for byte, whatever it is."""
    return [Version(data, *(size_of(data) or UNREADABLE))]


def from_bot(data: bytes) -> list[Version]:
    """Return a bot's photo as Telegram keeps it; raise Refused in Telegram's words."""
    if len(data) > MAX_PHOTO_BYTES:
        raise bad(f"file of size {len(data)} bytes is too big for a photo; the maximum size is {MAX_PHOTO_BYTES} bytes")
    width, height = size_of(data) or (0, 0)
    if not width or not height:
        raise bad("IMAGE_PROCESS_FAILED")
    if width + height > MAX_SIDES or max(width, height) > MAX_RATIO * min(width, height):
        raise bad("PHOTO_INVALID_DIMENSIONS")
    try:
        return shrunk(data)
    except OSError:
        raise bad("IMAGE_PROCESS_FAILED") from None


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels, None when it is not a picture."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            return opened.size
    except (OSError, Image.DecompressionBombError):
        return None


def _version(upright: Image.Image, edge: int) -> Version:
    small = upright.copy()
    small.thumbnail((edge, edge))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=87)
    return Version(written.getvalue(), *small.size)
