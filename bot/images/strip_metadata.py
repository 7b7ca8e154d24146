"""Removes what a picture tells beside what it shows, and touches nothing else.

Parts of the file are left out; those that stay are copied byte for byte. So
the compressed picture is the very same, and what is gone (places, names,
serial numbers, thumbnails, whatever hung behind the end) is gone entirely.
"""

from bot.images import jpeg, png, webp
from bot.images.inspect import ImageFormat

#: begins every JPEG, before its first segment
_SOI = b"\xff\xd8"
#: what the header chunk of a WebP announces: EXIF and XMP
_WEBP_METADATA_FLAGS = 0x08 | 0x04


def strip_metadata(kind: ImageFormat, content: bytes) -> bytes:
    """Give the same picture without its metadata; colour profiles stay.

    The content must be a whole file of this kind, as inspect found it. EXIF
    goes too, with what it says about the orientation: only for upright pictures.
    """
    match kind:
        case ImageFormat.JPEG:
            return _strip_jpeg(content)
        case ImageFormat.PNG:
            return _strip_png(content)
        case ImageFormat.WEBP:
            return _strip_webp(content)


def keep_first_jpeg(content: bytes) -> bytes:
    """Cut a JPEG with further pictures behind it (MPO) down to the first, its own metadata included.

    Raises Unreadable.
    """
    parts = (part for part in jpeg.read_segments(content) if not jpeg.is_mpo_index(content, part))
    return _SOI + b"".join(content[part.start : part.end] for part in parts)


def _strip_jpeg(content: bytes) -> bytes:
    view = memoryview(content)
    return _SOI + b"".join(
        jpeg.keep_standard_header(content, part)
        if jpeg.is_jpeg_metadata(content, part)
        else view[part.start : part.end]
        for part in jpeg.read_segments(content)
    )


def _strip_png(content: bytes) -> bytes:
    """A chunk begins with its length and name, 8 bytes, and ends with its checksum, 4 bytes."""
    view = memoryview(content)
    kept = (
        view[part.body - 8 : part.end + 4] for part in png.read_png_chunks(content) if not png.is_png_metadata(part)
    )
    return b"".join([png.PNG_SIGNATURE, *kept])


def _strip_webp(content: bytes) -> bytes:
    parts = webp.read_webp_chunks(content, webp.read_declared_end(content))
    body = b"".join(_write_webp_chunk(content, part) for part in parts if not webp.is_webp_metadata(part))
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def _write_webp_chunk(content: bytes, part: webp.WebpChunk) -> bytes:
    data = bytearray(content[part.body : part.end])
    if part.name == b"VP8X":
        data[0] &= ~_WEBP_METADATA_FLAGS
    return part.name + len(data).to_bytes(4, "little") + bytes(data) + bytes(len(data) % 2)
