"""The items of a HEIC or AVIF file, as far as they say how much there is to decode.

Such a file puts its picture together from others: a grid of tiles, a copy of another item. What it is put together
from may be named any number of times, and may be far larger than what is shown of it; so six kilobytes can ask for
gigapixels (libheif 1.23 and its limits let them).
"""

import struct
from collections import defaultdict
from collections.abc import Iterator

from bot.pictures.errors import TooMuchWork, Unreadable
from bot.pictures.structure import MOST_PIXELS, check_parts

#: pixels in all that a picture is put together from. That of a phone is its tiles of 512 x 512, with what they have
#: beyond its edges, and smaller companions such as an alpha channel or a map of brightness.
MOST_PIXELS_OF_ITEMS = 3 * MOST_PIXELS

#: how often an item is made of others that are made of others
_DEEPEST = 4

#: name, first byte of the body, byte behind the last
_Box = tuple[bytes, int, int]


def check_items(content: bytes) -> None:
    """Raise TooMuchWork for a picture that is put together from more pixels than any real one, or Unreadable.

    Where a file says something twice, or more than it may, the larger counts: who decodes it may choose.
    """
    try:
        pixels = _Items(content).pixels()
    except struct.error:
        raise Unreadable("the file ends before its items do") from None
    if pixels > MOST_PIXELS_OF_ITEMS:
        raise TooMuchWork("the picture is put together from too many others")


class _Items:
    """What the items of a file are made of, and how large they are."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._primary: list[int] = []
        self._made_of: dict[int, list[int]] = defaultdict(list)
        self._companions: dict[int, list[int]] = defaultdict(list)
        self._properties: list[int] = []
        self._sizes: dict[int, int] = {}
        self._known: dict[int, int] = {}
        for name, start, end in self._boxes(0, len(content)):
            if name == b"meta":
                self._read_meta(start + 4, end)

    def pixels(self) -> int:
        """Return how many pixels are decoded for the picture and the channels that belong to it."""
        return sum(self._pixels_of(item, 0) for item in self._primary)

    def _pixels_of(self, item: int, depth: int) -> int:
        if depth > _DEEPEST:
            raise TooMuchWork("the picture is made of others without an end")
        if item not in self._known:
            own = 0 if item in self._made_of else self._sizes.get(item, 0)
            others = [*self._made_of.get(item, []), *self._companions.get(item, [])]
            self._known[item] = own + sum(self._pixels_of(each, depth + 1) for each in others)
        return self._known[item]

    def _boxes(self, start: int, end: int) -> Iterator[_Box]:
        count = 0
        while start + 8 <= end:
            count += 1
            check_parts(count)
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
        for name, body, stop in self._boxes(start, end):
            if name == b"pitm":
                self._primary += struct.unpack_from(self._form_of_ids(body), self._content, body + 4)
            elif name == b"iref":
                self._read_references(body, stop)
            elif name == b"iprp":
                self._read_properties(body, stop)

    def _read_references(self, start: int, end: int) -> None:
        form = self._form_of_ids(start)
        for name, body, _ in self._boxes(start + 4, end):
            item, count = struct.unpack_from(f"{form}H", self._content, body)
            others = struct.unpack_from(f">{count}{form[1]}", self._content, body + struct.calcsize(f"{form}H"))
            if name == b"dimg":
                self._made_of[item] += others
                check_parts(len(self._made_of[item]))
            elif name == b"auxl":
                for other in others:
                    self._companions[other].append(item)

    def _form_of_ids(self, body: int) -> str:
        """Return how the ids of items are written in a box, by its version."""
        (version,) = struct.unpack_from(">B", self._content, body)
        return ">I" if version else ">H"

    def _read_properties(self, start: int, end: int) -> None:
        boxes = list(self._boxes(start, end))
        for _, body, stop in (box for box in boxes if box[0] == b"ipco"):
            self._properties += [self._area(box) for box in self._boxes(body, stop)]
        for _, body, _ in (box for box in boxes if box[0] == b"ipma"):
            self._read_associations(body)

    def _area(self, box: _Box) -> int:
        name, body, _ = box
        if name != b"ispe":
            return 0
        width, height = struct.unpack_from(">II", self._content, body + 4)
        return int(width * height)

    def _read_associations(self, place: int) -> None:
        version, flags, entries = struct.unpack_from(">B2xBI", self._content, place)
        head = struct.Struct(">IB" if version else ">HB")
        place += 8
        check_parts(entries)
        for _ in range(entries):
            item, count = head.unpack_from(self._content, place)
            kind, mask = ("H", 0x7FFF) if flags & 1 else ("B", 0x7F)
            numbers = struct.unpack_from(f">{count}{kind}", self._content, place + head.size)
            place += head.size + struct.calcsize(f">{count}{kind}")
            self._sizes[item] = max([self._sizes.get(item, 0), *(self._size_of(number & mask) for number in numbers)])

    def _size_of(self, number: int) -> int:
        """Return the area that a property tells, by its number, counted from 1."""
        return self._properties[number - 1] if 0 < number <= len(self._properties) else 0
