"""PNG from chunk to chunk, until the one that ends the picture.

A PNG is whole when its IEND is reached and every chunk that holds the picture
has the checksum that it names. Checksums of other chunks are not looked at:
decoders skip those too, and what they hold does not reach anybody.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from bot.pictures.errors import Unreadable, WrongChecksum
from bot.pictures.exif import is_upright
from bot.pictures.structure import Structure, check_parts, check_sides

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_COLOURS = {b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD"}
#: resolution, and hints for screens with few colours
_TECHNICAL = {b"pHYs", b"hIST", b"sPLT"}
_HARMLESS = _PICTURE | _COLOURS | _TECHNICAL

#: bits per sample that the specification allows, by colour type
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk in its place."""

    name: bytes
    #: byte offset of its data
    body: int
    #: byte offset behind its data, where the checksum begins
    end: int


def read(content: bytes) -> Structure:
    """Describe a PNG whose first eight bytes are SIGNATURE.

    Raises Unreadable or TooManyPixels.
    """
    width, height = _sides(content)
    parts = list(chunks(content))
    names = {part.name for part in parts}
    if b"IDAT" not in names:
        raise Unreadable("the PNG holds no picture")
    trailing = parts[-1].end + 4 < len(content)
    view = memoryview(content)
    return Structure(
        width=width,
        height=height,
        upright=all(is_upright(view[part.body : part.end]) for part in parts if part.name == b"eXIf"),
        has_metadata=trailing or any(is_metadata(part) for part in parts),
        # The first frame may be the picture itself (IDAT); fdAT holds every other one.
        animated={b"acTL", b"fdAT"} <= names,
    )


def chunks(content: bytes) -> Iterator[Chunk]:
    """Walk from the header chunk to IEND, both included.

    Raises Unreadable where the walk cannot go on.
    """
    place, count = len(SIGNATURE), 0
    while True:
        count += 1
        check_parts(count)
        part = _chunk_at(content, place)
        yield part
        if part.name == b"IEND":
            return
        place = part.end + 4


def is_metadata(part: Chunk) -> bool:
    """Tell whether a chunk can go without changing how the picture looks."""
    return part.name not in _HARMLESS


def _chunk_at(content: bytes, place: int) -> Chunk:
    head = content[place : place + 8]
    body = place + 8
    end = body + int.from_bytes(head[:4], "big")
    if len(head) < 8 or end + 4 > len(content):
        raise Unreadable("the PNG is cut short")
    name = head[4:]
    if name in _PICTURE:
        _check_sum(content, body, end)
    elif not name.isalpha() or name[:1].isupper():
        # A capital first letter means that the picture cannot be shown without this chunk.
        raise Unreadable("the PNG holds a chunk of no known kind")
    return Chunk(name, body, end)


def _check_sum(content: bytes, body: int, end: int) -> None:
    """The checksum covers the name, which lies in the four bytes before the data."""
    if zlib.crc32(memoryview(content)[body - 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
        raise WrongChecksum("the PNG is damaged")


def _sides(content: bytes) -> tuple[int, int]:
    """Read the header at its fixed place, before anything else is looked at."""
    head = _chunk_at(content, len(SIGNATURE))
    if head.name != b"IHDR" or head.end - head.body != 13:
        raise Unreadable("the PNG does not begin with its header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack_from(">IIBBBBB", content, head.body)
    if depth not in _DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise Unreadable("the header of the PNG makes no sense")
    check_sides(width, height)
    return width, height
