"""PNG from chunk to chunk, until the one that ends the picture.

A PNG is whole when its IEND is reached and every chunk that holds the picture
has the checksum that it names. Checksums of other chunks are not looked at:
decoders skip those too, and what they hold does not reach anybody.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from bot.images.errors import UnreadableImage, WrongChecksum
from bot.images.exif import is_upright
from bot.images.limits import ImageStructure, check_dimensions, check_part_count

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CRITICAL_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_COLOUR_CHUNKS = {b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD"}
#: resolution, and hints for screens with few colours
_TECHNICAL_CHUNKS = {b"pHYs", b"hIST", b"sPLT"}
_KEPT_CHUNKS = _CRITICAL_CHUNKS | _COLOUR_CHUNKS | _TECHNICAL_CHUNKS

#: bits per sample that the specification allows, by colour type
_BIT_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}


@dataclass(frozen=True, slots=True)
class PngChunk:
    """One chunk in its place."""

    name: bytes
    #: byte offset of its data
    body: int
    #: byte offset behind its data, where the checksum begins
    end: int


def read_png(content: bytes) -> ImageStructure:
    """Describe a PNG whose first eight bytes are SIGNATURE.

    Raises Unreadable or TooManyPixels.
    """
    width, height = _read_dimensions(content)
    parts = list(read_png_chunks(content))
    names = {part.name for part in parts}
    if b"IDAT" not in names:
        raise UnreadableImage("the PNG holds no picture")
    trailing = parts[-1].end + 4 < len(content)
    view = memoryview(content)
    return ImageStructure(
        width=width,
        height=height,
        upright=all(is_upright(view[part.body : part.end]) for part in parts if part.name == b"eXIf"),
        has_metadata=trailing or any(is_png_metadata(part) for part in parts),
        # The first frame may be the picture itself (IDAT); fdAT holds every other one.
        animated={b"acTL", b"fdAT"} <= names,
    )


def read_png_chunks(content: bytes) -> Iterator[PngChunk]:
    """Walk from the header chunk to IEND, both included.

    Raises Unreadable where the walk cannot go on.
    """
    place, count = len(PNG_SIGNATURE), 0
    while True:
        count += 1
        check_part_count(count)
        part = _read_chunk(content, place)
        yield part
        if part.name == b"IEND":
            return
        place = part.end + 4


def is_png_metadata(part: PngChunk) -> bool:
    """Tell whether a chunk can go without changing how the picture looks."""
    return part.name not in _KEPT_CHUNKS


def _read_chunk(content: bytes, place: int) -> PngChunk:
    head = content[place : place + 8]
    body = place + 8
    end = body + int.from_bytes(head[:4], "big")
    if len(head) < 8 or end + 4 > len(content):
        raise UnreadableImage("the PNG is cut short")
    name = head[4:]
    if name in _CRITICAL_CHUNKS:
        _check_crc(content, body, end)
    elif not name.isalpha() or name[:1].isupper():
        # A capital first letter means that the picture cannot be shown without this chunk.
        raise UnreadableImage("the PNG holds a chunk of no known kind")
    return PngChunk(name, body, end)


def _check_crc(content: bytes, body: int, end: int) -> None:
    """The checksum covers the name, which lies in the four bytes before the data."""
    if zlib.crc32(memoryview(content)[body - 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
        raise WrongChecksum("the PNG is damaged")


def _read_dimensions(content: bytes) -> tuple[int, int]:
    """Read the header at its fixed place, before anything else is looked at."""
    head = _read_chunk(content, len(PNG_SIGNATURE))
    if head.name != b"IHDR" or head.end - head.body != 13:
        raise UnreadableImage("the PNG does not begin with its header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack_from(">IIBBBBB", content, head.body)
    if depth not in _BIT_DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise UnreadableImage("the header of the PNG makes no sense")
    check_dimensions(width, height)
    return width, height
