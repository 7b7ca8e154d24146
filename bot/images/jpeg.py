"""Parses a JPEG segment by segment, up to its end marker (EOI).

A JPEG is complete if that marker is reached. Because the parser follows the lengths, it skips the end marker of a
thumbnail together with the segment around it, and does not find one in a truncated file.

Cameras write more than the standard allows, and decoders (all browsers use libjpeg) skip it: stray bytes before a
marker, and segments without a valid length. So does this parser; what it skips belongs to no segment.
"""

import contextlib
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from bot.images import limits
from bot.images.errors import DecodingTooCostly, UnreadableImage, UnsupportedImageFormat
from bot.images.exif_orientation import is_upright
from bot.images.format_detection import ImageFormat, ImageInfo, OtherImageFormat

SIGNATURE = b"\xff\xd8\xff"
SOI, EOI = b"\xff\xd8", b"\xff\xd9"

_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_APPS = range(_APP0, _APP15 + 1)
_PROGRESSIVE = 0xC2
#: Baseline, extended and progressive Huffman coding, which every decoder supports.
_FRAMES = {0xC0, 0xC1, _PROGRESSIVE}
#: Lossless, hierarchical and arithmetic coding, which are in the standard but not in use.
_RARE_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
#: DHT, DAC, DQT, DNL, DRI, DHP and EXP.
_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}
#: JPG0 to JPG13, reserved for extensions that never came.
_EXTENSIONS = range(0xF0, 0xFE)
#: Segments that decoders skip by their length.
_SKIPPED = {_COMMENT, *_APPS, *_EXTENSIONS}
_KNOWN = {_SCAN, *_SKIPPED, *_TABLES, *_FRAMES, *_RARE_FRAMES}

#: Application segments of a fixed size: marker, signature, bytes.
_STANDARD_HEADERS = ((_APP0, b"JFIF\x00", 14), (_APP14, b"Adobe", 12))
#: Newer phones append a gain map for HDR screens to the photo, with the MPO index of stereo cameras.
_GAIN_MAPS = (b"hdrgm:", b"urn:iso:std:iso:ts:21496")

#: In a scan, FF 00 is data, FF D0 to FF D7 are restart markers and FF FF is padding; elsewhere decoders skip them.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
#: Bytes of the length field of a segment; the length includes them.
_LENGTH = 2


@dataclass(frozen=True, slots=True)
class JpegSegment:
    """A segment; that of a scan includes its compressed data."""

    content: bytes = field(repr=False)
    marker: int
    #: byte offset of the FF that begins it
    start: int
    #: byte offset after the marker and the length
    body: int
    #: byte offset after its last byte
    end: int

    @property
    def data(self) -> bytes:
        """The bytes after the marker and the length."""
        return self.content[self.body : self.end]

    @property
    def raw(self) -> memoryview:
        """The whole segment."""
        return memoryview(self.content)[self.start : self.end]

    @property
    def is_exif(self) -> bool:
        return self.marker == _APP1 and self.data.startswith(b"Exif\x00\x00")

    @property
    def is_mpo_index(self) -> bool:
        """Tell whether it is the index of an MPO, which locates the images after the first."""
        return self.marker == _APP2 and self.data.startswith(b"MPF\x00")

    @property
    def has_metadata(self) -> bool:
        return len(self.without_metadata()) < len(self.raw)

    def without_metadata(self) -> bytes | memoryview:
        """Return what decoders need of the segment: all of it, nothing, or the standard part of a longer header.

        A longer JFIF header contains a thumbnail; a longer Adobe header can contain anything.
        """
        data = self.data if self.marker in _APPS else b""
        if data.startswith(b"ICC_PROFILE\x00") and self.marker == _APP2:
            return self.raw
        for marker, name, size in _STANDARD_HEADERS:
            if self.marker == marker and data.startswith(name) and len(data) >= size:
                return self.raw if len(data) == size else _shorten_header(marker, data[:size])
        return b"" if self.marker in _SKIPPED else self.raw


