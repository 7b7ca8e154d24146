"""A small picture with known corners and colours, and functions that inspect results."""

import io

from PIL import Image, ImageChops, ImageDraw, ImageStat

from bot.sandbox.fake_edit import render

RESULT_SIDE = 160
#: clockwise from the upper left
CORNER_COLOURS = ("red", "lime", "blue", "yellow")
CORNER_POSITIONS = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.7), (0.2, 0.7))
COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


def draw_corners() -> bytes:
    """Return a picture in four colours, wider than high."""
    image = Image.new("RGB", (80, 60))
    draw = ImageDraw.Draw(image)
    for (x, y), colour in zip(((0, 0), (40, 0), (40, 30), (0, 30)), CORNER_COLOURS, strict=True):
        draw.rectangle((x, y, x + 40, y + 30), fill=colour)
    out = io.BytesIO()
    image.save(out, "png")
    return out.getvalue()


def open_image(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def edit_image(prompt: str, *pictures: bytes, ratio: str = "auto") -> Image.Image:
    return open_image(render.render_fake_edit(pictures or [draw_corners()], prompt, "png", ratio=ratio)).convert("RGB")


def read_corner_colours(image: Image.Image) -> tuple[str, ...]:
    """Return the names of the corners' colours, clockwise from the upper left."""
    return tuple(_nearest_colour(image, across, down) for across, down in CORNER_POSITIONS)


def _nearest_colour(image: Image.Image, across: float, down: float) -> str:
    pixel = image.getpixel((round(across * (image.width - 1)), round(down * (image.height - 1))))
    assert isinstance(pixel, tuple)
    return min(COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(pixel, COLOURS[name], strict=True)))


def crop_middle(image: Image.Image) -> Image.Image:
    """Return the picture without its frame and watermark."""
    return image.crop((image.width // 6, image.height // 6, image.width * 5 // 6, image.height * 5 // 6))


def brightness(image: Image.Image) -> float:
    return float(ImageStat.Stat(crop_middle(image).convert("L")).mean[0])


def saturation(image: Image.Image) -> float:
    return float(ImageStat.Stat(crop_middle(image).convert("HSV")).mean[1])


def colour_share(image: Image.Image, colour: tuple[int, ...], tolerance: int = 12) -> float:
    """Return the share of a picture that has this colour, from 0 to 1."""
    gap = ImageChops.difference(image, Image.new("RGB", image.size, colour))
    near = Image.merge("RGB", [band.point(lambda step: 255 * (step <= tolerance)) for band in gap.split()])
    red, green, blue = near.split()
    return float(ImageStat.Stat(ImageChops.multiply(ImageChops.multiply(red, green), blue)).mean[0]) / 255
