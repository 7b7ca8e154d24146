"""Image formats, their detection by signature (magic bytes), and the types that the parsers of all formats share.

File names and declared MIME types are ignored: senders choose these freely, and Telegram's file host declares every
file as application/octet-stream.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ImageFormat(StrEnum):
    """The formats that Kie accepts; the values are their common names."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"

    @property
    def mime(self) -> str:
        """The MIME type, such as "image/jpeg"."""
        return f"image/{self.name.lower()}"

    @property
    def extension(self) -> str:
        """The file extension without the dot, such as "jpg"."""
        return "jpg" if self is ImageFormat.JPEG else self.name.lower()


class OtherImageFormat(StrEnum):
    """Formats that we detect but cannot send to Kie; the values are their common names."""

    AVIF = "AVIF"
    BMP = "BMP"
    GIF = "GIF"
    #: the format of iPhone photos
    HEIC = "HEIC"
    #: the same container with another brand, from cameras and converters
    HEIF = "HEIF"
    ICO = "ICO"
    JPEG_2000 = "JPEG 2000"
    JPEG_XL = "JPEG XL"
    #: several JPEGs in one file, from stereo and panorama cameras
    MPO = "MPO"
    PSD = "Photoshop"
    #: a camera's sensor data; most of these files are TIFFs
    RAW = "camera raw"
    SVG = "SVG"
    TIFF = "TIFF"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Properties of a complete JPEG, PNG or WebP file, read from its structure."""

    format: ImageFormat
    #: pixels as stored, before any rotation
    width: int
    height: int
    #: bytes
    file_size: int
    #: EXIF asks for no rotation; also False if the EXIF cannot be read
    upright: bool
    #: EXIF, XMP, IPTC, comments, texts, times, thumbnails, or anything between the parts or after the end; not
    #: colour profiles, nor what decoders need
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
#: Major brands of image sequences; a still image may list them as compatible brands.
_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1", b"avis"}
#: Header sizes of BMP files; the signature "BM" alone also begins many texts.
_BITMAP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
#: An XML declaration, comments and a document type may come before the drawing.
_SVG = re.compile(rb"\s*(?:<[?!][^<]*)*<svg[\s>]")


def detect_format(content: bytes) -> OtherImageFormat | None:
    """Return the format of a file that is not JPEG, PNG or WebP; None if it is unknown."""
    for found, signatures in _SIGNATURES.items():
        if content.startswith(signatures):
            return found
    if content[4:8] == b"ftyp":
        return _detect_brand(content)
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BITMAP_HEADER_SIZES:
        return OtherImageFormat.BMP
    return OtherImageFormat.SVG if _SVG.match(content[:1024].removeprefix(b"\xef\xbb\xbf")) else None


def is_image_sequence(content: bytes) -> bool:
    """Tell whether the major brand of a HEIF or AVIF file is that of an image sequence."""
    return content[4:8] == b"ftyp" and content[8:12] in _SEQUENCE_BRANDS


def _detect_brand(content: bytes) -> OtherImageFormat | None:
    """Detect by all brands: the major one may be generic (mif1), and videos share the container."""
    size = min(int.from_bytes(content[:4], "big"), 256)
    brands = {content[8:12]} | {content[start : start + 4] for start in range(16, size, 4)}
    return next((found for found, known in _BRANDS.items() if brands & known), None)
