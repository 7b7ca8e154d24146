"""How large a picture may be: to be sent on, and to be opened at all.

Bytes are what the documentation of the model limits. A bound on its pixels is
not documented, so the one for sending is our own reader's: the picture changes
as little as possible, and 50 million pixels hold every photo that a phone takes
by default. (A side above 4096 pixels was reported as refused, but for models
that make films.)

The bounds for opening follow from the memory of the converting process: each
of them fits in, measured with the costliest file of its kind.
"""

from bot.pictures.structure import MOST_PIXELS

__all__ = ["CHILD_MEMORY", "MOST_PIXELS", "MOST_PIXELS_OF_JPEG_IN_ONE_SCAN", "MOST_PIXELS_TO_OPEN"]

#: bytes of address space of the converting process
CHILD_MEMORY = 1 << 30

#: pixels, by the name that Pillow has for the format
MOST_PIXELS_TO_OPEN = {
    "JPEG": 100_000_000,
    "MPO": 100_000_000,
    "PNG": 100_000_000,
    "BMP": 100_000_000,
    "GIF": 100_000_000,
    "TIFF": 100_000_000,
    # The decoders of the others hold the picture several times over.
    "WEBP": MOST_PIXELS,
    "AVIF": MOST_PIXELS,
    "HEIF": MOST_PIXELS,
}
#: such a JPEG can be read at half its sides, line by line
MOST_PIXELS_OF_JPEG_IN_ONE_SCAN = 200_000_000
