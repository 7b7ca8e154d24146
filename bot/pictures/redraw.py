"""Draws a picture again where nothing else serves: upright, in common colours, as a kind that is handed on.

Runs in the converting process only, because decoders of images are where a
stranger's bytes do their worst.
"""

from PIL import Image, JpegImagePlugin

from bot.pictures import colours, fitting, opening
from bot.pictures.errors import TooManyPixels
from bot.pictures.fitting import Origin, Written

#: these hold the picture exactly, or (WebP) may do so, and the copy should not be the one that loses
_LOSSLESS = {"PNG", "WEBP", "GIF", "BMP", "TIFF"}
#: how colours are spaced, in Pillow's numbers: one for each pixel, for two in a row, or for two by two
_SPACINGS = _FOR_EACH, _FOR_TWO, _FOR_FOUR = 0, 1, 2


def redrawn(content: bytes) -> Written:
    """Decode a picture and write it so that it fits.

    Raises Animated, Recognised, TooManyPixels, TooMuchWork, TooNarrow, Unreadable, and whatever decoders raise.
    """
    image, is_halved = opening.opened(content)
    announced = image.size
    try:
        image.load()
        orientation = opening.orientation_of(image)
        origin = _origin_of(image, orientation)
        image, profile = colours.plain(image)
        size = image.size
        # Pixels go first, because turning takes memory for those that are left. The picture has this one
        # name on purpose: a second one would keep what came before.
        image = fitting.within_pixels(image)
        is_smaller = is_halved or image.size != size
        done = fitting.written(opening.upright(image, orientation), profile, origin)
    except MemoryError:
        raise TooManyPixels(*announced) from None
    return Written(done.content, is_smaller=is_smaller or done.is_smaller)


def _origin_of(image: Image.Image, orientation: int) -> Origin:
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode in {"L", "RGB"}:
        return Origin(is_lossless=False, jpeg_options=_like_source(image, is_sideways=orientation in opening.SIDEWAYS))
    return Origin(is_lossless=image.format in _LOSSLESS)


def _like_source(image: JpegImagePlugin.JpegImageFile, *, is_sideways: bool) -> dict[str, object]:
    """Write a JPEG so that it loses next to nothing more than it has already lost.

    Where the same blocks of pixels come together again, values that were
    rounded once stay as they are under the same tables (measured: closer than a quality of
    95, in two thirds of the bytes). Where they do not, a quality of 95 is closer. A spacing of
    colours that differs between the directions cannot be kept when they change
    places.
    """
    spacing = JpegImagePlugin.get_sampling(image)
    if spacing not in _SPACINGS or (spacing == _FOR_TWO and is_sideways):
        spacing = _FOR_EACH
    block = 8 if spacing == _FOR_EACH else 16
    if image.width % block or image.height % block:
        return {"quality": 95, "subsampling": spacing}
    tables = [_turned(table) if is_sideways else table for _, table in sorted(image.quantization.items())]
    return {"qtables": tables, "subsampling": spacing}


def _turned(table: list[int]) -> list[int]:
    """Mirror a table of 8 rows of 8 along its diagonal."""
    return [table[8 * column + row] for row in range(8) for column in range(8)]
