"""What the readers of the three formats find out, and the bounds that they share.

The readers (`jpeg`, `png`, `webp`) walk through a file from part to part by the
lengths written in it and never decode a pixel. So their work grows with the
bytes that are there, not with the size that a header claims: a hundred bytes
that announce 2.5 gigapixels cost as little as any other hundred bytes.
"""

from dataclasses import dataclass

from bot.images.errors import DecodingTooCostly, ExtremeAspectRatio, TooManyPixels, UnreadableImage

#: about 150 MB once decoded; the largest phone sensors deliver 12 to 50 million by default
MAX_PIXELS = 50_000_000

#: how often the longer side may hold the shorter. Telegram's sendPhoto takes no more (Bot API), and the longest shape
#: that any of Kie's models makes is 8:1.
MAX_ASPECT_RATIO = 20

#: segments or chunks in one file. Real files have tens, or thousands when they are cut in
#: small pieces; a million empty ones exist only to keep a reader busy.
MAX_PARTS = 50_000


@dataclass(frozen=True, slots=True)
class ImageStructure:
    """One picture file as its parts describe it."""

    #: pixels, as stored, before any rotation
    width: int
    height: int
    #: EXIF says nothing about the orientation, or that nothing needs turning
    upright: bool
    #: there is something beside the picture and its colours
    has_metadata: bool
    #: there is more than one frame
    animated: bool = False


def check_dimensions(width: int, height: int) -> None:
    """Accept sides (pixels) that a picture can have and that we can afford.

    Raises Unreadable for an empty side and TooManyPixels above MOST_PIXELS.
    """
    if width < 1 or height < 1:
        raise UnreadableImage("a side of the picture is empty")
    if width * height > MAX_PIXELS:
        raise TooManyPixels(width, height)


def check_aspect_ratio(width: int, height: int) -> None:
    """Accept sides (pixels) of a shape that a model can do something with; raises TooNarrow."""
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ExtremeAspectRatio(width, height)


def check_part_count(count: int) -> None:
    """Give up on a file that is cut into more pieces than any real one."""
    if count > MAX_PARTS:
        raise DecodingTooCostly("the file consists of too many pieces")


#: bytes. Kie allows "10.0 MB" and Telegram "10 MB" for a photo, neither says which megabyte:
#: the smaller one is right under both readings.
MAX_FILE_BYTES = 10_000_000

#: bytes of address space of the converting process
CONVERTER_MEMORY_BYTES = 1 << 30

#: pixels, by the name that Pillow has for the format
MAX_PIXELS_TO_DECODE = {
    "JPEG": 100_000_000,
    "MPO": 100_000_000,
    "PNG": 100_000_000,
    "BMP": 100_000_000,
    "GIF": 100_000_000,
    "TIFF": 100_000_000,
    # The decoders of the others hold the picture several times over.
    "WEBP": MAX_PIXELS,
    "AVIF": MAX_PIXELS,
    "HEIF": MAX_PIXELS,
}
#: Pillow decodes a run-length encoded bitmap in Python, pixel by pixel. Such files have at most 256 colours, and are
#: of a time when screens had less than two million pixels.
MAX_PIXELS_OF_RLE_BMP = 16_000_000
#: such a JPEG can be read at half its sides, line by line
MAX_PIXELS_OF_SINGLE_SCAN_JPEG = 200_000_000
