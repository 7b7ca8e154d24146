"""A picture whose way up can be read off its pixels."""

from io import BytesIO

from PIL import Image

from bot.pictures.convert import Fitted

SIDES = (128, 64)
COLOURS = {"R": (220, 30, 30), "G": (30, 200, 30), "B": (30, 30, 220), "W": (240, 240, 240)}

#: by EXIF orientation: the quarters of the upright picture, row by row, when R G B W is what is stored
SHOWN = {1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"}


def quarters(mode: str = "RGB") -> Image.Image:
    """Red and green above blue and white, 128 x 64 pixels."""
    picture = Image.new("RGB", SIDES)
    for number, colour in enumerate(COLOURS.values()):
        left, top = 64 * (number % 2), 32 * (number // 2)
        picture.paste(colour, (left, top, left + 64, top + 32))
    return picture.convert(mode)


def opened(fitted: Fitted) -> Image.Image:
    """The result as a decoder sees it."""
    return Image.open(BytesIO(fitted.content))


def seen(picture: Image.Image) -> str:
    """The letters of the four quarters, row by row, by the nearest colour in the middle of each."""
    picture = picture.convert("RGB")
    places = [(x * picture.width // 4, y * picture.height // 4) for y in (1, 3) for x in (1, 3)]
    return "".join(_nearest(picture.getpixel(place)) for place in places)


def _nearest(found: object) -> str:
    assert isinstance(found, tuple)
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], found, strict=True)))