def _shorten_header(marker: int, data: bytes) -> bytes:
    if marker == _APP0:
        data = data[:-2] + bytes(2)  # the dimensions of the JFIF thumbnail
    return struct.pack(">BBH", 0xFF, marker, len(data) + _LENGTH) + data


def read_jpeg(content: bytes) -> ImageInfo:
    """Describe a JPEG that begins with SIGNATURE.

    Raises UnreadableImage and TooManyPixels, and UnsupportedImageFormat for MPO.
    """
    segments = list(read_segments(content))
    _refuse_mpo(segments)
    width, height = _read_dimensions(segments)
    upright = all(is_upright(each.data) for each in segments if each.is_exif)
    has_metadata = _has_stray_bytes(content, segments) or any(each.has_metadata for each in segments)
    return ImageInfo(ImageFormat.JPEG, width, height, len(content), upright=upright, has_metadata=has_metadata)


def read_segments(content: bytes) -> Iterator[JpegSegment]:
    """Yield all segments up to the end marker; what follows is not part of the image. Raises UnreadableImage."""
    start = len(SOI)
    for number in count(1):
        limits.check_part_count(number)
        segment = _read_segment(content, start)
        yield segment
        if segment.marker == _END:
            return
        start = segment.end


def read_segments_until_damage(content: bytes) -> list[JpegSegment]:
    """Return the readable segments before any damage; the last one of a complete JPEG is the end marker."""
    segments = []
    with contextlib.suppress(UnreadableImage):
        for segment in read_segments(content):
            segments.append(segment)  # noqa: PERF402 - list() would lose them with the error
    return segments


def repair_jpeg(content: bytes) -> tuple[bytes, bool]:
    """Return a JPEG without stray bytes, and whether a missing end marker was added.

    Without that marker, only decoding shows whether the last scan is complete. Stray bytes are left out because Pillow
    skips them one by one. Raises UnreadableImage if there is no scan before the damage, as nothing can be decoded then.
    """
    ended = content + EOI
    segments = read_segments_until_damage(ended)
    if not any(each.marker == _SCAN for each in segments):
        raise UnreadableImage("the JPEG is truncated or damaged before its first scan")
    is_added = segments[-1].end == len(ended)
    if segments[-1].marker != _END or (is_added and segments[-2].marker != _SCAN):
        return content, False
    return SOI + b"".join(each.raw for each in segments), is_added


def lacks_scans(content: bytes) -> bool:
    """Tell whether the scans of a JPEG lack a colour component or, if it is progressive, some of its bits."""
    segments = read_segments_until_damage(content)
    frames = [each for each in segments if each.marker in _FRAMES]
    is_progressive = any(each.marker == _PROGRESSIVE for each in frames)
    missing_bits = {}
    for scan in (each for each in segments if each.marker == _SCAN):
        selection = scan.body + 1 + 2 * content[scan.body]
        # the first and last of the 64 coefficients in the scan, and how many of their low bits it omits
        first, last, precision = content[selection : selection + 3] if is_progressive else (0, 63, 0)
        for component in content[scan.body + 1 : selection : 2]:
            missing_bits.update({(component, index): precision & 0x0F for index in range(first, last + 1)})
    components = [component for frame in frames for component in content[frame.body + 6 : frame.end : 3]]
    return any(missing_bits.get((component, index), 1) for component in components for index in range(64))


def count_scans(content: bytes) -> int:
    """Count the scans, and after any damage everything that may be one."""
    segments = read_segments_until_damage(content)
    scans = sum(each.marker == _SCAN for each in segments)
    if not segments or segments[-1].marker != _END:
        scans += content.count(bytes([0xFF, _SCAN]), segments[-1].end if segments else 0)
    return scans


