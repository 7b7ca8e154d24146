"""A wooden frame with a white mount; the picture keeps its size, and loses a sliver at most."""

from PIL import Image, ImageDraw, ImageOps

WOOD = ((92, 58, 34), (132, 88, 52), (164, 114, 70), (110, 72, 42))
MOUNT = (250, 247, 240)
LINE = (206, 198, 184)


def framed(image: Image.Image) -> Image.Image:
    """Put a picture behind glass."""
    wood, mount = _widths(image)
    around = wood + mount
    inner = (max(1, image.width - 2 * around), max(1, image.height - 2 * around))
    whole = Image.new("RGB", image.size, MOUNT)
    draw = ImageDraw.Draw(whole)
    for number, colour in enumerate(WOOD):
        start, end = (wood * part // len(WOOD) for part in (number, number + 1))
        _ring(draw, image.size, start, end - start, colour)
    _ring(draw, image.size, around - max(1, mount // 10), max(1, mount // 10), LINE)
    whole.paste(ImageOps.fit(image, inner), (around, around))
    return whole


def _widths(image: Image.Image) -> tuple[int, int]:
    short = min(image.size)
    return max(1, short // 22), max(1, short // 18)


def _ring(draw: ImageDraw.ImageDraw, size: tuple[int, int], inset: int, width: int, colour: tuple[int, ...]) -> None:
    right, bottom = size[0] - 1 - inset, size[1] - 1 - inset
    if width > 0 and right >= inset and bottom >= inset:
        draw.rectangle((inset, inset, right, bottom), outline=colour, width=width)
