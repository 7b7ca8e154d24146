"""Sample pictures for the sandbox, drawn here."""

import io
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter

SAMPLE_SIZE = (1280, 960)


def draw_house() -> bytes:
    """Return a JPEG of 1280x960 pixels: a house between hills in the evening sun."""
    image = _sunset_sky()
    draw = ImageDraw.Draw(image)
    _add_hill(draw, (-300, 520, 900, 1300), (92, 138, 122))
    _add_hill(draw, (500, 480, 1700, 1300), (74, 122, 104))
    _add_hill(draw, (-200, 640, 1500, 1500), (118, 168, 88))
    _add_house(draw)
    for x, y in ((180, 650), (260, 690), (1040, 640), (1130, 690)):
        _add_tree(draw, x, y)
    return _to_jpeg(image)


def _sunset_sky() -> Image.Image:
    fade = Image.linear_gradient("L").resize(SAMPLE_SIZE)
    sky = Image.composite(
        Image.new("RGB", SAMPLE_SIZE, (255, 214, 165)), Image.new("RGB", SAMPLE_SIZE, (86, 152, 214)), fade
    )
    glow = Image.new("L", SAMPLE_SIZE)
    draw = ImageDraw.Draw(glow)
    draw.ellipse((840, 120, 1100, 380), fill=150)
    draw.ellipse((890, 170, 1050, 330), fill=255)
    sky.paste((255, 244, 196), mask=glow.filter(ImageFilter.GaussianBlur(12)))
    return sky


def _add_hill(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    draw.ellipse(box, fill=colour)


def _add_house(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((520, 560, 800, 760), fill=(244, 232, 210))
    draw.polygon(((490, 570), (660, 430), (830, 570)), fill=(178, 74, 58))
    draw.rectangle((735, 450, 770, 530), fill=(140, 62, 50))
    draw.rectangle((630, 650, 690, 760), fill=(110, 76, 52))
    for left in (550, 720):
        draw.rectangle((left, 600, left + 50, 650), fill=(255, 222, 120), outline=(110, 76, 52), width=5)


def _add_tree(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.rectangle((x - 9, y, x + 9, y + 90), fill=(98, 70, 50))
    draw.ellipse((x - 60, y - 120, x + 60, y + 30), fill=(54, 104, 68))


def draw_beach() -> bytes:
    """Return a JPEG of 1280x960 pixels: a sailing boat off a beach with a parasol."""
    image = Image.composite(
        Image.new("RGB", SAMPLE_SIZE, (206, 236, 246)),
        Image.new("RGB", SAMPLE_SIZE, (96, 178, 226)),
        Image.linear_gradient("L").resize(SAMPLE_SIZE),
    )
    draw = ImageDraw.Draw(image)
    draw.ellipse((980, 90, 1120, 230), fill=(255, 232, 150))
    draw.rectangle((0, 480, 1280, 960), fill=(42, 132, 168))
    for top, colour in ((560, (52, 148, 182)), (640, (74, 168, 196))):
        _add_waves(draw, top, colour)
    _add_boat(draw)
    _add_hill(draw, (-400, 700, 1700, 1500), (240, 216, 164))
    _add_hill(draw, (-300, 740, 1800, 1500), (230, 200, 142))
    _add_parasol(draw)
    return _to_jpeg(image)


def draw_cat() -> bytes:
    """Return a JPEG of 960x1200 pixels: a ginger cat on a windowsill."""
    image = Image.new("RGB", (960, 1200), (120, 150, 168))
    draw = ImageDraw.Draw(image)
    draw.rectangle((90, 70, 870, 900), fill=(214, 232, 238))
    _add_hill(draw, (-100, 640, 600, 1300), (150, 186, 150))
    _add_hill(draw, (380, 600, 1150, 1300), (128, 170, 134))
    draw.rectangle((465, 70, 495, 900), fill=(240, 240, 236))
    draw.rectangle((60, 40, 900, 900), outline=(240, 240, 236), width=34)
    draw.rectangle((0, 900, 960, 1200), fill=(196, 160, 122))
    draw.rectangle((0, 900, 960, 930), fill=(214, 180, 142))
    _add_cat(draw)
    return _to_jpeg(image)


def _add_waves(draw: ImageDraw.ImageDraw, top: int, colour: tuple[int, int, int]) -> None:
    draw.rectangle((0, top + 20, 1280, 960), fill=colour)
    for left in range(-40, 1280, 160):
        draw.ellipse((left, top, left + 180, top + 50), fill=colour)


def _add_boat(draw: ImageDraw.ImageDraw) -> None:
    draw.polygon(((300, 540), (560, 540), (520, 590), (340, 590)), fill=(150, 74, 58))
    draw.line((430, 540, 430, 290), fill=(96, 66, 48), width=8)
    draw.polygon(((440, 300), (440, 520), (560, 520)), fill=(250, 246, 236))
    draw.polygon(((420, 330), (420, 520), (320, 520)), fill=(232, 106, 88))


def _add_parasol(draw: ImageDraw.ImageDraw) -> None:
    draw.line((930, 560, 960, 860), fill=(120, 86, 60), width=10)
    for number, start in enumerate(range(180, 360, 30)):
        colour = (226, 86, 74) if number % 2 == 0 else (252, 246, 232)
        draw.pieslice((760, 440, 1100, 700), start, start + 30, fill=colour)
    draw.rectangle((1010, 840, 1180, 880), fill=(72, 132, 190))


def _add_cat(draw: ImageDraw.ImageDraw) -> None:
    fur, dark, pale = (226, 148, 74), (190, 112, 48), (250, 232, 208)
    draw.arc((540, 740, 840, 1100), 285, 135, fill=dark, width=52)
    draw.ellipse((290, 560, 690, 1100), fill=fur)
    draw.ellipse((400, 700, 580, 1080), fill=pale)
    for left in (350, 500):
        draw.ellipse((left, 1030, left + 130, 1110), fill=pale)
    for ear in (((330, 440), (350, 250), (470, 350)), ((630, 440), (610, 250), (490, 350))):
        draw.polygon(ear, fill=dark)
    draw.ellipse((310, 310, 650, 620), fill=fur)
    for left in (455, 480, 505):
        draw.line((left, 322, left, 380), fill=dark, width=12)
    for left in (385, 525):
        draw.ellipse((left, 420, left + 50, 490), fill=(94, 138, 84))
        draw.ellipse((left + 17, 430, left + 33, 482), fill=(24, 28, 24))
    draw.ellipse((415, 500, 545, 590), fill=pale)
    draw.polygon(((462, 508), (498, 508), (480, 530)), fill=(196, 96, 88))


def _to_jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "jpeg", quality=90)
    return out.getvalue()


class SamplePicture(NamedTuple):
    """A picture, and a prompt that suits it."""

    draw: Callable[[], bytes]
    prompt: str


SAMPLES = {
    "house.jpg": SamplePicture(draw_house, "make it snow"),
    "beach.jpg": SamplePicture(draw_beach, "now at night"),
    "cat.jpg": SamplePicture(draw_cat, "as a pencil drawing"),
}
