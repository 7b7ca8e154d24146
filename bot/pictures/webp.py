"""WebP from chunk to chunk, to the end that its own header names.

A WebP is whole when the file is as long as its header says and the chunks fill
that length exactly. A single picture must be as large as the canvas that is
announced for it: readers that trust the canvas would otherwise be fooled.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bot.pictures.errors import Unreadable
from bot.pictures.exif import is_upright
from bot.pictures.structure import Structure, check_parts, check_sides

_PICTURE = {b"VP8 ", b"VP8L"}
_HARMLESS = _PICTURE | {b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
_ANIMATION = 0x02
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk in its place."""

    name: bytes
    #: byte offset of its data
    body: int
    #: byte offset behind its data, before the byte that pads it to an even length
    end: int


def is_webp(content: bytes) -> bool:
    """Tell whether the file claims to be WebP."""
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def read(content: bytes) -> Structure:
    """Describe a file that claims to be WebP.

    Raises Unreadable or TooManyPixels.
    """
    end = announced_end(content)
    parts = list(chunks(content, end))
    width, height = _sides(content, parts)
    check_sides(width, height)
    view = memoryview(content)
    return Structure(
        width=width,
        height=height,
        upright=all(is_upright(view[part.body : part.end]) for part in parts if part.name == b"EXIF"),
        has_metadata=end < len(content) or any(is_metadata(part) for part in parts),
        animated=_is_animated(content, parts[0]),
    )


def chunks(content: bytes, end: int) -> Iterator[Chunk]:
    """Walk all chunks up to the byte offset where the WebP ends.

    Raises Unreadable when a chunk reaches beyond it, or there is none.
    """
    place, count = 12, 0
    while place < end or not count:
        count += 1
        check_parts(count)
        part = _chunk_at(content, place, end)
        yield part
        place = part.end + (part.end - part.body) % 2


def has_one_frame(content: bytes) -> bool:
    """Tell whether a WebP that was read without error is an animation of one frame, which is a still picture."""
    return sum(part.name == b"ANMF" for part in chunks(content, announced_end(content))) == 1


def is_metadata(part: Chunk) -> bool:
    """Tell whether a chunk can go without changing how the picture looks."""
    return part.name not in _HARMLESS


def announced_end(content: bytes) -> int:
    """Give the byte offset where the WebP ends by its own header; raises Unreadable if the file is shorter."""
    end = 8 + int.from_bytes(content[4:8], "little")
    if end > len(content):
        raise Unreadable("the WebP is cut short")
    return end


def _chunk_at(content: bytes, place: int, limit: int) -> Chunk:
    body = place + 8
    end = body + int.from_bytes(content[place + 4 : body], "little")
    if body > limit or end > limit:
        raise Unreadable("the WebP is damaged: a chunk is longer than the file")
    return Chunk(content[place : place + 4], body, end)


def _is_animated(content: bytes, first: Chunk) -> bool:
    return first.name == b"VP8X" and bool(content[first.body] & _ANIMATION)


def _sides(content: bytes, parts: list[Chunk]) -> tuple[int, int]:
    if parts[0].name != b"VP8X":
        return _sides_of_picture(content, parts[0])
    canvas = _sides_of_canvas(content, parts[0])
    pictures = [part for part in parts if part.name in _PICTURE]
    if _is_animated(content, parts[0]):
        if not any(part.name == b"ANMF" for part in parts):
            raise Unreadable("the WebP holds no picture")
    elif len(pictures) != 1 or _sides_of_picture(content, pictures[0]) != canvas:
        raise Unreadable("the WebP does not hold the picture that it announces")
    return canvas


def _sides_of_canvas(content: bytes, part: Chunk) -> tuple[int, int]:
    if part.end - part.body < 10:
        raise Unreadable("the header of the WebP is too short")
    width = int.from_bytes(content[part.body + 4 : part.body + 7], "little") + 1
    height = int.from_bytes(content[part.body + 7 : part.body + 10], "little") + 1
    return width, height


def _sides_of_picture(content: bytes, part: Chunk) -> tuple[int, int]:
    if part.end - part.body < 10:
        raise Unreadable("the WebP holds no picture")
    if part.name == b"VP8 " and content[part.body + 3 : part.body + 6] == _LOSSY_START:
        width, height = struct.unpack_from("<HH", content, part.body + 6)
        return width & 0x3FFF, height & 0x3FFF
    if part.name == b"VP8L" and content[part.body] == _LOSSLESS_START:
        bits = int.from_bytes(content[part.body + 1 : part.body + 5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise Unreadable("the WebP holds no picture")
