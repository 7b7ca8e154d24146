"""The edits themselves: a picture in, a picture of RGB out."""

from collections.abc import Callable, Mapping

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from bot.sandbox.edits.frame import framed
from bot.sandbox.edits.vocabulary import Edit
from bot.sandbox.edits.weather import night, snow

Look = Callable[[Image.Image], Image.Image]


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(2, max(image.size) / 80)))


def _poster(image: Image.Image) -> Image.Image:
    calm = ImageEnhance.Color(image.filter(ImageFilter.BoxBlur(2))).enhance(1.6)
    # Each channel has four steps, and the uppermost is full.
    return ImageOps.autocontrast(calm, cutoff=1).point([step // 64 * 85 for step in range(256)] * 3)


def _watercolour(image: Image.Image) -> Image.Image:
    small = image.resize((max(1, image.width // 5), max(1, image.height // 5)), reducing_gap=2.0)
    calm = small.filter(ImageFilter.MedianFilter(7))
    pools = calm.resize(image.size, Image.Resampling.BICUBIC)
    pale = Image.blend(ImageEnhance.Color(pools).enhance(1.5), Image.new("RGB", image.size, (255, 252, 244)), 0.25)
    # Paint gathers where a pool ends.
    edges = ImageOps.grayscale(calm).filter(ImageFilter.CONTOUR).resize(image.size)
    return ImageChops.multiply(pale, edges.point([155 + step * 100 // 255 for step in range(256)]).convert("RGB"))


def _sketch(image: Image.Image) -> Image.Image:
    gray = ImageOps.grayscale(image)
    # Dodging: what is as bright as its surroundings becomes paper, what is darker a stroke.
    around = gray.filter(ImageFilter.GaussianBlur(max(2, max(image.size) / 120)))
    lines = ImageChops.subtract(around, gray).point([max(0, 250 - 5 * step) for step in range(256)])
    tone = gray.point([215 + step * 40 // 255 for step in range(256)])
    return ImageChops.multiply(lines, tone).convert("RGB")


def _sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(ImageOps.grayscale(image), (40, 22, 8), (255, 238, 205), (166, 124, 82))


def _black_and_white(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(ImageOps.grayscale(image), cutoff=1).convert("RGB")


#: made on every picture by itself
OF_EACH: Mapping[Edit, Look] = {
    Edit.LEFT: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    Edit.UPSIDE_DOWN: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    Edit.RIGHT: lambda image: image.transpose(Image.Transpose.ROTATE_270),
    Edit.MIRROR: ImageOps.mirror,
    Edit.BLUR: _blur,
}

#: made on the whole, once it has its shape
OF_ALL: Mapping[Edit, Look] = {
    Edit.BRIGHTER: lambda image: image.point([round(255 * (step / 255) ** 0.55) for step in range(256)] * 3),
    Edit.DARKER: lambda image: image.point([round(step * 0.45) for step in range(256)] * 3),
    Edit.POSTER: _poster,
    Edit.WATERCOLOUR: _watercolour,
    Edit.SKETCH: _sketch,
    Edit.NEGATIVE: ImageOps.invert,
    Edit.NIGHT: night,
    Edit.SNOW: snow,
    Edit.SEPIA: _sepia,
    Edit.BLACK_AND_WHITE: _black_and_white,
    Edit.FRAME: framed,
}
