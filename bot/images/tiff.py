"""The directory of a TIFF, as far as it says how many pieces there are to look at."""

import struct
from collections.abc import Iterable
from io import BytesIO

from PIL.TiffImagePlugin import ImageFileDirectory_v2 as Directory

from bot.images.errors import DecodingTooCostly

#: strips or tiles: the largest picture that is opened has 45,000 rows, written by scanners with a strip for each
MAX_STRIPS_OR_TILES = 100_000

_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324


def check_tiff_directory(content: bytes) -> None:
    """Raise TooMuchWork for a TIFF of more pieces than any real one; each costs the decoder as much as a small file.

    What cannot be followed is left for the decoder to refuse.
    """
    try:
        _check_strip_count(content)
    except struct.error:
        return


def _check_strip_count(content: bytes) -> None:
    order = "<" if content.startswith(b"II") else ">"
    is_big = content[2:4] in (b"+\x00", b"\x00+")  # BigTIFF: numbers of eight bytes in place of four
    (start,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", content, 8 if is_big else 4)
    if start > len(content):
        return
    count_of_entries = struct.Struct(f"{order}{'Q' if is_big else 'H'}")
    (count,) = count_of_entries.unpack_from(content, start)
    entry = struct.Struct(f"{order}HH{'Q8x' if is_big else 'I4x'}")
    for number in range(count):
        tag, _, pieces = entry.unpack_from(content, start + count_of_entries.size + number * entry.size)
        if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and pieces > MAX_STRIPS_OR_TILES:
            raise DecodingTooCostly("the TIFF is cut into too many pieces")


#: directories that are looked at; a copy at half its sides, and half of that, makes 16 at the most
_MAX_DIRECTORIES = 32
#: tags of one directory: real ones have tens, and each costs Pillow a few microseconds
_MAX_TAGS = 4096

_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 256, 257, 262, 330, 0xC612
#: bits of the subfile type: a smaller copy, and a mask that says what is transparent
_REDUCED, _MASK = 1, 4
#: what a sensor saw, colour by colour or not: nothing that could be shown
_SENSOR_PHOTOMETRICS = {32803, 34892}
#: how Canon marks its own
_CR2_FIELD, _CR2_MAGIC = slice(8, 10), b"CR"
_BIG_TIFF = (b"II+\x00", b"MM\x00+")


def is_camera_raw(content: bytes) -> bool:
    """Tell a raw file from a picture: what could be opened of it is a preview."""
    first = _read_first_directory(content)
    if content[_CR2_FIELD] == _CR2_MAGIC or _DNG_VERSION in first or first.get(_SUBFILE_TYPE) == _REDUCED:
        return True
    found = [first, *(_read_directory(content, place) for place in _sub_ifd_offsets(first)[:_MAX_DIRECTORIES])]
    return any(
        each.get(_PHOTOMETRIC) in _SENSOR_PHOTOMETRICS or _pixel_count(each) > _pixel_count(first) for each in found
    )


def has_several_pages(content: bytes) -> bool:
    """Tell whether there are further pictures than the first, beside smaller copies and masks."""
    place, count = _read_first_directory(content).next, 0
    while place and count < _MAX_DIRECTORIES:
        page = _read_directory(content, place)
        if not _subfile_type(page) & (_REDUCED | _MASK):
            return True
        place, count = page.next, count + 1
    return bool(place)


def describes_image(content: bytes) -> bool:
    """Tell whether there is a first picture, however its pixels are written."""
    return _pixel_count(_read_first_directory(content)) > 0


def _empty_directory(content: bytes) -> Directory:
    return Directory(content[: 16 if content.startswith(_BIG_TIFF) else 8])


def _read_first_directory(content: bytes) -> Directory:
    return _read_directory(content, _empty_directory(content).next)


def _read_directory(content: bytes, place: int) -> Directory:
    """Read the directory at a byte offset; empty where there is none, or one of endless tags."""
    found = _empty_directory(content)
    size = 8 if content.startswith(_BIG_TIFF) else 2
    count = int.from_bytes(content[place : place + size], "little" if content.startswith(b"II") else "big")
    if count <= _MAX_TAGS:
        stream = BytesIO(content)
        stream.seek(place)
        found.load(stream)
    return found


def _sub_ifd_offsets(directory: Directory) -> list[int]:
    value = directory.get(_SUB_IFDS, ())
    values = value if isinstance(value, Iterable) else (value,)
    return [place for place in values if isinstance(place, int)]


def _pixel_count(directory: Directory) -> int:
    sides = directory.get(_WIDTH), directory.get(_HEIGHT)
    width, height = (side if isinstance(side, int) else 0 for side in sides)
    return width * height


def _subfile_type(directory: Directory) -> int:
    value = directory.get(_SUBFILE_TYPE)
    return value if isinstance(value, int) else 0
