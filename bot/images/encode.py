"""Encodes an image within the limits: first losslessly or nearly so, then with more loss, at last with fewer pixels.

Runs in the converter process. Encoders get only pixels and a colour profile, so no metadata of the source can remain.
"""

import math
from io import BytesIO
from typing import Any

from PIL import Image, JpegImagePlugin

from bot.images.limits import MAX_FILE_BYTES, MAX_PIXELS

#: Lossless source formats (WebP may be one), for which a lossless copy is tried first.
LOSSLESS_FORMATS = {"PNG", "WEBP", "GIF", "BMP", "TIFF"}
#: Chroma subsampling 4:4:4, 4:2:2 and 4:2:0, as Pillow numbers them.
_SUBSAMPLINGS = _SUBSAMPLING_444, _SUBSAMPLING_422, _SUBSAMPLING_420 = 0, 1, 2

#: Options of Pillow's `save`.
_Options = dict[str, Any]
_PNG: _Options = {"format": "PNG"}
#: A single attempt, because WebP takes ten times as long as JPEG.
_WEBP: _Options = {"format": "WEBP", "quality": 90, "method": 2}
#: The longest side that a format allows (pixels); PNG's limit is out of reach.
_MAX_SIDES = {"JPEG": 65_500, "WEBP": 16_383}


class _OutputTooLarge(Exception):
    """The output exceeds MAX_FILE_BYTES."""


class _LimitedBuffer(BytesIO):
    """Stops an encoder as soon as its output is too large."""

    def write(self, data: object, /) -> int:
        if self.tell() > MAX_FILE_BYTES:
            raise _OutputTooLarge
        return super().write(data)  # type: ignore[arg-type] # whatever buffer the encoder gives


def encode_within_limits(
    image: Image.Image, profile: bytes | None, *, is_lossless: bool, jpeg_options: _Options | None
) -> tuple[bytes, bool]:
    """Encode an image in L, LA, RGB or RGBA to at most MAX_FILE_BYTES; return the file, and whether it is downscaled.

    Transparent images become PNG, or WebP if the PNG is too large. Others become PNG if the source was lossless and the
    PNG is small enough, else JPEG; `jpeg_options` are tried first.
    """
    if is_lossless or image.mode.endswith("A"):
        content = _encode_losslessly(image, profile)
        if content is not None:
            return content, False
    return _encode_in_steps(image, profile, _options_to_try(image, jpeg_options))


def downscale_to_max_pixels(image: Image.Image) -> Image.Image:
    """Scale an image down to MAX_PIXELS if it has more."""
    return _scale(image, math.sqrt(MAX_PIXELS / (image.width * image.height)))


def _options_to_try(image: Image.Image, jpeg_options: _Options | None) -> list[_Options]:
    """Return the options to try before downscaling; below a quality of 85, losses become visible."""
    if image.mode.endswith("A"):
        return [_WEBP]
    if jpeg_options is None:
        full_colour = {"subsampling": _SUBSAMPLING_444}
        options = [{"quality": 95} | full_colour, {"quality": 90} | full_colour, {"quality": 85}]
    else:
        options = [jpeg_options, {"quality": 95}, {"quality": 90}, {"quality": 85}]
    return [{"format": "JPEG"} | each for each in options]


def _encode_losslessly(image: Image.Image, profile: bytes | None) -> bytes | None:
    out = _LimitedBuffer()
    try:
        _save(image, out, profile, _PNG)
    except _OutputTooLarge:
        return None
    return out.getvalue() if out.tell() <= MAX_FILE_BYTES else None


def _encode_in_steps(image: Image.Image, profile: bytes | None, options: list[_Options]) -> tuple[bytes, bool]:
    """Try the options in turn, then downscale the image further and further with the last ones."""
    size = image.size
    image = _scale(image, _MAX_SIDES[options[-1]["format"]] / max(size))
    content = b""
    for each in options:
        content = _encode(image, profile, each)
        if len(content) <= MAX_FILE_BYTES:
            return content, image.size != size
    scale = 1.0
    while len(content) > MAX_FILE_BYTES:
        # slightly below the estimated scale, and always smaller than before
        scale *= min(0.9, 0.97 * math.sqrt(MAX_FILE_BYTES / len(content)))
        content = _encode(_scale(image, scale), profile, options[-1])
    return content, True


def _encode(image: Image.Image, profile: bytes | None, options: _Options) -> bytes:
    out = BytesIO()
    _save(image, out, profile, options)
    return out.getvalue()


def _save(image: Image.Image, out: BytesIO, profile: bytes | None, options: _Options) -> None:
    """Save the image without its info: encoders would write what they find there, such as a comment."""
    image.info.clear()
    image.save(out, icc_profile=profile, **options)


def _scale(image: Image.Image, scale: float) -> Image.Image:
    if scale >= 1:
        return image
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def jpeg_options_like_source(image: Image.Image, *, is_sideways: bool) -> _Options | None:
    """Return options with which a copy of a JPEG loses almost nothing more; None for other sources.

    If the same blocks of pixels are encoded again, the same quantization tables keep their values (measured: closer
    than quality 95, in two thirds of the bytes). Otherwise quality 95 is closer. 4:2:2 subsampling cannot be kept when
    width and height are swapped (`is_sideways`).
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in {"L", "RGB"}:
        return None
    subsampling = JpegImagePlugin.get_sampling(image)
    if subsampling not in _SUBSAMPLINGS or (subsampling == _SUBSAMPLING_422 and is_sideways):
        subsampling = _SUBSAMPLING_444
    block = 8 if subsampling == _SUBSAMPLING_444 else 16
    if image.width % block or image.height % block:
        return {"quality": 95, "subsampling": subsampling}
    tables = [_transpose_table(table) if is_sideways else table for _, table in sorted(image.quantization.items())]
    return {"qtables": tables, "subsampling": subsampling}


def _transpose_table(table: list[int]) -> list[int]:
    return [table[8 * column + row] for row in range(8) for column in range(8)]
