"""What a file really is: the question before a picture is handed to anybody.

The answer comes from the bytes alone, never from a name or a declared type,
and without decoding a single pixel. Nothing passes as a picture unless it is
there from its first byte to its last. No decoder is involved: even opening a
WebP makes Pillow reserve its whole canvas (Pillow 12), which is more trust than
a stranger's header deserves.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.pictures import foreign, jpeg, png, webp
from bot.pictures.errors import Animated, Format, NotAPicture, PictureError, Recognised, TooManyPixels, Unreadable
from bot.pictures.structure import MOST_RATIO, Structure

__all__ = [
    "Animated",
    "Format",
    "Kind",
    "NotAPicture",
    "Obstacle",
    "Picture",
    "PictureError",
    "Recognised",
    "TooManyPixels",
    "Unreadable",
    "fits_as_photo",
    "inspect",
    "why_not_as_it_is",
]

#: bytes. Kie allows "10.0 MB" and Telegram "10 MB" for a photo, neither says which megabyte:
#: the smaller one is right under both readings.
MOST_BYTES = 10_000_000

#: Telegram's sendPhoto: pixels of both sides together
MOST_PIXELS_OF_BOTH_SIDES = 10_000


class Kind(StrEnum):
    """The formats that Kie takes; the values are their names as people write them."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"

    @property
    def mime(self) -> str:
        """The media type, such as "image/jpeg"."""
        return f"image/{self.name.lower()}"

    @property
    def extension(self) -> str:
        """The end of a file name without the dot, such as "jpg"."""
        return "jpg" if self is Kind.JPEG else self.name.lower()


class Obstacle(StrEnum):
    """Why a picture cannot be handed on byte for byte."""

    #: more than one frame
    ANIMATED = "animated"
    #: above MOST_BYTES
    TOO_BIG = "too_big"
    #: shown upright only by programs that heed EXIF
    ROTATED = "rotated"
    #: tells more than the picture shows: where, when, with what, by whom
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole JPEG, PNG or WebP file."""

    kind: Kind
    #: pixels, as stored, before any rotation
    width: int
    height: int
    #: bytes of the file
    size: int
    #: EXIF asks for no rotation; False too when its EXIF cannot be read
    upright: bool
    #: EXIF, XMP, IPTC, comments, texts, times, thumbnails, or anything between the parts or behind the end;
    #: colour profiles and what decoders need do not count
    has_metadata: bool
    #: more than one frame
    animated: bool


def inspect(content: bytes) -> Picture:
    """Say what these bytes are.

    Takes milliseconds for megabytes, but is work: call it in a thread.
    Raises Recognised for a known format that is not one of ours, NotAPicture for
    anything else, Unreadable for a broken file and TooManyPixels.
    """
    kind, found = _read(content)
    return Picture(
        kind=kind,
        width=found.width,
        height=found.height,
        size=len(content),
        upright=found.upright,
        has_metadata=found.has_metadata,
        animated=found.animated,
    )


def why_not_as_it_is(picture: Picture) -> Obstacle | None:
    """Name what keeps a picture from being handed on byte for byte, the gravest first.

    METADATA therefore means that nothing else is in the way.
    """
    if picture.animated:
        return Obstacle.ANIMATED
    if picture.size > MOST_BYTES:
        return Obstacle.TOO_BIG
    if not picture.upright:
        return Obstacle.ROTATED
    return Obstacle.METADATA if picture.has_metadata else None


def fits_as_photo(picture: Picture) -> bool:
    """Tell whether Telegram's sendPhoto takes this picture; what does not fit goes as a document.

    Limits of the Bot API: 10 MB, width and height at most 10000 together, ratio
    at most 20.
    """
    long, short = max(picture.width, picture.height), min(picture.width, picture.height)
    return picture.size <= MOST_BYTES and long + short <= MOST_PIXELS_OF_BOTH_SIDES and long <= MOST_RATIO * short


def _read(content: bytes) -> tuple[Kind, Structure]:
    if content.startswith(jpeg.SIGNATURE):
        return Kind.JPEG, jpeg.read(content)
    if content.startswith(png.SIGNATURE):
        return Kind.PNG, png.read(content)
    if webp.is_webp(content):
        return Kind.WEBP, webp.read(content)
    found = foreign.name_of(content)
    if found is None:
        raise NotAPicture("the file is no picture of a known kind")
    raise Recognised(found)
