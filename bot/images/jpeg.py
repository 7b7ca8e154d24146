"""JPEG from segment to segment, until the marker that ends the picture.

A JPEG is whole when its end marker is reached; a download that was cut
anywhere before never gets there, because lengths are followed and a thumbnail's
own end marker is skipped with the segment that holds it.

Cameras write more than the standard allows, and decoders (libjpeg is the one that
all browsers use) step over it: stray bytes before a marker, and segments without
even a length. So does this walk, and what was stepped over is none of its parts.
"""

import contextlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bot.images.errors import DecodingTooCostly, OtherImageFormat, UnreadableImage, UnsupportedImageFormat
from bot.images.exif import is_upright
from bot.images.limits import MAX_PIXELS_TO_DECODE, ImageStructure, check_dimensions, check_part_count

JPEG_SIGNATURE = b"\xff\xd8\xff"

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
#: baseline, extended and progressive Huffman: what every reader can read
_PROGRESSIVE = 0xC2
_FRAMES = {0xC0, 0xC1, _PROGRESSIVE}
#: which of the 64 coefficients a scan holds, first and last, and how many of their bits it leaves out
_SEQUENTIAL = 0, 63, 0
#: lossless, hierarchical and arithmetic coding: in the standard, but not in the world
_RARE_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
#: tables: DHT, DAC, DQT, DNL, DRI, DHP, EXP
_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}
#: the application segments of one standard size: marker, beginning, bytes
_HEADERS = ((_APP0, b"JFIF\x00", 14), (_APP14, b"Adobe", 12))
#: where a JFIF header gives the sides of its thumbnail
_JFIF_THUMBNAIL = slice(12, 14)
_APPS = range(_APP0, _APP15 + 1)
#: JPG0 to JPG13, reserved for extensions that baseline and progressive pictures never got
_EXTENSIONS = range(0xF0, 0xFE)
#: segments that decoders skip by their length
_SKIPPED = {_COMMENT, *_APPS, *_EXTENSIONS}
#: bytes of the number that says how long a segment is, which counts itself
_LENGTH = 2

#: scans of one picture: libjpeg writes 10 into a progressive one, mozjpeg 11; libtiff and GDAL give up at 100, too
MAX_SCANS = 100
#: scans times pixels: a scan in which nothing changes has a few bytes, and takes a decoder as long as any other
#: (libjpeg-turbo, "Two Issues with the JPEG Standard")
MAX_SCANS_TIMES_PIXELS = 25 * MAX_PIXELS_TO_DECODE["JPEG"]

#: Inside a scan, FF 00 is a byte of the picture, FF D0 to FF D7 are restarts and FF FF is padding;
#: between segments, decoders skip them.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"

_EXIF = b"Exif\x00\x00"
_MPO_INDEX = b"MPF\x00"
#: Newer phones put a brightness map for HDR screens behind the photo, with the same index that
#: stereo cameras use. The photo is an ordinary one, the map is something beside it.
_GAIN_MAPS = (b"hdrgm:", b"urn:iso:std:iso:ts:21496")


@dataclass(frozen=True, slots=True)
class JpegSegment:
    """One segment in its place; a scan includes the compressed data that follows its header."""

    marker: int
    #: byte offset of the FF that begins it
    start: int
    #: byte offset of what follows the marker and the length
    body: int
    #: byte offset behind its last byte
    end: int


def read_jpeg(content: bytes) -> ImageStructure:
    """Describe a JPEG whose first three bytes are SIGNATURE.

    Raises Unreadable, TooMuchWork, TooManyPixels, or Recognised for MPO.
    """
    parts = list(read_segments(content))
    apps = [(part.marker, content[part.body : part.end]) for part in parts if part.marker in _APPS]
    _refuse_mpo(apps)
    width, height = _read_dimensions(content, parts)
    return ImageStructure(
        width=width,
        height=height,
        upright=all(is_upright(body) for marker, body in apps if is_exif_segment(marker, body)),
        has_metadata=_has_stray_bytes(content, parts) or any(is_jpeg_metadata(content, part) for part in parts),
    )


def read_segments(content: bytes) -> Iterator[JpegSegment]:
    """Walk from the first segment to the end marker, both included.

    What follows the end marker is not walked: it belongs to no picture.
    Raises Unreadable where the walk cannot go on.
    """
    place, count = len(JPEG_SIGNATURE) - 1, 0
    while True:
        count += 1
        check_part_count(count)
        part = _read_segment(content, place)
        yield part
        if part.marker == _END:
            return
        place = part.end


