"""Encodes an image within the limits: losslessly or nearly so, then with more loss, and only then with fewer pixels.

Runs in the converter process. Encoders get nothing but pixels and a colour profile, so no metadata of the source can
slip through.
"""

import math
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, JpegImagePlugin

from bot.images.limits import MAX_FILE_BYTES, MAX_PIXELS

#: These contain the exact image (WebP may), so the copy should too.
_LOSSLESS_FORMATS = {"PNG", "WEBP", "GIF", "BMP", "TIFF"}
#: Chroma subsampling 4:4:4, 4:2:2 and 4:2:0, in Pillow's numbers.
_SUBSAMPLINGS = _SUBSAMPLING_444, _SUBSAMPLING_422, _SUBSAMPLING_420 = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SourceEncoding:
    """How the source was encoded, as far as it decides how to encode the copy."""

    is_lossless: bool
    #: for a JPEG source: Pillow's options for a copy that loses next to nothing more
    jpeg_options: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The finished file."""

    content: bytes
    #: it has fewer pixels than the source
    is_downscaled: bool


@dataclass(frozen=True, slots=True)
class _EncoderSettings:
    pillow_format: str
    #: the longest side that the format allows (pixels)
    max_side: int
    options: dict[str, object] = field(default_factory=dict)


_PNG = _EncoderSettings("PNG", 2**31 - 1)
#: One attempt only: WebP takes ten times as long as JPEG.
_WEBP = _EncoderSettings("WEBP", 16_383, {"quality": 90, "method": 2})


class _OutputTooLarge(Exception):
    """The file has grown above MAX_FILE_BYTES."""


class _LimitedBuffer(BytesIO):
    """Stops an encoder as soon as its output is too large."""

    def write(self, data: object, /) -> int:
        if self.tell() > MAX_FILE_BYTES:
            raise _OutputTooLarge
        return super().write(data)  # type: ignore[arg-type] # whatever buffer the encoder gives


def source_encoding(image: Image.Image, *, is_sideways: bool) -> SourceEncoding:
    """Return how an image was encoded; `is_sideways` if it will be turned by a right angle."""
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode in {"L", "RGB"}:
        return SourceEncoding(is_lossless=False, jpeg_options=_jpeg_options_like_source(image, is_sideways))
    return SourceEncoding(is_lossless=image.format in _LOSSLESS_FORMATS)


def encode_within_limits(image: Image.Image, profile: bytes | None, source: SourceEncoding) -> EncodedImage:
    """Encode an image in L, LA, RGB or RGBA to at most MAX_FILE_BYTES and MAX_PIXELS.

    Transparent images become PNG, or WebP if that is too large; others become PNG if the source was lossless and it is
    small enough, else JPEG.
    """
    size = image.size
    image = downscale_to_max_pixels(image)
    content = _encode_losslessly(image, profile) if source.is_lossless or image.mode.endswith("A") else None
    if content is None:
        image, content = _encode_in_steps(image, profile, _settings_to_try(image, source))
    return EncodedImage(content, is_downscaled=image.size != size)


def downscale_to_max_pixels(image: Image.Image) -> Image.Image:
    """Scale an image down to MAX_PIXELS if it has more."""
    return _scale(image, math.sqrt(MAX_PIXELS / (image.width * image.height)))


def _settings_to_try(image: Image.Image, source: SourceEncoding) -> list[_EncoderSettings]:
    """Return what to try before pixels are given up; below a quality of 85, losses become visible."""
    if image.mode.endswith("A"):
        return [_WEBP]
    options: list[dict[str, object]] = [
        {"quality": 95, "subsampling": 0},
        {"quality": 90, "subsampling": 0},
        {"quality": 85},
    ]
    if source.jpeg_options is not None:
        options = [source.jpeg_options, {"quality": 95}, {"quality": 90}, {"quality": 85}]
    return [_EncoderSettings("JPEG", 65_500, each) for each in options]


def _encode_losslessly(image: Image.Image, profile: bytes | None) -> bytes | None:
    out = _LimitedBuffer()
    try:
        _save(image, out, profile, _PNG)
    except _OutputTooLarge:
        return None
    return out.getvalue() if out.tell() <= MAX_FILE_BYTES else None


def _encode_in_steps(
    image: Image.Image, profile: bytes | None, settings: list[_EncoderSettings]
) -> tuple[Image.Image, bytes]:
    """Try the settings in turn, then the last ones with fewer and fewer pixels of the same image."""
    image = _scale(image, settings[-1].max_side / max(image.size))
    content = b""
    for each in settings:
        content = _encode(image, profile, each)
        if len(content) <= MAX_FILE_BYTES:
            return image, content
    smaller, scale = image, 1.0
    while len(content) > MAX_FILE_BYTES:
        # a little below the computed scale, and always a step on
        scale *= min(0.9, 0.97 * math.sqrt(MAX_FILE_BYTES / len(content)))
        smaller = _scale(image, scale)
        content = _encode(smaller, profile, settings[-1])
    return smaller, content


def _encode(image: Image.Image, profile: bytes | None, settings: _EncoderSettings) -> bytes:
    out = BytesIO()
    _save(image, out, profile, settings)
    return out.getvalue()


def _save(image: Image.Image, out: BytesIO, profile: bytes | None, settings: _EncoderSettings) -> None:
    """Empty the image's info first: encoders write what they find there, such as a comment."""
    image.info.clear()
    image.save(out, settings.pillow_format, icc_profile=profile, **settings.options)


def _scale(image: Image.Image, scale: float) -> Image.Image:
    if scale >= 1:
        return image
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _jpeg_options_like_source(image: JpegImagePlugin.JpegImageFile, is_sideways: bool) -> dict[str, object]:
    """Return options with which a copy of a JPEG loses next to nothing more.

    Where the same blocks of pixels are encoded again, rounded values stay as they are under the same tables (measured:
    closer than quality 95, in two thirds of the bytes). Elsewhere quality 95 is closer. Subsampling that differs
    between the directions cannot be kept when they are swapped.
    """
    subsampling = JpegImagePlugin.get_sampling(image)
    if subsampling not in _SUBSAMPLINGS or (subsampling == _SUBSAMPLING_422 and is_sideways):
        subsampling = _SUBSAMPLING_444
    block = 8 if subsampling == _SUBSAMPLING_444 else 16
    if image.width % block or image.height % block:
        return {"quality": 95, "subsampling": subsampling}
    tables = [_transpose_table(table) if is_sideways else table for _, table in sorted(image.quantization.items())]
    return {"qtables": tables, "subsampling": subsampling}


def _transpose_table(table: list[int]) -> list[int]:
    """Transpose a table of 8 x 8 values."""
    return [table[8 * column + row] for row in range(8) for column in range(8)]
