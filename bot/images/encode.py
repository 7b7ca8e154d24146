"""Writes a picture so that it fits: as good as possible, then smaller step by step.

Runs in the converting process only. First the form that loses nothing or least;
then the same pixels in fewer bytes; then, only then, fewer pixels. Nothing but
pixels and a colour profile is ever handed to an encoder, so no metadata of the
source can slip through.
"""

import math
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, JpegImagePlugin

from bot.images import colour_modes, decode, limits
from bot.images.errors import TooManyPixels
from bot.images.limits import MAX_FILE_BYTES

#: aim a little lower than the computed size, and always move on
_MARGIN, _MAX_SCALE_STEP = 0.97, 0.9


@dataclass(frozen=True, slots=True)
class SourceEncoding:
    """What the picture was, as far as it decides how to write it."""

    #: the source lost nothing, so the copy should not either
    is_lossless: bool
    #: of a JPEG: its tables and the spacing of its colours, with which a copy loses next to nothing
    jpeg_options: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The finished file."""

    content: bytes
    #: it has fewer pixels than it was given
    is_downscaled: bool


@dataclass(frozen=True, slots=True)
class _EncoderSettings:
    """A way to write a picture down, as Pillow calls it."""

    pillow_format: str
    #: pixels of a side that the format can say
    max_side: int
    options: dict[str, object] = field(default_factory=dict)


_PNG = _EncoderSettings("PNG", 2**31 - 1)
#: one try only: WebP takes ten times as long as JPEG
_WEBP = _EncoderSettings("WEBP", 16_383, {"quality": 90, "method": 2})


class _OutputTooLarge(Exception):
    """The file grew above the limit while it was written."""


class _LimitedBuffer(BytesIO):
    """Stops an encoder as soon as its work is in vain."""

    def write(self, data: object, /) -> int:
        if self.tell() > MAX_FILE_BYTES:
            raise _OutputTooLarge
        return super().write(data)  # type: ignore[arg-type] # whatever buffer the encoder gives


def encode_within_limits(image: Image.Image, profile: bytes | None, origin: SourceEncoding) -> EncodedImage:
    """Encode a picture in L, LA, RGB or RGBA to at most MOST_BYTES and MAX_PIXELS.

    Transparent pictures become PNG, or WebP when that is too big; others become
    PNG when they came without loss and fit, else JPEG.
    """
    size = image.size
    image = downscale_to_max_pixels(image)
    content = _encode_losslessly(image, profile) if origin.is_lossless or image.mode.endswith("A") else None
    if content is None:
        image, content = _encode_in_steps(image, profile, _settings_to_try(image, origin))
    return EncodedImage(content, is_downscaled=image.size != size)


def downscale_to_max_pixels(image: Image.Image) -> Image.Image:
    """Shrink a picture to MAX_PIXELS, if it has more."""
    return _scale(image, math.sqrt(limits.MAX_PIXELS / (image.width * image.height)))


def _settings_to_try(image: Image.Image, origin: SourceEncoding) -> list[_EncoderSettings]:
    """List what to try before pixels are given up; below a quality of 85 losses can be seen."""
    if image.mode.endswith("A"):
        return [_WEBP]
    tries: list[dict[str, object]] = [
        {"quality": 95, "subsampling": 0},
        {"quality": 90, "subsampling": 0},
        {"quality": 85},
    ]
    if origin.jpeg_options is not None:
        tries = [origin.jpeg_options, {"quality": 95}, {"quality": 90}, {"quality": 85}]
    return [_EncoderSettings("JPEG", 65_500, options) for options in tries]


def _encode_losslessly(image: Image.Image, profile: bytes | None) -> bytes | None:
    out = _LimitedBuffer()
    try:
        _save(image, out, profile, _PNG)
    except _OutputTooLarge:
        return None
    return out.getvalue() if out.tell() <= MAX_FILE_BYTES else None


def _encode_in_steps(
    image: Image.Image, profile: bytes | None, forms: list[_EncoderSettings]
) -> tuple[Image.Image, bytes]:
    """Go through the forms, then repeat the last one with fewer and fewer pixels of the same picture."""
    image = _scale(image, forms[-1].max_side / max(image.size))
    content = b""
    for form in forms:
        content = _encode(image, profile, form)
        if len(content) <= MAX_FILE_BYTES:
            return image, content
    smaller, scale = image, 1.0
    while len(content) > MAX_FILE_BYTES:
        scale *= min(_MAX_SCALE_STEP, _MARGIN * math.sqrt(MAX_FILE_BYTES / len(content)))
        smaller = _scale(image, scale)
        content = _encode(smaller, profile, forms[-1])
    return smaller, content


def _encode(image: Image.Image, profile: bytes | None, form: _EncoderSettings) -> bytes:
    out = BytesIO()
    _save(image, out, profile, form)
    return out.getvalue()


def _save(image: Image.Image, out: BytesIO, profile: bytes | None, form: _EncoderSettings) -> None:
    """Encoders copy what they find in a picture's notes (a comment, for one), so these are emptied."""
    image.info.clear()
    image.save(out, form.pillow_format, icc_profile=profile, **form.options)


