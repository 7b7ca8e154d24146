"""Night and snow. Both fall where a digest says, which scatters as chance does, but the same way each time."""

import hashlib
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFilter

FLAKES = 260
STARS = 70


def night(image: Image.Image) -> Image.Image:
    """Moonlight: dark and blue, with a moon and stars in the upper part."""
    dark = Image.blend(image, Image.new("RGB", image.size, (6, 12, 52)), 0.68)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    unit = min(image.size) / 100
    for across, down, size in _scattered(b"stars", STARS):
        x, y, radius = across * image.width, down * image.height * 0.38, 0.15 * unit + 0.3 * unit * size**3
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=190)
    _moon(draw, image.width * 0.84, image.height * 0.16, 7 * unit)
    dark.paste((255, 248, 214), mask=mask.filter(ImageFilter.GaussianBlur(0.08 * unit)))
    return dark


def _moon(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    bite = (x - radius * 1.45, y - radius * 1.15, x + radius * 0.45, y + radius * 0.75)
    draw.ellipse(bite, fill=0)


def snow(image: Image.Image) -> Image.Image:
    """A cold light, falling flakes, and a drift along the foot."""
    snowy = Image.blend(image, Image.new("RGB", image.size, (226, 236, 252)), 0.32)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    unit = min(image.size) / 100
    for across, down, size in _scattered(b"snow", FLAKES):
        x, y, radius = across * image.width, down * image.height, 0.25 * unit + 1.1 * unit * size**4
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    _drift(draw, image.width, image.height)
    snowy.paste("white", mask=mask.filter(ImageFilter.GaussianBlur(0.12 * unit)))
    return snowy


def _drift(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    for left, right, rise in ((-0.3, 0.45, 0.085), (0.2, 0.9, 0.06), (0.6, 1.35, 0.1)):
        draw.ellipse((left * width, height * (1 - rise), right * width, height * (1 + rise)), fill=255)


def _scattered(what: bytes, number: int) -> Iterator[tuple[float, float, float]]:
    """So many places, each by its way across, its way down, and a size; all from 0 to 1."""
    digest = hashlib.shake_256(what).digest(5 * number)
    for at in range(0, len(digest), 5):
        across, down = (int.from_bytes(digest[at + part : at + part + 2]) / 0xFFFF for part in (0, 2))
        yield across, down, digest[at + 4] / 0xFF
