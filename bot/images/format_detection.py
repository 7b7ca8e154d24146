"""Image formats and their detection by the first bytes, and the types that the readers of all formats share.

Never by file name or declared type: senders choose these freely, and Telegram's file host calls every file
application/octet-stream.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ImageFormat(StrEnum):
    """The formats that Kie takes; the values are their common names."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"

    @property
    def mime(self) -> str:
        """The media type, such as "image/jpeg"."""
        return f"image/{self.name.lower()}"

    @property
    def extension(self) -> str:
        """The file extension without the dot, such as "jpg"."""
        return "jpg" if self is ImageFormat.JPEG else self.name.lower()


class OtherImageFormat(StrEnum):
    """Formats that we can name but do not send; the values are their common names."""

    AVIF = "AVIF"
    BMP = "BMP"
    GIF = "GIF"
    #: what iPhones take
    HEIC = "HEIC"
    #: the same container under another brand, from cameras and converters
    HEIF = "HEIF"
    ICO = "ICO"
    JPEG_2000 = "JPEG 2000"
    JPEG_XL = "JPEG XL"
    #: several JPEGs in one file, from stereo and panorama cameras
    MPO = "MPO"
    PSD = "Photoshop"
    #: sensor data of a camera; most of these files are TIFFs
    RAW = "camera raw"
    SVG = "SVG"
    TIFF = "TIFF"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the structure of a complete JPEG, PNG or WebP file says about it."""

    format: ImageFormat
    #: pixels, as stored, before any rotation
    width: int
    height: int
    #: bytes
    file_size: int
    #: EXIF asks for no rotation; False also when the EXIF cannot be read
    upright: bool
    #: EXIF, XMP, IPTC, comments, texts, times, thumbnails, or anything between the parts or after the end;
    #: colour profiles and what decoders need do not count
    has_metadata: bool
    #: more than one frame
    animated: bool = False


class Chunk(NamedTuple):
    """A chunk of a PNG or WebP file, or a box of a HEIF file."""

    name: bytes
    #: byte offset of its data
    body: int
    #: byte offset after its data
    end: int


_SIGNATURES = {
    OtherImageFormat.GIF: (b"GIF87a", b"GIF89a"),
    OtherImageFormat.TIFF: (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    OtherImageFormat.JPEG_XL: (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    OtherImageFormat.JPEG_2000: (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    OtherImageFormat.PSD: (b"8BPS",),
    OtherImageFormat.ICO: (b"\x00\x00\x01\x00",),
}
#: The brands of ISO base media files, the most specific first.
_BRANDS = {
    OtherImageFormat.AVIF: {b"avif", b"avis"},
    OtherImageFormat.HEIC: {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"},
    OtherImageFormat.HEIF: {b"mif1", b"mif2", b"msf1"},
}
#: Main brands of image sequences; a still image may list them as compatible.
_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1", b"avis"}
#: Header sizes of bitmaps; many texts begin with "BM", too.
_BITMAP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
#: An XML declaration, comments and a document type may come before the drawing.
_SVG = re.compile(rb"\s*(?:<[?!][^<]*)*<svg[\s>]")


def detect_format(content: bytes) -> OtherImageFormat | None:
    """Name the format of a file that is neither JPEG, PNG nor WebP; None if it is no image that we know."""
    for found, signatures in _SIGNATURES.items():
        if content.startswith(signatures):
            return found
    if content[4:8] == b"ftyp":
        return _detect_brand(content)
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BITMAP_HEADER_SIZES:
        return OtherImageFormat.BMP
    return OtherImageFormat.SVG if _SVG.match(content[:1024].removeprefix(b"\xef\xbb\xbf")) else None


def is_image_sequence(content: bytes) -> bool:
    """Tell whether a HEIF or AVIF file presents itself as an image sequence."""
    return content[4:8] == b"ftyp" and content[8:12] in _SEQUENCE_BRANDS


def _detect_brand(content: bytes) -> OtherImageFormat | None:
    """Look at the compatible brands, too: the main one may be general (mif1), and videos share the container."""
    size = min(int.from_bytes(content[:4], "big"), 256)
    brands = {content[8:12]} | {content[start : start + 4] for start in range(16, size, 4)}
    return next((found for found, known in _BRANDS.items() if brands & known), None)
