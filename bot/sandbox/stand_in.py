"""The stand-in edit: what the sandbox shows in place of a model's work.

The same pictures and prompt always give the same result. It is visibly another
picture, says on a band that it is a stand-in, shows the untouched originals
small beside that, and carries a note for machines on where it came from.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps, PngImagePlugin

Effect = Callable[[Image.Image], Image.Image]

#: pixels of the longer side that an edited picture is brought to, about the real model's
SIDE = 1024
PROMPT_CHARACTERS = 120
NOTE = "stand-in"


@dataclass(frozen=True)
class Origin:
    """What a result was made from."""

    task_id: str
    #: sha256 of each input file, in order, as hex
    inputs: tuple[str, ...]
    prompt: str


def edit(
    pictures: Sequence[bytes], prompt: str, output_format: str, *, ratio: str = "auto", task_id: str = ""
) -> bytes:
    """A marked stand-in edit as a `png` or `jpeg` file.

    Several pictures stand side by side. `ratio` is `auto` or width to height
    such as `16:9`, and is cut to. Blocks for some 100 ms: call it in a thread.
    """
    originals = [_open(picture) for picture in pictures]
    image = _side_by_side([_changed(original, prompt) for original in originals])
    if ratio != "auto":
        image = _cut_to(image, ratio)
    hashes = tuple(hashlib.sha256(picture).hexdigest() for picture in pictures)
    return _file(_with_band(image, originals, prompt), output_format, Origin(task_id, hashes, prompt))


def origin(result: bytes) -> Origin | None:
    """Read the note in a result file; None if it has none."""
    with Image.open(io.BytesIO(result)) as image:
        image.load()
        note = image.info.get("comment") or image.info.get(NOTE)
    if note is None:
        return None
    read = json.loads(note)
    return Origin(read["task"], tuple(read["inputs"]), read["prompt"])


# -- effects


def effects(prompt: str) -> list[Effect]:
    """The effects that the words of a prompt call for; warm and vivid where none does."""
    text = prompt.lower()
    called = [effect for words, effect in _effects_by_words() if any(word in text for word in words)]
    return called or [_vivid]


def _effects_by_words() -> tuple[tuple[tuple[str, ...], Effect], ...]:
    return (
        (("black and white", "black-and-white", "gray", "grey", "monochrome"), _gray),
        (("sepia", "vintage", "old photo"), _sepia),
        (("blur", "dreamy"), lambda image: image.filter(ImageFilter.GaussianBlur(14))),
        (("bright", "sunny", "lighter"), lambda image: ImageEnhance.Brightness(image).enhance(1.5)),
        (("dark", "night"), _night),
        (("snow", "winter"), _snow),
        (("mirror", "flip"), ImageOps.mirror),
        (("rotate", "upside"), lambda image: image.transpose(Image.Transpose.ROTATE_180)),
        (("negative", "invert"), ImageOps.invert),
        (("sketch", "pencil", "drawing"), _sketch),
    )


def _gray(image: Image.Image) -> Image.Image:
    return ImageOps.grayscale(image).convert("RGB")


def _sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(ImageOps.grayscale(image), (40, 22, 8), (255, 238, 205), (166, 124, 82))


def _vivid(image: Image.Image) -> Image.Image:
    warm = Image.blend(image, Image.new("RGB", image.size, (255, 120, 40)), 0.25)
    return ImageEnhance.Contrast(ImageEnhance.Color(warm).enhance(1.8)).enhance(1.2)


def _night(image: Image.Image) -> Image.Image:
    return Image.blend(image, Image.new("RGB", image.size, (8, 14, 48)), 0.6)


def _sketch(image: Image.Image) -> Image.Image:
    return ImageOps.invert(ImageOps.grayscale(image).filter(ImageFilter.FIND_EDGES)).convert("RGB")


def _snow(image: Image.Image) -> Image.Image:
    snowy = Image.blend(image, Image.new("RGB", image.size, (235, 243, 255)), 0.3)
    draw = ImageDraw.Draw(snowy)
    for flake in range(700):
        # A digest scatters as chance does, but the same way each time.
        digest = hashlib.sha256(str(flake).encode()).digest()
        x = int.from_bytes(digest[:4]) % image.width
        y = int.from_bytes(digest[4:8]) % image.height
        size = 1 + digest[8] % 7
        draw.ellipse((x, y, x + size, y + size), fill="white")
    return snowy


# -- putting it together


def _open(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        image.draft("RGB", (SIDE, SIDE))
        upright = ImageOps.exif_transpose(image)
        return _within(upright.convert("RGBA"), SIDE, SIDE)


def _within(image: Image.Image, width: int, height: int) -> Image.Image:
    """Scale to fit, up or down; the thinnest picture keeps a pixel."""
    scale = min(width / image.width, height / image.height)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _changed(original: Image.Image, prompt: str) -> Image.Image:
    ground = Image.new("RGBA", original.size, "white")
    image = Image.alpha_composite(ground, original).convert("RGB")
    for effect in effects(prompt):
        image = effect(image)
    return image


def _side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    height = min(SIDE, *(image.height for image in images)) if len(images) > 1 else images[0].height
    scaled = [image.resize((max(1, image.width * height // image.height), height)) for image in images]
    row = Image.new("RGB", (sum(image.width for image in scaled), height), "white")
    left = 0
    for image in scaled:
        row.paste(image, (left, 0))
        left += image.width
    return _within(row, 2 * SIDE, SIDE) if len(images) > 1 else row


def _cut_to(image: Image.Image, ratio: str) -> Image.Image:
    across, down = (int(side) for side in ratio.split(":"))
    width = min(image.width, max(1, image.height * across // down))
    return ImageOps.fit(image, (width, max(1, width * down // across)))


def _with_band(image: Image.Image, originals: Sequence[Image.Image], prompt: str) -> Image.Image:
    """Lay the band over the picture's foot: the originals, untouched, then the words."""
    band = max(24, min(image.height // 5, 160))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, image.height - band, image.width, image.height), fill=(20, 22, 28))
    gap = max(2, band // 16)
    left = gap
    for original in originals:
        small = _within(original, band - 2 * gap, band - 2 * gap)
        image.paste(small, (left, image.height - band + gap), small)
        left += small.width + gap
    _write(draw, prompt, (left + gap, image.height - band + gap), image.width - left - 2 * gap, band - 2 * gap)
    return image


def _write(draw: ImageDraw.ImageDraw, prompt: str, at: tuple[int, int], width: int, height: int) -> None:
    font = ImageFont.load_default(size=max(8, height // 5))
    lines = _wrapped(f"stand-in edit: {_plain(prompt)}", width, lambda text: draw.textlength(text, font))
    draw.multiline_text(at, "\n".join(lines[:4]), fill=(255, 214, 102), font=font, spacing=2)


def _plain(prompt: str) -> str:
    """One short line that a font can be asked to draw, whatever was written."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in prompt).split())
    return line if len(line) <= PROMPT_CHARACTERS else line[: PROMPT_CHARACTERS - 1] + "…"


def _wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and measure(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _file(image: Image.Image, output_format: str, made_from: Origin) -> bytes:
    content = {"task": made_from.task_id, "inputs": made_from.inputs, "prompt": made_from.prompt}
    note = json.dumps(content)
    options: dict[str, Any] = {"comment": note, "quality": 90}
    if output_format == "png":
        chunk = PngImagePlugin.PngInfo()
        chunk.add_text(NOTE, note)
        options = {"pnginfo": chunk, "compress_level": 1}
    out = io.BytesIO()
    image.save(out, output_format, **options)
    return out.getvalue()
