"""Writes a picture so that it fits: as good as possible, then smaller step by step.

Runs in the converting process only. First the form that loses nothing or least;
then the same pixels in fewer bytes; then, only then, fewer pixels. Nothing but
pixels and a colour profile is ever handed to an encoder, so no metadata of the
source can slip through.
"""

import math
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from bot.pictures import bounds
from bot.pictures.inspect import MOST_BYTES

#: aim a little lower than the computed size, and always move on
_MARGIN, _LEAST_STEP = 0.97, 0.9


@dataclass(frozen=True, slots=True)
class Origin:
    """What the picture was, as far as it decides how to write it."""

    #: the source lost nothing, so the copy should not either
    is_lossless: bool
    #: of a JPEG: its tables and the spacing of its colours, with which a copy loses next to nothing
    jpeg_options: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The finished file."""

    content: bytes
    #: it has fewer pixels than it was given
    is_smaller: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to write a picture down, as Pillow calls it."""

    name: str
    #: pixels of a side that the format can say
    longest: int
    options: dict[str, object] = field(default_factory=dict)


_PNG = _Form("PNG", 2**31 - 1)
#: one try only: WebP takes ten times as long as JPEG
_WEBP = _Form("WEBP", 16_383, {"quality": 90, "method": 2})


class _TooLong(Exception):
    """The file grew above the limit while it was written."""


class _Limited(BytesIO):
    """Stops an encoder as soon as its work is in vain."""

    def write(self, data: object, /) -> int:
        if self.tell() > MOST_BYTES:
            raise _TooLong
        return super().write(data)  # type: ignore[arg-type] # whatever buffer the encoder gives


def written(image: Image.Image, profile: bytes | None, origin: Origin) -> Written:
    """Encode a picture in L, LA, RGB or RGBA to at most MOST_BYTES and MOST_PIXELS.

    Transparent pictures become PNG, or WebP when that is too big; others become
    PNG when they came without loss and fit, else JPEG.
    """
    size = image.size
    image = within_pixels(image)
    content = _losslessly(image, profile) if origin.is_lossless or image.mode.endswith("A") else None
    if content is None:
        image, content = _in_steps(image, profile, _forms(image, origin))
    return Written(content, is_smaller=image.size != size)


def within_pixels(image: Image.Image) -> Image.Image:
    """Shrink a picture to MOST_PIXELS, if it has more."""
    return _scaled(image, math.sqrt(bounds.MOST_PIXELS / (image.width * image.height)))


def _forms(image: Image.Image, origin: Origin) -> list[_Form]:
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
    return [_Form("JPEG", 65_500, options) for options in tries]


def _losslessly(image: Image.Image, profile: bytes | None) -> bytes | None:
    out = _Limited()
    try:
        _write(image, out, profile, _PNG)
    except _TooLong:
        return None
    return out.getvalue() if out.tell() <= MOST_BYTES else None


def _in_steps(image: Image.Image, profile: bytes | None, forms: list[_Form]) -> tuple[Image.Image, bytes]:
    """Go through the forms, then repeat the last one with fewer and fewer pixels of the same picture."""
    image = _scaled(image, forms[-1].longest / max(image.size))
    content = b""
    for form in forms:
        content = _encoded(image, profile, form)
        if len(content) <= MOST_BYTES:
            return image, content
    smaller, scale = image, 1.0
    while len(content) > MOST_BYTES:
        scale *= min(_LEAST_STEP, _MARGIN * math.sqrt(MOST_BYTES / len(content)))
        smaller = _scaled(image, scale)
        content = _encoded(smaller, profile, forms[-1])
    return smaller, content


def _encoded(image: Image.Image, profile: bytes | None, form: _Form) -> bytes:
    out = BytesIO()
    _write(image, out, profile, form)
    return out.getvalue()


def _write(image: Image.Image, out: BytesIO, profile: bytes | None, form: _Form) -> None:
    """Encoders copy what they find in a picture's notes (a comment, for one), so these are emptied."""
    image.info.clear()
    image.save(out, form.name, icc_profile=profile, **form.options)


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    if scale >= 1:
        return image
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)
