"""Valid files of a few kilobytes that would keep a decoder busy for minutes."""

import struct
from collections.abc import Sequence

from tests.images.sample_files import encode_image, jpeg_segment, make_exif

#: four-bit codes for runs of 1, 2, 4 ... 16384 empty blocks, plus as many as the following bits say
_RUNS = range(15)


def jpeg_with_scans(scans: int, width: int = 64, height: int = 64, *, orientation: int = 1) -> bytes:
    """A progressive JPEG, plain grey, of so many scans; all but the first change nothing."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    blocks = -(-width // 8) * -(-height // 8)
    empty = _empty_scan_data(blocks)
    first = jpeg_segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-blocks // 8))
    second = jpeg_segment(0xDA, bytes([1, 1, 0, 1, 63, 0x01])) + empty
    refined = jpeg_segment(0xDA, bytes([1, 1, 0, 1, 63, 0x10])) + empty
    return b"".join(
        [
            b"\xff\xd8",
            jpeg_segment(0xE1, make_exif(orientation)),
            jpeg_segment(0xDB, bytes([0]) + bytes([1]) * 64),
            jpeg_segment(0xC2, frame),
            jpeg_segment(0xC4, bytes([0x00, 1]) + bytes(15) + bytes([0])),
            jpeg_segment(0xC4, bytes([0x10, 0, 0, 0, len(_RUNS)]) + bytes(12) + bytes(run << 4 for run in _RUNS)),
            *[first, second, *[refined] * scans][:scans],
            b"\xff\xd9",
        ]
    )


def _empty_scan_data(blocks: int) -> bytes:
    """Encode so many empty blocks, as in a scan of AC coefficients."""
    bits = ""
    while blocks:
        run = min(_RUNS[-1], blocks.bit_length() - 1)
        more = min(blocks - (1 << run), (1 << run) - 1)
        bits += f"{run:04b}" + (f"{more:0{run}b}" if run else "")
        blocks -= (1 << run) + more
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")


def jpeg_with_exif_segments(count: int, size: int) -> bytes:
    """A rotated JPEG with so many further EXIF segments."""
    content = encode_image("JPEG", exif=make_exif(6))
    place = content.index(b"\xff\xe1")
    behind = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return content[:behind] + jpeg_segment(0xE1, b"Exif\x00\x00" + bytes(size)) * count + content[behind:]


def rle_bitmap(width: int, height: int) -> bytes:
    """A black run-length encoded bitmap, with a few bytes per row."""
    rows = b"\x01\x00\x00\x00" * height + b"\x00\x01"
    colours = bytes(4 * 256)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 256)
    start = 14 + len(head) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + colours + rows


def tiff_with_strips(strips: int, *, big: bool = False) -> bytes:
    """A TIFF of 64 x 64 pixels that refers to the same strip so many times."""
    number, entry = ("Q", "<HHQQ") if big else ("I", "<HHII")
    head = b"II+\x00\x08\x00\x00\x00" + struct.pack("<Q", 16) if big else b"II*\x00" + struct.pack("<I", 8)
    offsets = len(head) + (8 if big else 2) + 8 * struct.calcsize(entry) + struct.calcsize(number)
    values = {256: (1, 64), 257: (1, 64), 258: (1, 8), 259: (1, 1), 262: (1, 1), 273: (strips, offsets)}
    values |= {277: (1, 1), 278: (1, 64)}
    entries = [struct.pack(entry, tag, 4, count, value) for tag, (count, value) in values.items()]
    directory = struct.pack("<Q" if big else "<H", len(entries)) + b"".join(entries) + bytes(struct.calcsize(number))
    return head + directory + struct.pack("<I", offsets + 4 * strips) * strips + bytes(64 * 64)


def heic_with_items(
    derived_from: dict[int, Sequence[int]], sizes: dict[int, tuple[int, int]], auxiliaries: dict[int, int] | None = None
) -> bytes:
    """The beginning of a HEIC whose primary item is 1."""
    references = b"".join(
        _box(b"dimg", struct.pack(f">HH{len(to)}H", item, len(to), *to)) for item, to in derived_from.items()
    )
    references += b"".join(_box(b"auxl", struct.pack(">HHH", item, 1, of)) for item, of in (auxiliaries or {}).items())
    properties = b"".join(_box(b"ispe", struct.pack(">III", 0, *dimensions)) for dimensions in sizes.values())
    links = b"".join(struct.pack(">HBB", item, 1, 0x80 | number) for number, item in enumerate(sizes, start=1))
    meta = [
        _box(b"pitm", struct.pack(">IH", 0, 1)),
        _box(b"iref", bytes(4) + references),
        _box(b"iprp", _box(b"ipco", properties) + _box(b"ipma", struct.pack(">II", 0, len(sizes)) + links)),
    ]
    return _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + _box(b"meta", bytes(4) + b"".join(meta))


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body
