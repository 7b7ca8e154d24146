"""Parses a WebP chunk by chunk, up to the end that its header declares.

A WebP is complete if the file is as long as its header says, and its chunks fill that length exactly. A still image
must be as large as its canvas, because some programs rely on the canvas.
"""

import struct
from collections.abc import Iterator, Sequence

from bot.images.errors import UnreadableImage
from bot.images.exif_orientation import is_upright
from bot.images.format_detection import Chunk, ImageFormat, ImageInfo
from bot.images.limits import check_dimensions, check_part_count

_IMAGE_CHUNKS = {b"VP8 ", b"VP8L"}
#: The chunks that decide what the image looks like.
KEPT_CHUNKS = _IMAGE_CHUNKS | {b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
_ANIMATION_FLAG = 0x02


def is_webp(content: bytes) -> bool:
    """Tell whether the file claims to be WebP."""
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def read_webp(content: bytes) -> ImageInfo:
    """Describe a file that claims to be WebP. Raises UnreadableImage and TooManyPixels."""
    end = read_declared_end(content)
    chunks = list(read_webp_chunks(content, end))
    width, height = _read_dimensions(content, chunks)
    check_dimensions(width, height)
    view = memoryview(content)
    upright = all(is_upright(view[each.body : each.end]) for each in chunks if each.name == b"EXIF")
    has_metadata = end < len(content) or any(each.name not in KEPT_CHUNKS for each in chunks)
    animated = _is_animated(content, chunks[0])
    return ImageInfo(ImageFormat.WEBP, width, height, len(content), upright, has_metadata, animated)


def read_webp_chunks(content: bytes, end: int) -> Iterator[Chunk]:
    """Yield the chunks up to the byte offset where the WebP ends.

    Raises UnreadableImage if there is no chunk, or one reaches beyond that.
    """
    start, number = 12, 0
    while start < end or not number:
        number += 1
        check_part_count(number)
        chunk = _read_chunk(content, start, end)
        yield chunk
        start = chunk.end + (chunk.end - chunk.body) % 2  # padded to an even length


def has_single_frame(content: bytes) -> bool:
    """Tell whether a readable WebP is an animation with a single frame, which is a still image."""
    return sum(each.name == b"ANMF" for each in read_webp_chunks(content, read_declared_end(content))) == 1


def read_declared_end(content: bytes) -> int:
    """Return the byte offset where the WebP ends by its header. Raises UnreadableImage if the file is shorter."""
    end = 8 + int.from_bytes(content[4:8], "little")
    if end > len(content):
        raise UnreadableImage("the WebP is truncated")
    return end


def _read_chunk(content: bytes, start: int, limit: int) -> Chunk:
    body = start + 8
    end = body + int.from_bytes(content[start + 4 : body], "little")
    if body > limit or end > limit:
        raise UnreadableImage("the WebP is damaged: a chunk is longer than the file")
    return Chunk(content[start : start + 4], body, end)


def _is_animated(content: bytes, first: Chunk) -> bool:
    return first.name == b"VP8X" and bool(content[first.body] & _ANIMATION_FLAG)


def _read_dimensions(content: bytes, chunks: Sequence[Chunk]) -> tuple[int, int]:
    header = chunks[0]
    if header.name != b"VP8X":
        return _read_image_dimensions(content, header)
    if header.end - header.body < 10:
        raise UnreadableImage("the header of the WebP is too short")
    width = int.from_bytes(content[header.body + 4 : header.body + 7], "little") + 1
    height = int.from_bytes(content[header.body + 7 : header.body + 10], "little") + 1
    images = [each for each in chunks if each.name in _IMAGE_CHUNKS]
    if _is_animated(content, header):
        if not any(each.name == b"ANMF" for each in chunks):
            raise UnreadableImage("the WebP contains no image")
    elif len(images) != 1 or _read_image_dimensions(content, images[0]) != (width, height):
        raise UnreadableImage("the WebP does not contain the image that it declares")
    return width, height


def _read_image_dimensions(content: bytes, chunk: Chunk) -> tuple[int, int]:
    data = content[chunk.body : min(chunk.end, chunk.body + 10)]
    if len(data) == 10 and chunk.name == b"VP8 " and data[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 6)
        return width & 0x3FFF, height & 0x3FFF
    if len(data) == 10 and chunk.name == b"VP8L" and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise UnreadableImage("the WebP contains no image")