def _scale(image: Image.Image, scale: float) -> Image.Image:
    if scale >= 1:
        return image
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


#: these hold the picture exactly, or (WebP) may do so, and the copy should not be the one that loses
_LOSSLESS_FORMATS = {"PNG", "WEBP", "GIF", "BMP", "TIFF"}
#: how colours are spaced, in Pillow's numbers: one for each pixel, for two in a row, or for two by two
_SUBSAMPLINGS = _SUBSAMPLING_444, _SUBSAMPLING_422, _SUBSAMPLING_420 = 0, 1, 2


def reencode(content: bytes) -> EncodedImage:
    """Decode a picture and write it so that it fits.

    Raises Animated, Recognised, TooManyPixels, TooMuchWork, TooNarrow, Unreadable, and whatever decoders raise.
    """
    image, is_halved = decode.open_image(content)
    announced = image.size
    try:
        image.load()
        orientation = decode.read_orientation(image)
        origin = _source_encoding(image, orientation)
        image, profile = colour_modes.normalise_colour_mode(image)
        size = image.size
        # Pixels go first, because turning takes memory for those that are left. The picture has this one
        # name on purpose: a second one would keep what came before.
        image = downscale_to_max_pixels(image)
        is_smaller = is_halved or image.size != size
        done = encode_within_limits(decode.turn_upright(image, orientation), profile, origin)
    except MemoryError:
        raise TooManyPixels(*announced) from None
    return EncodedImage(done.content, is_downscaled=is_smaller or done.is_downscaled)


def _source_encoding(image: Image.Image, orientation: int) -> SourceEncoding:
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode in {"L", "RGB"}:
        return SourceEncoding(
            is_lossless=False,
            jpeg_options=_jpeg_options_like_source(image, is_sideways=orientation in decode.SIDEWAYS_ORIENTATIONS),
        )
    return SourceEncoding(is_lossless=image.format in _LOSSLESS_FORMATS)


def _jpeg_options_like_source(image: JpegImagePlugin.JpegImageFile, *, is_sideways: bool) -> dict[str, object]:
    """Write a JPEG so that it loses next to nothing more than it has already lost.

    Where the same blocks of pixels come together again, values that were
    rounded once stay as they are under the same tables (measured: closer than a quality of
    95, in two thirds of the bytes). Where they do not, a quality of 95 is closer. A spacing of
    colours that differs between the directions cannot be kept when they change
    places.
    """
    spacing = JpegImagePlugin.get_sampling(image)
    if spacing not in _SUBSAMPLINGS or (spacing == _SUBSAMPLING_422 and is_sideways):
        spacing = _SUBSAMPLING_444
    block = 8 if spacing == _SUBSAMPLING_444 else 16
    if image.width % block or image.height % block:
        return {"quality": 95, "subsampling": spacing}
    tables = [_transpose_table(table) if is_sideways else table for _, table in sorted(image.quantization.items())]
    return {"qtables": tables, "subsampling": spacing}


def _transpose_table(table: list[int]) -> list[int]:
    """Mirror a table of 8 rows of 8 along its diagonal."""
    return [table[8 * column + row] for row in range(8) for column in range(8)]
