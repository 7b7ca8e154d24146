"""Checks of HEIF (HEIC, AVIF) and TIFF files before decoding: how much work they are, and what is in a TIFF.

A HEIF image may be derived from other items: a grid of tiles, a copy of an item. It can refer to items any number of
times and show only a part of them, so a decompression bomb of six kilobytes can take gigapixels (libheif 1.23 allows
it). A TIFF can have any number of strips, and contain smaller copies, masks and further pages.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from io import BytesIO

from PIL.TiffImagePlugin import ImageFileDirectory_v2 as TiffDirectory

from bot.images import limits
from bot.images.errors import DecodingTooCostly, UnreadableImage
from bot.images.format_detection import Chunk


def check_heif_items(content: bytes) -> None:
    """Raise DecodingTooCostly if the items have more pixels than in any real image, or UnreadableImage.

    If a file contradicts itself, the larger value counts, because the decoder may use it.
    """
    try:
        items = _HeifItems(content)
        pixels = sum(items.count_pixels(each) for each in items.primary_items)
    except struct.error:
        raise UnreadableImage("the file ends before its items do") from None
    if pixels > limits.MAX_HEIF_ITEM_PIXELS:
        raise DecodingTooCostly("the image is derived from too many others")


class _HeifItems:
    """The items of a HEIF file, what they are derived from, and their dimensions."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.primary_items: list[int] = []
        self._derived_from: dict[int, list[int]] = defaultdict(list)
        self._auxiliaries: dict[int, list[int]] = defaultdict(list)
        #: by property number, which starts at 1; the area is 0 for properties other than dimensions
        self._property_areas = [0]
        self._item_areas: dict[int, int] = {}
        self._counted: dict[int, int] = {}
        for name, start, end in self._read_boxes(0, len(content)):
            if name == b"meta":
                self._read_meta(start + 4, end)

    def count_pixels(self, item: int, depth: int = 0) -> int:
        """Return how many pixels have to be decoded for an item, its auxiliary images included."""
        if depth > limits.MAX_HEIF_ITEM_DEPTH:
            raise DecodingTooCostly("the image is derived from others without an end")
        if item not in self._counted:
            own = 0 if item in self._derived_from else self._item_areas.get(item, 0)
            others = [*self._derived_from.get(item, []), *self._auxiliaries.get(item, [])]
            self._counted[item] = own + sum(self.count_pixels(each, depth + 1) for each in others)
        return self._counted[item]

    def _read_boxes(self, start: int, end: int) -> Iterator[Chunk]:
        number = 0
        while start + 8 <= end:
            number += 1
            limits.check_part_count(number)
            size, name = struct.unpack_from(">I4s", self._content, start)
            body = start + 8
            if size == 1:
                (size,), body = struct.unpack_from(">Q", self._content, body), body + 8
            stop = end if size == 0 else min(start + size, end)
            if stop < body:
                return
            yield Chunk(name, body, stop)
            start = stop

    def _read_meta(self, start: int, end: int) -> None:
        for name, body, stop in self._read_boxes(start, end):
            if name == b"pitm":
                self.primary_items += struct.unpack_from(self._read_id_format(body), self._content, body + 4)
            elif name == b"iref":
                self._read_references(body, stop)
            elif name == b"iprp":
                self._read_properties(body, stop)

    def _read_references(self, start: int, end: int) -> None:
        id_format = self._read_id_format(start)
        for name, body, _ in self._read_boxes(start + 4, end):
            head = struct.Struct(f"{id_format}H")
            item, count = head.unpack_from(self._content, body)
            others = struct.unpack_from(f">{count}{id_format[1]}", self._content, body + head.size)
            if name == b"dimg":
                self._derived_from[item] += others
                limits.check_part_count(len(self._derived_from[item]))
            elif name == b"auxl":
                for other in others:
                    self._auxiliaries[other].append(item)

    def _read_id_format(self, body: int) -> str:
        """Return the struct format of the item ids in a box, which depends on its version."""
        (version,) = struct.unpack_from(">B", self._content, body)
        return ">I" if version else ">H"

    def _read_properties(self, start: int, end: int) -> None:
        boxes = list(self._read_boxes(start, end))
        properties = (each for box in boxes if box.name == b"ipco" for each in self._read_boxes(box.body, box.end))
        for each in properties:
            is_dimensions = each.name == b"ispe"
            width, height = struct.unpack_from(">II", self._content, each.body + 4) if is_dimensions else (0, 0)
            self._property_areas.append(width * height)
        for box in boxes:
            if box.name == b"ipma":
                self._read_associations(box.body)

    def _read_associations(self, start: int) -> None:
        version, flags, entries = struct.unpack_from(">B2xBI", self._content, start)
        head = struct.Struct(">IB" if version else ">HB")
        number_format, mask = ("H", 0x7FFF) if flags & 1 else ("B", 0x7F)
        start += 8
        limits.check_part_count(entries)
        for _ in range(entries):
            item, count = head.unpack_from(self._content, start)
            properties = struct.Struct(f">{count}{number_format}")
            numbers = properties.unpack_from(self._content, start + head.size)
            start += head.size + properties.size
            known = self._property_areas
            areas = (known[number & mask] for number in numbers if number & mask < len(known))
            self._item_areas[item] = max([self._item_areas.get(item, 0), *areas])


