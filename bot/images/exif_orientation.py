"""Reads from EXIF whether an image must be rotated for display.

EXIF is a small TIFF file: a byte order, then a directory of 12-byte entries, one of which may be the orientation. Many
editors write broken EXIF; if it cannot be read, the image counts as not upright, and the converter decides.
"""

import struct
from collections.abc import Iterator

_ORIENTATION_TAG = 0x0112
_SHORT = 3
_UPRIGHT = 1


def is_upright(exif: bytes | memoryview) -> bool:
    """Tell whether an EXIF block asks for no rotation.

    It may begin with "Exif\\0\\0", which JPEG requires and some programs also write into PNG and WebP.
    """
    tiff = bytes(exif).removeprefix(b"Exif\x00\x00")
    try:
        return all(value == _UPRIGHT for value in _read_orientations(tiff))
    except (struct.error, ValueError, KeyError):
        return False


def _read_orientations(tiff: bytes) -> Iterator[int]:
    order = {b"II": "<", b"MM": ">"}[tiff[:2]]
    magic, directory = struct.unpack_from(order + "HI", tiff, 2)
    if magic != 42:
        raise ValueError("not the beginning of EXIF")
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    for start in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, values, value = struct.unpack_from(order + "HHIH", tiff, start)
        if tag == _ORIENTATION_TAG:
            if (kind, values) != (_SHORT, 1):
                raise ValueError("an orientation of the wrong type")
            yield value
