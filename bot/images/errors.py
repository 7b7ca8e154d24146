"""Errors about images, grouped by what to tell the user, and their form in a reply of the converter process.

ImageError
├── NotAnImage               not in any image format that we know
├── UnsupportedImageFormat   an image that is not JPEG, PNG or WebP; `format` names it
├── AnimatedImage            several frames or pages
├── UnreadableImage          in a format that we accept, but unreadable; the message says why
│   ├── UnsupportedEncoding  perhaps intact, but in an encoding that our decoders do not support
│   ├── WrongChecksum        damaged, as its checksum shows
│   └── DecodingTooCostly    would take longer to decode than any real file of its size
├── ExtremeAspectRatio       one side is too long compared with the other
└── TooManyPixels            would take too much memory to decode

Retrying with the same bytes never helps. ConverterUnavailable is not an ImageError: the image may be fine, and a retry
may succeed.
"""

import struct

from bot.images.format_detection import OtherImageFormat


class ImageError(Exception):
    """These bytes cannot be used as an image."""


class NotAnImage(ImageError):
    """The bytes are in no known image format."""


class UnsupportedImageFormat(ImageError):
    """The image is in a format other than JPEG, PNG and WebP."""

    def __init__(self, found: OtherImageFormat) -> None:
        super().__init__(f"the file is {found}")
        self.format = found


class AnimatedImage(ImageError):
    """The file has several frames or pages, and it is unclear which one is meant."""


class UnreadableImage(ImageError):
    """The file is damaged, truncated, inconsistent, or not supported by our decoders."""


class UnsupportedEncoding(UnreadableImage):
    """Our decoders do not support the encoding of the pixels; other programs may."""

    def __init__(self, found: OtherImageFormat, reason: str) -> None:
        super().__init__(reason)
        self.format = found


class WrongChecksum(UnreadableImage):
    """The image data does not match its checksum, which some decoders ignore."""


class DecodingTooCostly(UnreadableImage):
    """Decoding the file would take so long that other users would wait."""


class _UnsuitableDimensions(ImageError):
    """The dimensions are in pixels."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"{width} x {height} pixels")
        self.width = width
        self.height = height


class ExtremeAspectRatio(_UnsuitableDimensions):
    """One side is too long compared with the other."""


class TooManyPixels(_UnsuitableDimensions):
    """The image has more pixels than we can afford to decode."""


class ConverterUnavailable(Exception):
    """The converter process did not start, or the converter is closed; a retry may succeed."""


#: The first byte of a reply with an image that has all its pixels, or fewer.
CONVERTED, DOWNSCALED = b"C", b"S"
#: The first byte of a reply that is an error.
_CODES: dict[type[ImageError], bytes] = {
    AnimatedImage: b"A",
    UnsupportedImageFormat: b"R",
    UnsupportedEncoding: b"E",
    DecodingTooCostly: b"T",
    ExtremeAspectRatio: b"N",
    TooManyPixels: b"P",
}
_UNREADABLE = b"U"
_DIMENSIONS = struct.Struct(">II")


def pack_error(error: ImageError) -> bytes:
    """Return the reply for an error: its code, then the dimensions or the reason."""
    body = (
        _DIMENSIONS.pack(error.width, error.height) if isinstance(error, _UnsuitableDimensions) else str(error).encode()
    )
    return _CODES.get(type(error), _UNREADABLE) + body


def unpack_error(reply: bytes, source_format: OtherImageFormat | None) -> ImageError:
    """Return the error in a reply; UnreadableImage for an invalid reply.

    `source_format` is the format of the file that was to be converted.
    """
    code, body = reply[:1], reply[1:]
    reason = body[:200].decode(errors="replace")
    if code == _CODES[AnimatedImage]:
        return AnimatedImage("several frames or pages")
    if code == _CODES[UnsupportedImageFormat]:
        return UnsupportedImageFormat(OtherImageFormat.RAW)  # the only format that the converter process detects
    if code == _CODES[UnsupportedEncoding] and source_format is not None:
        return UnsupportedEncoding(source_format, reason)
    if code == _CODES[DecodingTooCostly]:
        return DecodingTooCostly(reason)
    for error in (ExtremeAspectRatio, TooManyPixels):
        if code == _CODES[error] and len(body) == _DIMENSIONS.size:
            return error(*_DIMENSIONS.unpack(body))
    return UnreadableImage(reason)