_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 256, 257, 262, 330, 0xC612
_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324
#: Bits of the subfile type: a smaller copy, a transparency mask.
_REDUCED, _MASK = 1, 4
#: Photometric interpretations of sensor data: colour filter array, linear raw.
_SENSOR_PHOTOMETRICS = {32803, 34892}
#: The signature of Canon's raw files.
_CR2_FIELD, _CR2_MAGIC = slice(8, 10), b"CR"
_BIG_TIFF = (b"II+\x00", b"MM\x00+")


def check_tiff_directory(content: bytes) -> None:
    """Raise DecodingTooCostly for more strips or tiles than any real TIFF has.

    Each costs the decoder as much as a small file. A directory that cannot be read is left to the decoder to refuse.
    """
    try:
        _check_strip_count(content)
    except struct.error:
        return


def _check_strip_count(content: bytes) -> None:
    order = "<" if content.startswith(b"II") else ">"
    is_big = content[2:4] in (b"+\x00", b"\x00+")  # BigTIFF has numbers of eight bytes instead of four
    (start,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", content, 8 if is_big else 4)
    if start > len(content):
        return
    head = struct.Struct(f"{order}{'Q' if is_big else 'H'}")
    (count,) = head.unpack_from(content, start)
    entry = struct.Struct(f"{order}HH{'Q8x' if is_big else 'I4x'}")
    for number in range(count):
        tag, _, strips = entry.unpack_from(content, start + head.size + number * entry.size)
        if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and strips > limits.MAX_TIFF_STRIPS_OR_TILES:
            raise DecodingTooCostly("the TIFF has too many strips or tiles")


def is_camera_raw(content: bytes) -> bool:
    """Tell whether a TIFF is a camera raw file, of which only the preview could be decoded."""
    first = _read_first_directory(content)
    if content[_CR2_FIELD] == _CR2_MAGIC or _DNG_VERSION in first or first.get(_SUBFILE_TYPE) == _REDUCED:
        return True
    inner = [_read_directory(content, offset) for offset in _sub_ifd_offsets(first)[: limits.MAX_TIFF_DIRECTORIES]]
    return any(
        each.get(_PHOTOMETRIC) in _SENSOR_PHOTOMETRICS or _pixel_count(each) > _pixel_count(first)
        for each in (first, *inner)
    )


def has_several_pages(content: bytes) -> bool:
    """Tell whether a TIFF has further images that are neither smaller copies nor masks."""
    offset = _read_first_directory(content).next
    for _ in range(limits.MAX_TIFF_DIRECTORIES):
        if not offset:
            return False
        page = _read_directory(content, offset)
        subfile_type = page.get(_SUBFILE_TYPE)
        if not isinstance(subfile_type, int) or not subfile_type & (_REDUCED | _MASK):
            return True
        offset = page.next
    return bool(offset)


def describes_image(content: bytes) -> bool:
    """Tell whether a TIFF declares an image, whatever the encoding of its pixels."""
    return _pixel_count(_read_first_directory(content)) > 0


def _read_first_directory(content: bytes) -> TiffDirectory:
    return _read_directory(content, _empty_directory(content).next)


def _empty_directory(content: bytes) -> TiffDirectory:
    return TiffDirectory(content[: 16 if content.startswith(_BIG_TIFF) else 8])


def _read_directory(content: bytes, offset: int) -> TiffDirectory:
    """Read the directory at a byte offset; empty if there is none, or it has too many tags."""
    directory = _empty_directory(content)
    size = 8 if content.startswith(_BIG_TIFF) else 2
    count = int.from_bytes(content[offset : offset + size], "little" if content.startswith(b"II") else "big")
    if count <= limits.MAX_TIFF_TAGS:
        stream = BytesIO(content)
        stream.seek(offset)
        directory.load(stream)
    return directory


def _sub_ifd_offsets(directory: TiffDirectory) -> list[int]:
    value = directory.get(_SUB_IFDS, ())
    values = value if isinstance(value, Iterable) else (value,)
    return [offset for offset in values if isinstance(offset, int)]


def _pixel_count(directory: TiffDirectory) -> int:
    width, height = directory.get(_WIDTH), directory.get(_HEIGHT)
    return width * height if isinstance(width, int) and isinstance(height, int) else 0
