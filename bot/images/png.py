"""Parses a PNG chunk by chunk, up to its end chunk (IEND).

A PNG is complete if IEND is reached and every critical chunk matches its checksum (CRC). Those of other chunks are not
checked, because decoders skip these chunks.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import count

from bot.images.errors import UnreadableImage, WrongChecksum
from bot.images.exif_orientation import is_upright
from bot.images.format_detection import Chunk, ImageFormat, ImageInfo
from bot.images.limits import check_dimensions, check_part_count

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CRITICAL_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_COLOUR_CHUNKS = {b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD"}
#: Resolution, and hints for screens with few colours.
_TECHNICAL_CHUNKS = {b"pHYs", b"hIST", b"sPLT"}
#: The chunks that decide what the image looks like.
KEPT_CHUNKS = _CRITICAL_CHUNKS | _COLOUR_CHUNKS | _TECHNICAL_CHUNKS
#: The bits per sample that the specification allows, by colour type.
_BIT_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}


def read_png(content: bytes) -> ImageInfo:
    """Describe a PNG that begins with SIGNATURE. Raises UnreadableImage and TooManyPixels."""
    width, height = _read_dimensions(content)
    chunks = list(read_png_chunks(content))
    names = {each.name for each in chunks}
    if b"IDAT" not in names:
        raise UnreadableImage("the PNG contains no image")
    view = memoryview(content)
    upright = all(is_upright(view[each.body : each.end]) for each in chunks if each.name == b"eXIf")
    has_metadata = chunks[-1].end + 4 < len(content) or not names <= KEPT_CHUNKS
    animated = {b"acTL", b"fdAT"} <= names  # the first frame may be in IDAT, the others are in fdAT
    return ImageInfo(ImageFormat.PNG, width, height, len(content), upright, has_metadata, animated)


def read_png_chunks(content: bytes) -> Iterator[Chunk]:
    """Yield the chunks from the header to IEND. Raises UnreadableImage."""
    start = len(SIGNATURE)
    for number in count(1):
        check_part_count(number)
        chunk = _read_chunk(content, start)
        yield chunk
        if chunk.name == b"IEND":
            return
        start = chunk.end + 4


def _read_chunk(content: bytes, start: int) -> Chunk:
    head = content[start : start + 8]
    body = start + 8
    end = body + int.from_bytes(head[:4], "big")
    if len(head) < 8 or end + 4 > len(content):
        raise UnreadableImage("the PNG is truncated")
    name = head[4:]
    if name in _CRITICAL_CHUNKS:
        # the checksum covers the name, in the four bytes before the data
        if zlib.crc32(memoryview(content)[body - 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            raise WrongChecksum("the PNG is damaged")
    elif not name.isalpha() or name[:1].isupper():
        # a capital first letter marks a critical chunk
        raise UnreadableImage("the PNG has a critical chunk of an unknown kind")
    return Chunk(name, body, end)


def _read_dimensions(content: bytes) -> tuple[int, int]:
    header = _read_chunk(content, len(SIGNATURE))
    if header.name != b"IHDR" or header.end - header.body != 13:
        raise UnreadableImage("the PNG does not begin with its header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack_from(">IIBBBBB", content, header.body)
    if depth not in _BIT_DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise UnreadableImage("the header of the PNG makes no sense")
    check_dimensions(width, height)
    return width, height