def check_scans(scans: int, pixels: int) -> None:
    """Raise DecodingTooCostly for more scans than any real JPEG with so many pixels has."""
    if scans > limits.MAX_JPEG_SCANS or scans * pixels > limits.MAX_JPEG_SCANS_TIMES_PIXELS:
        raise DecodingTooCostly("the JPEG paints over itself too often")


def has_single_scan(content: bytes) -> bool:
    """Tell whether a decoder needs only a few rows in memory at a time.

    Progressive images, and those with a scan for each colour, are collected in memory before the first row.
    """
    markers = [each.marker for each in read_segments_until_damage(content)]
    return markers[-1:] == [_END] and markers.count(_SCAN) == 1 and _PROGRESSIVE not in markers


def keep_first_exif(content: bytes) -> bytes:
    """Return a JPEG with only the first of its EXIF segments, which has the orientation.

    The time that Pillow takes to join them grows with the square of their number.
    """
    segments = read_segments_until_damage(content)
    further = {each.start for each in segments if each.is_exif}
    if len(further) < 2:
        return content
    further.remove(min(further))
    kept = (each.raw for each in segments if each.start not in further)
    return b"".join([SOI, *kept, memoryview(content)[segments[-1].end :]])


def _read_segment(content: bytes, start: int) -> JpegSegment:
    start, body = _find_marker(content, start, "the JPEG is truncated")
    marker = content[body - 1]
    if marker == _END:
        return JpegSegment(content, marker, start, body, body)
    if marker not in _KNOWN:
        raise UnreadableImage("the JPEG has a segment of an unknown kind")
    length = int.from_bytes(content[body : body + _LENGTH], "big")
    if marker in _SKIPPED:
        length = max(length, _LENGTH)
    end = body + length
    if length < _LENGTH or end > len(content):
        raise UnreadableImage("the JPEG is truncated inside a segment")
    if marker == _SCAN:
        end, _ = _find_marker(content, end, "the JPEG is truncated inside a scan")
    return JpegSegment(content, marker, start, body + _LENGTH, end)


def _find_marker(content: bytes, start: int, reason: str) -> tuple[int, int]:
    found = _MARKER.search(content, start)
    if found is None:
        raise UnreadableImage(reason)
    return found.span()


def _read_dimensions(segments: Sequence[JpegSegment]) -> tuple[int, int]:
    markers = [each.marker for each in segments]
    if _RARE_FRAMES.intersection(markers):
        raise UnreadableImage("the JPEG is coded in a way that hardly any program reads")
    frames = [index for index, marker in enumerate(markers) if marker in _FRAMES]
    if len(frames) != 1 or _SCAN not in markers[frames[0] :] or _SCAN in markers[: frames[0]]:
        raise UnreadableImage("the JPEG does not contain exactly one image")
    data = segments[frames[0]].data
    try:
        bits, height, width, components = struct.unpack_from(">BHHB", data)
    except struct.error:
        raise UnreadableImage("the header of the JPEG is too short") from None
    if bits != 8 or components not in {1, 3, 4} or len(data) != 6 + 3 * components:
        raise UnreadableImage("the header of the JPEG makes no sense")
    pixels = min(width * height, limits.MAX_PIXELS_TO_DECODE["JPEG"])  # larger images are not decoded
    check_scans(markers.count(_SCAN), pixels)
    limits.check_dimensions(width, height)
    return width, height


def _has_stray_bytes(content: bytes, segments: Sequence[JpegSegment]) -> bool:
    ends = [len(SOI), *(each.end for each in segments)]
    starts = [*(each.start for each in segments), len(content)]
    return starts != ends


def _refuse_mpo(segments: Sequence[JpegSegment]) -> None:
    if any(each.is_mpo_index for each in segments):
        apps = [each.data for each in segments if each.marker in _APPS]
        if not any(name in data for data in apps for name in _GAIN_MAPS):
            raise UnsupportedImageFormat(OtherImageFormat.MPO)
