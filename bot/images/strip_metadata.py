"""Removes metadata from image files without loss: places, names, serial numbers, thumbnails, anything after the end.

The remaining parts are copied byte for byte, so the compressed image is the same.
"""

from bot.images import jpeg, png, webp
from bot.images.format_detection import Chunk, ImageFormat

#: Flags in the header chunk of a WebP: EXIF and XMP.
_WEBP_METADATA_FLAGS = 0x08 | 0x04


def strip_metadata(file_format: ImageFormat, content: bytes) -> bytes:
    """Return the image without metadata but with its colour profile.

    The file must have passed `inspect_image`, and be upright, because the orientation in EXIF is lost.
    """
    match file_format:
        case ImageFormat.JPEG:
            return jpeg.SOI + b"".join(each.without_metadata() for each in jpeg.read_segments(content))
        case ImageFormat.PNG:
            return _strip_png(content)
        case ImageFormat.WEBP:
            return _strip_webp(content)


def keep_first_jpeg(content: bytes) -> bytes:
    """Return the first image of an MPO, with its own metadata. Raises UnreadableImage."""
    return jpeg.SOI + b"".join(each.raw for each in jpeg.read_segments(content) if not each.is_mpo_index)


def _strip_png(content: bytes) -> bytes:
    view = memoryview(content)
    kept = (each for each in png.read_png_chunks(content) if each.name in png.KEPT_CHUNKS)
    # length and name (8 bytes) come before the data of a chunk, its checksum (4 bytes) after it
    return png.SIGNATURE + b"".join(view[each.body - 8 : each.end + 4] for each in kept)


def _strip_webp(content: bytes) -> bytes:
    chunks = webp.read_webp_chunks(content, webp.read_declared_end(content))
    body = b"".join(_copy_webp_chunk(content, each) for each in chunks if each.name in webp.KEPT_CHUNKS)
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def _copy_webp_chunk(content: bytes, chunk: Chunk) -> bytes:
    data = bytearray(content[chunk.body : chunk.end])
    if chunk.name == b"VP8X":
        data[0] &= ~_WEBP_METADATA_FLAGS
    return chunk.name + len(data).to_bytes(4, "little") + bytes(data) + bytes(len(data) % 2)
