"""Picture files for the tests: made by Pillow, or byte by byte where Pillow would not."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

ORIENTATION = 0x0112
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def drawn(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Image.Image:
    """A picture with something in it, so that its compressed data is not trivial."""
    return Image.effect_mandelbrot(size, (-3, -2.5, 2, 2.5), 100).convert(mode)


def see_through() -> Image.Image:
    """A picture with transparent places."""
    picture = drawn("RGBA")
    picture.putalpha(drawn("L"))
    return picture


def saved(file_format: str, picture: Image.Image | None = None, **options: object) -> bytes:
    """The bytes of a picture as Pillow writes them."""
    out = BytesIO()
    (picture or drawn()).save(out, file_format, **options)
    return out.getvalue()


def exif(orientation: int | None = None, **texts: str) -> bytes:
    """An EXIF block, with the prefix that JPEG asks for."""
    block = Image.Exif()
    if orientation is not None:
        block[ORIENTATION] = orientation
    for number, text in enumerate(texts.values()):
        block[0x010E + number] = text
    return block.tobytes()


def exif_with_position() -> bytes:
    """EXIF that says where the picture was taken."""
    block = Image.Exif()
    block.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0)})
    return block.tobytes()


def plain_exif(value: int, kind: int = 3, order: str = "<") -> bytes:
    """The TIFF part alone: one entry, the orientation."""
    name = b"II" if order == "<" else b"MM"
    return name + struct.pack(order + "HIHHHIHHI", 42, 8, 1, ORIENTATION, kind, 1, value, 0, 0)


def between(place: int, stray: bytes, content: bytes) -> bytes:
    """Put bytes into a file, at an offset as in a slice."""
    return content[:place] + stray + content[place:]


def segment(marker: int, body: bytes) -> bytes:
    """One JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(marker: int, body: bytes, content: bytes | None = None) -> bytes:
    """A JPEG with one more segment right after its beginning."""
    content = content or saved("JPEG")
    return content[:2] + segment(marker, body) + content[2:]


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """One PNG chunk with its right checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunk(name: bytes, body: bytes, *, behind_picture: bool = False) -> bytes:
    """A PNG with one more chunk, before or behind the picture."""
    content = saved("PNG")
    place = len(content) - 12 if behind_picture else 33
    return content[:place] + chunk(name, body) + content[place:]


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims these sides."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """The header chunk of an extended WebP."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sides


def webp_picture(content: bytes) -> tuple[bytes, bytes]:
    """The only chunk of a simple WebP."""
    return content[12:16], content[20:]


def texts(**values: str) -> PngInfo:
    """Text chunks for a PNG."""
    info = PngInfo()
    for name, value in values.items():
        info.add_text(name, value)
    return info


def tiff(
    *pages: tuple[Image.Image, dict[int, int]], inside: Sequence[tuple[Image.Image, dict[int, int]]] = ()
) -> bytes:
    """A TIFF of grey pictures, each with tags of its own; those inside are SubIFDs of the first page."""
    out, link = bytearray(b"II*\x00\x00\x00\x00\x00"), 4
    places = [_add_directory(out, picture, {tag: [value] for tag, value in tags.items()}) for picture, tags in inside]
    for picture, tags in pages:
        lists = {tag: [value] for tag, value in tags.items()} | ({330: places} if link == 4 and places else {})
        struct.pack_into("<I", out, link, _add_directory(out, picture, lists))
        link = len(out) - 4
    return bytes(out)


def _add_directory(out: bytearray, picture: Image.Image, tags: dict[int, list[int]]) -> int:
    width, height = picture.size
    tags = {
        256: [width],
        257: [height],
        258: [8],
        262: [1],
        273: [len(out)],
        278: [height],
        279: [width * height],
    } | tags
    out += picture.tobytes()
    entries = b""
    for tag, values in sorted(tags.items()):
        entries += struct.pack("<HHII", tag, 4, len(values), values[0] if len(values) == 1 else len(out))
        out += struct.pack(f"<{len(values)}I", *values) if len(values) > 1 else b""
    place = len(out)
    out += struct.pack("<H", len(tags)) + entries + bytes(4)
    return place


def container(main: bytes, *compatible: bytes) -> bytes:
    """The beginning of a file in the container that HEIC, AVIF and films share."""
    body = b"ftyp" + main + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(body) + 4) + body + bytes(64)
