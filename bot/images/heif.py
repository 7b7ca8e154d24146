"""The items of a HEIC or AVIF file, as far as they say how much there is to decode.

Such a file puts its picture together from others: a grid of tiles, a copy of another item. What it is put together
from may be named any number of times, and may be far larger than what is shown of it; so six kilobytes can ask for
gigapixels (libheif 1.23 and its limits let them).
"""

import struct
from collections import defaultdict
from collections.abc import Iterator

from bot.images.errors import DecodingTooCostly, UnreadableImage
from bot.images.limits import MAX_PIXELS, check_part_count

#: pixels in all that a picture is put together from. That of a phone is its tiles of 512 x 512, with what they have
#: beyond its edges, and smaller companions such as an alpha channel or a map of brightness.
MAX_PIXELS_OF_HEIF_ITEMS = 3 * MAX_PIXELS

#: how often an item is made of others that are made of others
_MAX_ITEM_DEPTH = 4

#: name, first byte of the body, byte behind the last
_Box = tuple[bytes, int, int]


def check_heif_items(content: bytes) -> None:
    """Raise TooMuchWork for a picture that is put together from more pixels than any real one, or Unreadable.

    Where a file says something twice, or more than it may, the larger counts: who decodes it may choose.
    """
    try:
        pixels = _HeifItems(content).count_pixels()
    except struct.error:
        raise UnreadableImage("the file ends before its items do") from None
    if pixels > MAX_PIXELS_OF_HEIF_ITEMS:
        raise DecodingTooCostly("the picture is put together from too many others")


class _HeifItems:
    """What the items of a file are made of, and how large they are."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._primary_items: list[int] = []
        self._derived_from: dict[int, list[int]] = defaultdict(list)
        self._auxiliaries: dict[int, list[int]] = defaultdict(list)
        self._property_areas: list[int] = []
        self._item_areas: dict[int, int] = {}
        self._counted: dict[int, int] = {}
        for name, start, end in self._read_boxes(0, len(content)):
            if name == b"meta":
                self._read_meta(start + 4, end)

    def count_pixels(self) -> int:
        """Return how many pixels are decoded for the picture and the channels that belong to it."""
        return sum(self._count_item_pixels(item, 0) for item in self._primary_items)

    def _count_item_pixels(self, item: int, depth: int) -> int:
        if depth > _MAX_ITEM_DEPTH:
            raise DecodingTooCostly("the picture is made of others without an end")
        if item not in self._counted:
            own = 0 if item in self._derived_from else self._item_areas.get(item, 0)
            others = [*self._derived_from.get(item, []), *self._auxiliaries.get(item, [])]
            self._counted[item] = own + sum(self._count_item_pixels(each, depth + 1) for each in others)
        return self._counted[item]

    def _read_boxes(self, start: int, end: int) -> Iterator[_Box]:
        count = 0
        while start + 8 <= end:
            count += 1
            check_part_count(count)
            size, name = struct.unpack_from(">I4s", self._content, start)
            body = start + 8
            if size == 1:
                (size,), body = struct.unpack_from(">Q", self._content, body), body + 8
            stop = end if size == 0 else min(start + size, end)
            if stop < body:
                return
            yield name, body, stop
            start = stop

    def _read_meta(self, start: int, end: int) -> None:
        for name, body, stop in self._read_boxes(start, end):
            if name == b"pitm":
                self._primary_items += struct.unpack_from(self._read_id_format(body), self._content, body + 4)
            elif name == b"iref":
                self._read_references(body, stop)
            elif name == b"iprp":
                self._read_properties(body, stop)

    def _read_references(self, start: int, end: int) -> None:
        form = self._read_id_format(start)
        for name, body, _ in self._read_boxes(start + 4, end):
            item, count = struct.unpack_from(f"{form}H", self._content, body)
            others = struct.unpack_from(f">{count}{form[1]}", self._content, body + struct.calcsize(f"{form}H"))
            if name == b"dimg":
                self._derived_from[item] += others
                check_part_count(len(self._derived_from[item]))
            elif name == b"auxl":
                for other in others:
                    self._auxiliaries[other].append(item)

    def _read_id_format(self, body: int) -> str:
        """Return how the ids of items are written in a box, by its version."""
        (version,) = struct.unpack_from(">B", self._content, body)
        return ">I" if version else ">H"

    def _read_properties(self, start: int, end: int) -> None:
        boxes = list(self._read_boxes(start, end))
        for _, body, stop in (box for box in boxes if box[0] == b"ipco"):
            self._property_areas += [self._read_area(box) for box in self._read_boxes(body, stop)]
        for _, body, _ in (box for box in boxes if box[0] == b"ipma"):
            self._read_associations(body)

    def _read_area(self, box: _Box) -> int:
        name, body, _ = box
        if name != b"ispe":
            return 0
        width, height = struct.unpack_from(">II", self._content, body + 4)
        return int(width * height)

    def _read_associations(self, place: int) -> None:
        version, flags, entries = struct.unpack_from(">B2xBI", self._content, place)
        head = struct.Struct(">IB" if version else ">HB")
        place += 8
        check_part_count(entries)
        for _ in range(entries):
            item, count = head.unpack_from(self._content, place)
            kind, mask = ("H", 0x7FFF) if flags & 1 else ("B", 0x7F)
            numbers = struct.unpack_from(f">{count}{kind}", self._content, place + head.size)
            place += head.size + struct.calcsize(f">{count}{kind}")
            self._item_areas[item] = max(
                [self._item_areas.get(item, 0), *(self._area_of_property(number & mask) for number in numbers)]
            )

    def _area_of_property(self, number: int) -> int:
        """Return the area that a property tells, by its number, counted from 1."""
        return self._property_areas[number - 1] if 0 < number <= len(self._property_areas) else 0
