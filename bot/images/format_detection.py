"""Names the formats that we do not hand on, so that the person is told which one it is.

By the first bytes only: senders choose file names and types as they like, and
Telegram's file host calls every file application/octet-stream.
"""

import re

from bot.images.errors import OtherImageFormat

_SIGNATURES = {
    b"GIF87a": OtherImageFormat.GIF,
    b"GIF89a": OtherImageFormat.GIF,
    b"II*\x00": OtherImageFormat.TIFF,
    b"MM\x00*": OtherImageFormat.TIFF,
    b"II+\x00": OtherImageFormat.TIFF,
    b"MM\x00+": OtherImageFormat.TIFF,
    b"\xff\x0a": OtherImageFormat.JPEG_XL,
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": OtherImageFormat.JPEG_XL,
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": OtherImageFormat.JPEG_2000,
    b"\xff\x4f\xff\x51": OtherImageFormat.JPEG_2000,
    b"8BPS": OtherImageFormat.PSD,
    b"\x00\x00\x01\x00": OtherImageFormat.ICO,
}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}
_HEIF_BRANDS = {b"mif1", b"mif2", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
#: what a series of frames calls itself first; a still picture may list them among the others
_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1", b"avis"}
#: sizes of the header that follows the 14 bytes of a bitmap file; "BM" alone begins many a text
_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
#: an XML declaration, comments and a document type may come before the drawing
_SVG = re.compile(rb"\s*(?:<[?!][^<]*)*<svg[\s>]")


def detect_format(content: bytes) -> OtherImageFormat | None:
    """Name the format of a file that is none of ours, or None when it is no picture that we know."""
    for signature, found in _SIGNATURES.items():
        if content.startswith(signature):
            return found
    if content[4:8] == b"ftyp":
        return _detect_container_format(content)
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BITMAP_HEADERS:
        return OtherImageFormat.BMP
    return OtherImageFormat.SVG if _SVG.match(content[:1024].removeprefix(b"\xef\xbb\xbf")) else None


def is_image_sequence(content: bytes) -> bool:
    """Tell whether a file in the container of HEIC and AVIF presents itself as moving frames."""
    return content[4:8] == b"ftyp" and content[8:12] in _SEQUENCE_BRANDS


def _detect_container_format(content: bytes) -> OtherImageFormat | None:
    """Films share this container; only its brands tell which kind of file it is.

    The main brand may be the general one (mif1), so the compatible ones are
    asked too.
    """
    size = min(int.from_bytes(content[:4], "big"), 256)
    brands = {content[8:12]} | {content[place : place + 4] for place in range(16, size, 4)}
    for known, found in (
        (_AVIF_BRANDS, OtherImageFormat.AVIF),
        (_HEIC_BRANDS, OtherImageFormat.HEIC),
        (_HEIF_BRANDS, OtherImageFormat.HEIF),
    ):
        if brands & known:
            return found
    return None
