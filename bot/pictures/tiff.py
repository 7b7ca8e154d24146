"""The directory of a TIFF, as far as it says how many pieces there are to look at."""

import struct

from bot.pictures.errors import TooMuchWork

#: strips or tiles: the largest picture that is opened has 45,000 rows, written by scanners with a strip for each
MOST_PIECES = 100_000

_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324


def check_directory(content: bytes) -> None:
    """Raise TooMuchWork for a TIFF of more pieces than any real one; each costs the decoder as much as a small file.

    What cannot be followed is left for the decoder to refuse.
    """
    try:
        _check(content)
    except struct.error:
        return


def _check(content: bytes) -> None:
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
        if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and pieces > MOST_PIECES:
            raise TooMuchWork("the TIFF is cut into too many pieces")