def read_segments_until_damage(content: bytes) -> list[JpegSegment]:
    """Walk as far as the walk goes; the last segment is the end marker if it went all the way."""
    parts = []
    with contextlib.suppress(UnreadableImage):  # what came before is the answer
        for part in read_segments(content):
            parts.append(part)  # noqa: PERF402 - list() would lose them with the error
    return parts


def repair_jpeg(content: bytes) -> tuple[bytes, bool]:
    """Give what a decoder needs of a JPEG, and tell whether the end marker was missing and has been added.

    Without it the last scan may be complete, or cut short: only decoding tells. What lies between the parts and behind
    them is left out; decoders step over it, but Pillow byte by byte. Raises Unreadable where the walk reaches no scan,
    because no decoder gets further.
    """
    ended = content + _EOI
    parts = read_segments_until_damage(ended)
    if not any(part.marker == _SCAN for part in parts):
        raise UnreadableImage("the JPEG is cut short or damaged before its picture begins")
    is_added = parts[-1].end == len(ended)
    if parts[-1].marker != _END or (is_added and parts[-2].marker != _SCAN):
        return content, False
    view = memoryview(ended)
    return _SOI + b"".join(view[part.start : part.end] for part in parts), is_added


def lacks_scans(content: bytes) -> bool:
    """Tell whether the scans of a JPEG leave out a colour, or (progressive) some bits of it."""
    parts = read_segments_until_damage(content)
    frames = [part for part in parts if part.marker in _FRAMES]
    is_progressive = any(part.marker == _PROGRESSIVE for part in frames)
    bits_left = {}
    for scan in (part for part in parts if part.marker == _SCAN):
        behind = scan.body + 1 + 2 * content[scan.body]
        first, last, precision = content[behind : behind + 3] if is_progressive else _SEQUENTIAL
        for colour in content[scan.body + 1 : behind : 2]:
            bits_left.update({(colour, place): precision & 0x0F for place in range(first, last + 1)})
    colours = [colour for part in frames for colour in content[part.body + 6 : part.end : 3]]
    return any(bits_left.get((colour, place), 1) for colour in colours for place in range(64))


def count_scans(content: bytes) -> int:
    """Count the scans; where the walk goes no further, whatever may be one."""
    parts = read_segments_until_damage(content)
    count = sum(part.marker == _SCAN for part in parts)
    if not parts or parts[-1].marker != _END:
        count += content.count(bytes([0xFF, _SCAN]), parts[-1].end if parts else 0)
    return count


def check_scans(count: int, pixels: int) -> None:
    """Raise TooMuchWork for a JPEG of so many pixels with more scans than any real one."""
    if count > MAX_SCANS or count * pixels > MAX_SCANS_TIMES_PIXELS:
        raise DecodingTooCostly("the JPEG paints over itself too often")


def is_jpeg_metadata(content: bytes, part: JpegSegment) -> bool:
    """Tell whether a segment can go without changing how the picture looks."""
    if part.marker == _COMMENT or part.marker in _EXTENSIONS:
        return True
    return part.marker in _APPS and not _is_needed_by_decoder(part.marker, content[part.body : part.end])


def is_mpo_index(content: bytes, part: JpegSegment) -> bool:
    """Tell whether a segment says where further pictures lie behind the first one."""
    return part.marker == _APP2 and content[part.body : part.end].startswith(_MPO_INDEX)


def has_single_scan(content: bytes) -> bool:
    """Tell whether a decoder gets along with a few lines at a time.

    Progressive pictures, and those with a scan per colour, are collected in
    memory as a whole before the first line can be shown. So may be what the walk cannot follow.
    """
    markers = [part.marker for part in read_segments_until_damage(content)]
    return markers[-1:] == [_END] and markers.count(_SCAN) == 1 and _PROGRESSIVE not in markers


def is_exif_segment(marker: int, body: bytes) -> bool:
    """Tell whether an application segment holds EXIF."""
    return marker == _APP1 and body.startswith(_EXIF)


def keep_first_exif(content: bytes) -> bytes:
    """Give a JPEG with the first of its EXIF segments only, which is where the orientation is.

    Pillow puts several together anew with each of them, in a time that grows with the square of their number.
    """
    parts = read_segments_until_damage(content)
    exifs = [part.start for part in parts if is_exif_segment(part.marker, content[part.body : part.end])]
    if len(exifs) < 2:
        return content
    view, further = memoryview(content), set(exifs[1:])
    kept = (view[part.start : part.end] for part in parts if part.start not in further)
    return b"".join([_SOI, *kept, view[parts[-1].end :]])


