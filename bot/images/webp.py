"""WebP from chunk to chunk, to the end that its own header names.

A WebP is whole when the file is as long as its header says and the chunks fill
that length exactly. A single picture must be as large as the canvas that is
announced for it: readers that trust the canvas would otherwise be fooled.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bot.images.errors import UnreadableImage
from bot.images.exif import is_upright
from bot.images.limits import ImageStructure, check_dimensions, check_part_count

_IMAGE_CHUNKS = {b"VP8 ", b"VP8L"}
_KEPT_CHUNKS = _IMAGE_CHUNKS | {b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
_ANIMATION_FLAG = 0x02
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F


@dataclass(frozen=True, slots=True)
class WebpChunk:
    """One chunk in its place."""

    name: bytes
    #: byte offset of its data
    body: int
    #: byte offset behind its data, before the byte that pads it to an even length
    end: int


def is_webp(content: bytes) -> bool:
    """Tell whether the file claims to be WebP."""
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def read_webp(content: bytes) -> ImageStructure:
    """Describe a file that claims to be WebP.

    Raises Unreadable or TooManyPixels.
    """
    end = read_declared_end(content)
    parts = list(read_webp_chunks(content, end))
    width, height = _read_dimensions(content, parts)
    check_dimensions(width, height)
    view = memoryview(content)
    return ImageStructure(
        width=width,
        height=height,
        upright=all(is_upright(view[part.body : part.end]) for part in parts if part.name == b"EXIF"),
        has_metadata=end < len(content) or any(is_webp_metadata(part) for part in parts),
        animated=_is_animated(content, parts[0]),
    )


def read_webp_chunks(content: bytes, end: int) -> Iterator[WebpChunk]:
    """Walk all chunks up to the byte offset where the WebP ends.

    Raises Unreadable when a chunk reaches beyond it, or there is none.
    """
    place, count = 12, 0
    while place < end or not count:
        count += 1
        check_part_count(count)
        part = _read_chunk(content, place, end)
        yield part
        place = part.end + (part.end - part.body) % 2


def has_single_frame(content: bytes) -> bool:
    """Tell whether a WebP that was read without error is an animation of one frame, which is a still picture."""
    return sum(part.name == b"ANMF" for part in read_webp_chunks(content, read_declared_end(content))) == 1


def is_webp_metadata(part: WebpChunk) -> bool:
    """Tell whether a chunk can go without changing how the picture looks."""
    return part.name not in _KEPT_CHUNKS


def read_declared_end(content: bytes) -> int:
    """Give the byte offset where the WebP ends by its own header; raises Unreadable if the file is shorter."""
    end = 8 + int.from_bytes(content[4:8], "little")
    if end > len(content):
        raise UnreadableImage("the WebP is cut short")
    return end


def _read_chunk(content: bytes, place: int, limit: int) -> WebpChunk:
    body = place + 8
    end = body + int.from_bytes(content[place + 4 : body], "little")
    if body > limit or end > limit:
        raise UnreadableImage("the WebP is damaged: a chunk is longer than the file")
    return WebpChunk(content[place : place + 4], body, end)


def _is_animated(content: bytes, first: WebpChunk) -> bool:
    return first.name == b"VP8X" and bool(content[first.body] & _ANIMATION_FLAG)


def _read_dimensions(content: bytes, parts: list[WebpChunk]) -> tuple[int, int]:
    if parts[0].name != b"VP8X":
        return _read_image_dimensions(content, parts[0])
    canvas = _read_canvas_dimensions(content, parts[0])
    pictures = [part for part in parts if part.name in _IMAGE_CHUNKS]
    if _is_animated(content, parts[0]):
        if not any(part.name == b"ANMF" for part in parts):
            raise UnreadableImage("the WebP holds no picture")
    elif len(pictures) != 1 or _read_image_dimensions(content, pictures[0]) != canvas:
        raise UnreadableImage("the WebP does not hold the picture that it announces")
    return canvas


def _read_canvas_dimensions(content: bytes, part: WebpChunk) -> tuple[int, int]:
    if part.end - part.body < 10:
        raise UnreadableImage("the header of the WebP is too short")
    width = int.from_bytes(content[part.body + 4 : part.body + 7], "little") + 1
    height = int.from_bytes(content[part.body + 7 : part.body + 10], "little") + 1
    return width, height


def _read_image_dimensions(content: bytes, part: WebpChunk) -> tuple[int, int]:
    if part.end - part.body < 10:
        raise UnreadableImage("the WebP holds no picture")
    if part.name == b"VP8 " and content[part.body + 3 : part.body + 6] == _LOSSY_START:
        width, height = struct.unpack_from("<HH", content, part.body + 6)
        return width & 0x3FFF, height & 0x3FFF
    if part.name == b"VP8L" and content[part.body] == _LOSSLESS_START:
        bits = int.from_bytes(content[part.body + 1 : part.body + 5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise UnreadableImage("the WebP holds no picture")
