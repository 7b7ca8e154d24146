"""Tells a JPEG that lacks only its end marker from one that was cut short.

Runs in the converting process only. Many a camera and program leaves the end
marker out, and every viewer shows the whole picture. Where a transfer broke off,
viewers show a part of it and grey; that must not be edited as if it were whole.

The decoder makes no difference between the two, but it shows one: behind a scan
that is complete it skips whatever comes before the end marker, and a scan that is
not it fills up with that.
"""

import hashlib
from io import BytesIO

from PIL import Image

from bot.pictures import jpeg
from bot.pictures.errors import Unreadable

_EOI = b"\xff\xd9"

#: Rows that are hashed at once.
_STRIP = 64

#: Compressed data of no meaning, with every restart marker that a scan may be waiting for.
_FILLING = b"".join(bytes(range(1, 0xFF, 2)) + bytes([0xFF, 0xD0 + number]) for number in range(8)) * 2


def refuse_cut(content: bytes, *, is_halved: bool = False) -> None:
    """Decode a JPEG twice whose end marker was added; raises Unreadable when a part of the picture is missing.

    `is_halved` decodes half of each side, where all of it is too much for our memory.
    """
    filled = content.removesuffix(_EOI).removesuffix(b"\xff") + _FILLING + _EOI
    if jpeg.lacks_scans(content) or _shown(content, is_halved=is_halved) != _shown(filled, is_halved=is_halved):
        raise Unreadable("the JPEG is cut short inside the picture")


def _shown(content: bytes, *, is_halved: bool) -> bytes:
    """Name what a decoder makes of these bytes, without a second copy of its pixels."""
    image = Image.open(BytesIO(content), formats=["JPEG"])
    if is_halved:
        image.draft(None, (image.width // 2, image.height // 2))
    found = hashlib.sha256()
    for top in range(0, image.height, _STRIP):
        found.update(image.crop((0, top, image.width, min(top + _STRIP, image.height))).tobytes())
    return found.digest()
