"""Which of the pictures in a TIFF is the picture: the first one, unless the file is a camera's raw data.

Runs in the converting process only. A TIFF is a chain of directories, one for
each page, and each may name further ones (SubIFDs). Programs put smaller copies
into either, for quick views and for zooming; cameras put the raw data there, and
a small view of it first.

Sources: TIFF 6.0; Adobe's TIFF Technical Note 1 (SubIFDs); the DNG specification.
"""

from collections.abc import Iterable
from io import BytesIO

from PIL.TiffImagePlugin import ImageFileDirectory_v2 as Directory

#: directories that are looked at; a copy at half its sides, and half of that, makes 16 at the most
_MOST_DIRECTORIES = 32
#: tags of one directory: real ones have tens, and each costs Pillow a few microseconds
_MOST_TAGS = 4096

_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 256, 257, 262, 330, 0xC612
#: bits of the subfile type: a smaller copy, and a mask that says what is transparent
_REDUCED, _MASK = 1, 4
#: what a sensor saw, colour by colour or not: nothing that could be shown
_OF_SENSORS = {32803, 34892}
#: how Canon marks its own
_CR2_PLACE, _CR2 = slice(8, 10), b"CR"
_BIG_TIFF = (b"II+\x00", b"MM\x00+")


def is_raw(content: bytes) -> bool:
    """Tell a raw file from a picture: what could be opened of it is a preview."""
    first = _first(content)
    if content[_CR2_PLACE] == _CR2 or _DNG_VERSION in first or first.get(_SUBFILE_TYPE) == _REDUCED:
        return True
    found = [first, *(_directory(content, place) for place in _places(first)[:_MOST_DIRECTORIES])]
    return any(each.get(_PHOTOMETRIC) in _OF_SENSORS or _pixels(each) > _pixels(first) for each in found)


def has_pages(content: bytes) -> bool:
    """Tell whether there are further pictures than the first, beside smaller copies and masks."""
    place, count = _first(content).next, 0
    while place and count < _MOST_DIRECTORIES:
        page = _directory(content, place)
        if not _flags(page) & (_REDUCED | _MASK):
            return True
        place, count = page.next, count + 1
    return bool(place)


def describes_picture(content: bytes) -> bool:
    """Tell whether there is a first picture, however its pixels are written."""
    return _pixels(_first(content)) > 0


def _empty(content: bytes) -> Directory:
    return Directory(content[: 16 if content.startswith(_BIG_TIFF) else 8])


def _first(content: bytes) -> Directory:
    return _directory(content, _empty(content).next)


def _directory(content: bytes, place: int) -> Directory:
    """Read the directory at a byte offset; empty where there is none, or one of endless tags."""
    found = _empty(content)
    size = 8 if content.startswith(_BIG_TIFF) else 2
    count = int.from_bytes(content[place : place + size], "little" if content.startswith(b"II") else "big")
    if count <= _MOST_TAGS:
        stream = BytesIO(content)
        stream.seek(place)
        found.load(stream)
    return found


def _places(directory: Directory) -> list[int]:
    value = directory.get(_SUB_IFDS, ())
    values = value if isinstance(value, Iterable) else (value,)
    return [place for place in values if isinstance(place, int)]


def _pixels(directory: Directory) -> int:
    sides = directory.get(_WIDTH), directory.get(_HEIGHT)
    width, height = (side if isinstance(side, int) else 0 for side in sides)
    return width * height


def _flags(directory: Directory) -> int:
    value = directory.get(_SUBFILE_TYPE)
    return value if isinstance(value, int) else 0
