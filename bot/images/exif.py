"""Whether EXIF says that a picture must be turned before it is looked at.

EXIF is a small TIFF file: a byte order, then a directory of 12-byte entries of
which one may be the orientation. Editors write it in many broken ways, so
whatever cannot be read counts as "not upright": the picture is then turned by
the converter, which looks closer, and nobody gets a sideways answer because we
believed in luck.
"""

import struct
from collections.abc import Iterator

_PREFIX = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_SHORT = 3
_UPRIGHT = 1
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}


def is_upright(exif: bytes | memoryview) -> bool:
    """Tell whether this EXIF block leaves the picture as it is stored.

    The block may begin with "Exif\\0\\0" as it must in JPEG; PNG and WebP leave
    that out, though some programs write it there too.
    """
    tiff = bytes(exif).removeprefix(_PREFIX)
    try:
        return all(value == _UPRIGHT for value in _read_orientations(tiff))
    except (struct.error, ValueError):
        return False


def _read_orientations(tiff: bytes) -> Iterator[int]:
    order = _BYTE_ORDERS.get(tiff[:2])
    if order is None:
        raise ValueError("no byte order")
    magic, directory = struct.unpack_from(order + "HI", tiff, 2)
    if magic != 42:
        raise ValueError("not the beginning of EXIF")
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    for place in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, values, value = struct.unpack_from(order + "HHIH", tiff, place)
        if tag == _ORIENTATION:
            if (kind, values) != (_SHORT, 1):
                raise ValueError("an orientation of a strange type")
            yield value
