"""The effects of the fake edit."""

import hashlib
from collections.abc import Callable, Iterator, Mapping

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from bot.sandbox.fake_edit.effect_keywords import EditEffect

WOOD_COLOURS = ((92, 58, 34), (132, 88, 52), (164, 114, 70), (110, 72, 42))
MOUNT_COLOUR = (250, 247, 240)
MOUNT_LINE_COLOUR = (206, 198, 184)


def add_frame(image: Image.Image) -> Image.Image:
    """Add a wooden frame with a white mount; the size stays, the edges are cropped a little."""
    wood, mount = _frame_widths(image)
    around = wood + mount
    inner = (max(1, image.width - 2 * around), max(1, image.height - 2 * around))
    whole = Image.new("RGB", image.size, MOUNT_COLOUR)
    draw = ImageDraw.Draw(whole)
    for number, colour in enumerate(WOOD_COLOURS):
        start, end = (wood * part // len(WOOD_COLOURS) for part in (number, number + 1))
        _draw_border(draw, image.size, start, end - start, colour)
    _draw_border(draw, image.size, around - max(1, mount // 10), max(1, mount // 10), MOUNT_LINE_COLOUR)
    whole.paste(ImageOps.fit(image, inner), (around, around))
    return whole


def _frame_widths(image: Image.Image) -> tuple[int, int]:
    short = min(image.size)
    return max(1, short // 22), max(1, short // 18)


def _draw_border(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], inset: int, width: int, colour: tuple[int, ...]
) -> None:
    right, bottom = size[0] - 1 - inset, size[1] - 1 - inset
    if width > 0 and right >= inset and bottom >= inset:
        draw.rectangle((inset, inset, right, bottom), outline=colour, width=width)


SNOWFLAKES = 260
STARS = 70


def apply_night(image: Image.Image) -> Image.Image:
    """Make a picture dark and blue, with a moon and stars in its upper part."""
    dark = Image.blend(image, Image.new("RGB", image.size, (6, 12, 52)), 0.68)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    unit = min(image.size) / 100
    for across, down, size in _scatter(b"stars", STARS):
        x, y, radius = across * image.width, down * image.height * 0.38, 0.15 * unit + 0.3 * unit * size**3
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=190)
    _draw_moon(draw, image.width * 0.84, image.height * 0.16, 7 * unit)
    dark.paste((255, 248, 214), mask=mask.filter(ImageFilter.GaussianBlur(0.08 * unit)))
    return dark


def _draw_moon(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    bite = (x - radius * 1.45, y - radius * 1.15, x + radius * 0.45, y + radius * 0.75)
    draw.ellipse(bite, fill=0)


def apply_snow(image: Image.Image) -> Image.Image:
    """Add cold light, falling flakes, and a snowdrift at the bottom."""
    snowy = Image.blend(image, Image.new("RGB", image.size, (226, 236, 252)), 0.32)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    unit = min(image.size) / 100
    for across, down, size in _scatter(b"snow", SNOWFLAKES):
        x, y, radius = across * image.width, down * image.height, 0.25 * unit + 1.1 * unit * size**4
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    _draw_snowdrift(draw, image.width, image.height)
    snowy.paste("white", mask=mask.filter(ImageFilter.GaussianBlur(0.12 * unit)))
    return snowy


def _draw_snowdrift(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    for left, right, rise in ((-0.3, 0.45, 0.085), (0.2, 0.9, 0.06), (0.6, 1.35, 0.1)):
        draw.ellipse((left * width, height * (1 - rise), right * width, height * (1 + rise)), fill=255)


def _scatter(what: bytes, number: int) -> Iterator[tuple[float, float, float]]:
    """Yield pseudo-random positions (across, down) with a size, all from 0 to 1."""
    digest = hashlib.shake_256(what).digest(5 * number)
    for at in range(0, len(digest), 5):
        across, down = (int.from_bytes(digest[at + part : at + part + 2]) / 0xFFFF for part in (0, 2))
        yield across, down, digest[at + 4] / 0xFF


EffectFunction = Callable[[Image.Image], Image.Image]


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(2, max(image.size) / 80)))


def _poster(image: Image.Image) -> Image.Image:
    calm = ImageEnhance.Color(image.filter(ImageFilter.BoxBlur(2))).enhance(1.6)
    # four levels per channel, up to 255
    return ImageOps.autocontrast(calm, cutoff=1).point([step // 64 * 85 for step in range(256)] * 3)


def _watercolour(image: Image.Image) -> Image.Image:
    small = image.resize((max(1, image.width // 5), max(1, image.height // 5)), reducing_gap=2.0)
    calm = small.filter(ImageFilter.MedianFilter(7))
    pools = calm.resize(image.size, Image.Resampling.BICUBIC)
    pale = Image.blend(ImageEnhance.Color(pools).enhance(1.5), Image.new("RGB", image.size, (255, 252, 244)), 0.25)
    # paint gathers at the edges
    edges = ImageOps.grayscale(calm).filter(ImageFilter.CONTOUR).resize(image.size)
    return ImageChops.multiply(pale, edges.point([155 + step * 100 // 255 for step in range(256)]).convert("RGB"))


def _sketch(image: Image.Image) -> Image.Image:
    gray = ImageOps.grayscale(image)
    # dodging: what is as bright as its surroundings becomes paper, what is darker a stroke
    around = gray.filter(ImageFilter.GaussianBlur(max(2, max(image.size) / 120)))
    lines = ImageChops.subtract(around, gray).point([max(0, 250 - 5 * step) for step in range(256)])
    tone = gray.point([215 + step * 40 // 255 for step in range(256)])
    return ImageChops.multiply(lines, tone).convert("RGB")


def _sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(ImageOps.grayscale(image), (40, 22, 8), (255, 238, 205), (166, 124, 82))


def _black_and_white(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(ImageOps.grayscale(image), cutoff=1).convert("RGB")


#: applied to each input image
INPUT_EFFECTS: Mapping[EditEffect, EffectFunction] = {
    EditEffect.ROTATE_LEFT: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    EditEffect.UPSIDE_DOWN: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    EditEffect.ROTATE_RIGHT: lambda image: image.transpose(Image.Transpose.ROTATE_270),
    EditEffect.MIRROR: ImageOps.mirror,
    EditEffect.BLUR: _blur,
}

#: applied to the result, after the collage and the crop
RESULT_EFFECTS: Mapping[EditEffect, EffectFunction] = {
    EditEffect.BRIGHTER: lambda image: image.point([round(255 * (step / 255) ** 0.55) for step in range(256)] * 3),
    EditEffect.DARKER: lambda image: image.point([round(step * 0.45) for step in range(256)] * 3),
    EditEffect.POSTER: _poster,
    EditEffect.WATERCOLOUR: _watercolour,
    EditEffect.SKETCH: _sketch,
    EditEffect.NEGATIVE: ImageOps.invert,
    EditEffect.NIGHT: apply_night,
    EditEffect.SNOW: apply_snow,
    EditEffect.SEPIA: _sepia,
    EditEffect.BLACK_AND_WHITE: _black_and_white,
    EditEffect.FRAME: add_frame,
}
