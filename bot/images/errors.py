"""What can be wrong with a picture, grouped by what to tell the person.

PictureError
├── NotAPicture        the bytes are of no kind that we know
│   └── Recognised     a picture, of a kind that is not handed on as it is: `format` names it
├── Animated           several frames or pages, where one picture is wanted
├── Unreadable         a kind that we read, but broken, cut short or untrue: `reason` says how
│   ├── Unsupported    a sound one perhaps, written in a way that our decoders do not know
│   ├── WrongChecksum  damaged, as the file itself tells
│   └── TooMuchWork    built so that decoding takes longer than any real file of its size: `reason` says how
├── TooNarrow          more a line than a picture
└── TooManyPixels      would take more memory to open than a bot should give to one picture

None of them is worth a second try with the same bytes. ConversionFailed stands
apart: it says nothing about the picture, so a later try may well succeed.
"""

from enum import StrEnum


class OtherImageFormat(StrEnum):
    """Formats that we can name but do not hand on; the values are the names that people use."""

    AVIF = "AVIF"
    BMP = "BMP"
    GIF = "GIF"
    #: what iPhones take
    HEIC = "HEIC"
    #: the same container with another brand, from cameras and converters
    HEIF = "HEIF"
    ICO = "ICO"
    JPEG_2000 = "JPEG 2000"
    JPEG_XL = "JPEG XL"
    #: several JPEGs in one file: stereo and panorama cameras
    MPO = "MPO"
    PSD = "Photoshop"
    #: what a camera's sensor saw, before it is a picture; most kinds are TIFF on the outside
    RAW = "camera raw"
    SVG = "SVG"
    TIFF = "TIFF"


class ImageError(Exception):
    """These bytes cannot be used as a picture."""


class NotAnImage(ImageError):
    """Nothing in the bytes says that they are a picture."""


class UnsupportedImageFormat(NotAnImage):
    """A picture in a format other than JPEG, PNG and WebP."""

    def __init__(self, found: OtherImageFormat) -> None:
        super().__init__(f"the file is {found}")
        self.format = found


class AnimatedImage(ImageError):
    """The file holds several frames or pages, and nobody said which one is meant."""


class UnreadableImage(ImageError):
    """The beginning promises a picture that the rest does not keep."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedEncoding(UnreadableImage):
    """Other programs may read this file; ours do not know how its pixels are written."""

    def __init__(self, found: OtherImageFormat, reason: str) -> None:
        super().__init__(reason)
        self.format = found


class WrongChecksum(UnreadableImage):
    """The bytes of the picture are not those that the file was written with; some decoders do not look."""


class DecodingTooCostly(UnreadableImage):
    """It may be whole, but to decode it would keep everybody else waiting."""


class ExtremeAspectRatio(ImageError):
    """One side is so much longer than the other that nothing can be seen; the sides are in pixels."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"{width} x {height} pixels")
        self.width = width
        self.height = height


class TooManyPixels(ImageError):
    """The picture is larger than we can afford to open; its sides are in pixels."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"{width} x {height} pixels")
        self.width = width
        self.height = height


class ConversionFailed(Exception):
    """No process to convert pictures in could be had, or it was closed; worth another try later."""