def _is_needed_by_decoder(marker: int, body: bytes) -> bool:
    """The three application segments that decoders need, in exactly their standard size.

    A JFIF header above 14 bytes carries a thumbnail; bytes behind an Adobe
    header carry anything at all.
    """
    if marker == _APP2:
        return body.startswith(b"ICC_PROFILE\x00")
    return any(marker == kind and body.startswith(name) and len(body) == size for kind, name, size in _HEADERS)


def keep_standard_header(content: bytes, part: JpegSegment) -> bytes:
    """Give what must stay of a segment that is_metadata names, as a whole segment; nothing for most.

    Of a JFIF header that carries a thumbnail, and of an Adobe header that
    carries anything, the standard part stays: it says how colours are coded.
    """
    body = bytearray(content[part.body : part.end])
    for kind, name, size in _HEADERS:
        if part.marker == kind and body.startswith(name) and len(body) > size:
            if kind == _APP0:
                body[_JFIF_THUMBNAIL] = bytes(2)
            return struct.pack(">BBH", 0xFF, kind, size + 2) + bytes(body[:size])
    return b""


def _read_segment(content: bytes, start: int) -> JpegSegment:
    found = _MARKER.search(content, start)
    if found is None:
        raise UnreadableImage("the JPEG is cut short")
    start, body = found.span()
    marker = content[body - 1]
    if marker == _END:
        return JpegSegment(marker, start, body, body)
    if marker not in _SKIPPED and marker not in {_SCAN, *_TABLES, *_FRAMES, *_RARE_FRAMES}:
        raise UnreadableImage("the JPEG holds a segment of no known kind")
    end = _find_segment_end(content, body, is_skipped=marker in _SKIPPED)
    if marker == _SCAN:
        end = _find_scan_end(content, end)
    return JpegSegment(marker, start, body + _LENGTH, end)


def _find_segment_end(content: bytes, place: int, *, is_skipped: bool) -> int:
    length = int.from_bytes(content[place : place + _LENGTH], "big")
    if is_skipped:
        length = max(length, _LENGTH)
    if length < _LENGTH or place + length > len(content):
        raise UnreadableImage("the JPEG is cut short inside a segment")
    return place + length


def _find_scan_end(content: bytes, place: int) -> int:
    found = _MARKER.search(content, place)
    if found is None:
        raise UnreadableImage("the JPEG is cut short inside the picture")
    return found.start()


def _read_dimensions(content: bytes, parts: list[JpegSegment]) -> tuple[int, int]:
    markers = [part.marker for part in parts]
    if _RARE_FRAMES.intersection(markers):
        raise UnreadableImage("the JPEG is coded in a way that hardly any program reads")
    frames = [index for index, marker in enumerate(markers) if marker in _FRAMES]
    if len(frames) != 1 or _SCAN not in markers[frames[0] :] or _SCAN in markers[: frames[0]]:
        raise UnreadableImage("the JPEG does not hold exactly one picture")
    return _read_frame_dimensions(content, parts[frames[0]], markers.count(_SCAN))


def _read_frame_dimensions(content: bytes, frame: JpegSegment, scans: int) -> tuple[int, int]:
    try:
        bits, height, width, colours = struct.unpack_from(">BHHB", content[frame.body : frame.end])
    except struct.error:
        raise UnreadableImage("the header of the JPEG is too short") from None
    if bits != 8 or colours not in {1, 3, 4} or frame.end - frame.body != 6 + 3 * colours:
        raise UnreadableImage("the header of the JPEG makes no sense")
    pixels = min(width * height, MAX_PIXELS_TO_DECODE["JPEG"])  # those of larger ones are never decoded
    check_scans(scans, pixels)
    check_dimensions(width, height)
    return width, height


def _has_stray_bytes(content: bytes, parts: list[JpegSegment]) -> bool:
    """Tell whether there is anything between the parts, or behind the last one."""
    ends = [len(_SOI), *(part.end for part in parts)]
    starts = [*(part.start for part in parts), len(content)]
    return starts != ends


def _refuse_mpo(apps: list[tuple[int, bytes]]) -> None:
    indexed = any(marker == _APP2 and body.startswith(_MPO_INDEX) for marker, body in apps)
    if indexed and not any(sign in body for _, body in apps for sign in _GAIN_MAPS):
        raise UnsupportedImageFormat(OtherImageFormat.MPO)
