"""A picture to try the sandbox with, for people who have none at hand."""

import io

from PIL import Image, ImageDraw, ImageFilter

SIZE = (1280, 960)


def sample() -> bytes:
    """A JPEG of 1280x960 pixels, drawn here: a house between hills in the evening sun."""
    image = _sky()
    draw = ImageDraw.Draw(image)
    _hill(draw, (-300, 520, 900, 1300), (92, 138, 122))
    _hill(draw, (500, 480, 1700, 1300), (74, 122, 104))
    _hill(draw, (-200, 640, 1500, 1500), (118, 168, 88))
    _house(draw)
    for x, y in ((180, 650), (260, 690), (1040, 640), (1130, 690)):
        _tree(draw, x, y)
    out = io.BytesIO()
    image.save(out, "jpeg", quality=90)
    return out.getvalue()


def _sky() -> Image.Image:
    fade = Image.linear_gradient("L").resize(SIZE)
    sky = Image.composite(Image.new("RGB", SIZE, (255, 214, 165)), Image.new("RGB", SIZE, (86, 152, 214)), fade)
    glow = Image.new("L", SIZE)
    draw = ImageDraw.Draw(glow)
    draw.ellipse((840, 120, 1100, 380), fill=150)
    draw.ellipse((890, 170, 1050, 330), fill=255)
    sky.paste((255, 244, 196), mask=glow.filter(ImageFilter.GaussianBlur(12)))
    return sky


def _hill(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    draw.ellipse(box, fill=colour)


def _house(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((520, 560, 800, 760), fill=(244, 232, 210))
    draw.polygon(((490, 570), (660, 430), (830, 570)), fill=(178, 74, 58))
    draw.rectangle((735, 450, 770, 530), fill=(140, 62, 50))
    draw.rectangle((630, 650, 690, 760), fill=(110, 76, 52))
    for left in (550, 720):
        draw.rectangle((left, 600, left + 50, 650), fill=(255, 222, 120), outline=(110, 76, 52), width=5)


def _tree(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.rectangle((x - 9, y, x + 9, y + 90), fill=(98, 70, 50))
    draw.ellipse((x - 60, y - 120, x + 60, y + 30), fill=(54, 104, 68))
