"""Errors about images, grouped by what to tell the user, and their form in a reply of the converter process.

ImageError
├── NotAnImage               the bytes are in no image format that we can name
├── UnsupportedImageFormat   an image in a format that we do not take; `format` names it
├── AnimatedImage            several frames or pages
├── UnreadableImage          a format that we take, but this file cannot be read; `reason` says why
│   ├── UnsupportedEncoding  perhaps intact, but encoded in a way that our decoders do not know
│   ├── WrongChecksum        damaged, as its own checksum shows
│   └── DecodingTooCostly    would take longer to decode than any real file of its size
├── ExtremeAspectRatio       a strip rather than an image
└── TooManyPixels            would take too much memory to decode

Another try with the same bytes never helps. ConverterUnavailable is no ImageError: the image may be fine, and a later
try may succeed.
"""

import struct

from bot.images.format_detection import OtherImageFormat


class ImageError(Exception):
    """These bytes cannot be used as an image."""


class NotAnImage(ImageError):
    """Nothing in the bytes looks like an image."""


class UnsupportedImageFormat(ImageError):
    """An image in a format other than JPEG, PNG and WebP."""

    def __init__(self, found: OtherImageFormat) -> None:
        super().__init__(f"the file is {found}")
        self.format = found


class AnimatedImage(ImageError):
    """The file has several frames or pages, and it is unclear which one is meant."""


class UnreadableImage(ImageError):
    """The file is damaged, truncated, inconsistent, or not for our decoders."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedEncoding(UnreadableImage):
    """Our decoders do not know how the pixels are encoded; other programs may."""

    def __init__(self, found: OtherImageFormat, reason: str) -> None:
        super().__init__(reason)
        self.format = found


class WrongChecksum(UnreadableImage):
    """The image data does not match its checksum; some decoders do not check."""


class DecodingTooCostly(UnreadableImage):
    """Decoding the file would keep other users waiting."""


class _UnsuitableDimensions(ImageError):
    """The dimensions are in pixels."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"{width} x {height} pixels")
        self.width = width
        self.height = height


class ExtremeAspectRatio(_UnsuitableDimensions):
    """One side is too long compared with the other."""


class TooManyPixels(_UnsuitableDimensions):
    """The image is larger than we can afford to decode."""


class ConverterUnavailable(Exception):
    """The converter process did not start, or the converter is closed; a later try may succeed."""


#: The first byte of a reply that contains an image, with all its pixels or with fewer.
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
    """Return the converter's reply for an error: a code, then the dimensions or the reason."""
    body = (
        _DIMENSIONS.pack(error.width, error.height) if isinstance(error, _UnsuitableDimensions) else str(error).encode()
    )
    return _CODES.get(type(error), _UNREADABLE) + body


def unpack_error(reply: bytes, source_format: OtherImageFormat | None) -> ImageError:
    """Return the error in a reply; UnreadableImage for a reply that makes no sense.

    `source_format` is that of the file that the converter was given.
    """
    code, body = reply[:1], reply[1:]
    reason = body[:200].decode(errors="replace")
    if code == _CODES[AnimatedImage]:
        return AnimatedImage("several frames or pages")
    if code == _CODES[UnsupportedImageFormat]:
        return UnsupportedImageFormat(OtherImageFormat.RAW)  # the only format that decoding alone can tell
    if code == _CODES[UnsupportedEncoding] and source_format is not None:
        return UnsupportedEncoding(source_format, reason)
    if code == _CODES[DecodingTooCostly]:
        return DecodingTooCostly(reason)
    for error in (ExtremeAspectRatio, TooManyPixels):
        if code == _CODES[error] and len(body) == _DIMENSIONS.size:
            return error(*_DIMENSIONS.unpack(body))
    return UnreadableImage(reason)
