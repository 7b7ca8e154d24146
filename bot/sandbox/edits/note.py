"""A paper note on the picture, with the words that the local Kie can do nothing with."""

import re

from PIL import Image, ImageDraw, ImageFilter

from bot.sandbox.edits.lettering import bare, drawable, font, wrapped, write

CHARACTERS = 160
#: pixels
SMALLEST = 8
#: of the largest size, to be tried one after the other
PARTS = (1.0, 0.85, 0.72, 0.6, 0.5, 0.42, 0.35, 0.28)
NO_WORDS = "(no words)"
#: what is left of a wish of which nothing can be drawn
UNWRITTEN = re.compile(r"\(\d[^()]*\)")
PAPER, INK, TAPE = (255, 244, 176), (44, 40, 34), (226, 214, 190)
DEGREES = 2.0


def with_note(image: Image.Image, prompt: str) -> Image.Image:
    """Stick the words on the picture, low enough to leave most of it to see."""
    paper = _paper(words(prompt), image.width, image.height)
    turned = paper.rotate(DEGREES, Image.Resampling.BICUBIC, expand=True)
    left, top = (image.width - turned.width) // 2, max(0, round(image.height * 0.9) - turned.height)
    shade = max(1, min(image.size) // 120)
    shadow = turned.getchannel("A").point([step // 3 for step in range(256)]).filter(ImageFilter.BoxBlur(shade))
    image.paste((0, 0, 0), (left + shade, top + shade), shadow)
    image.paste(turned, (left, top), turned)
    return image


def words(prompt: str) -> str:
    """What stands on the note."""
    said = drawable(prompt[: 4 * CHARACTERS]) or NO_WORDS
    if UNWRITTEN.fullmatch(said) and not any(letter.isascii() and letter.isalnum() for letter in prompt):
        return f"A wish of {said[1:-1]}, which this stand-in cannot write."
    return said if len(said) <= CHARACTERS and len(prompt) <= 4 * CHARACTERS else f"{said[: CHARACTERS - 1].rstrip()}…"


def _paper(said: str, width: int, height: int) -> Image.Image:
    size, lines = _set(said, width * 0.74, height * 0.45)
    pad, step = max(2, size * 2 // 3), size * 5 // 4
    across = max(_length(line, size) for line in lines)
    paper = Image.new("RGBA", (round(across) + 2 * pad, step * len(lines) + 2 * pad), PAPER)
    draw = ImageDraw.Draw(paper)
    for number, line in enumerate(lines):
        write(draw, (pad, pad + number * step), line, size, INK)
    tape = min(paper.width // 3, size * 4)
    middle = paper.width // 2
    draw.rectangle((middle - tape // 2, 0, middle + tape // 2, pad * 2 // 3), fill=TAPE)
    return paper


def _set(said: str, width: float, height: float) -> tuple[int, list[str]]:
    """The largest size in which the words fit, and their lines; as many lines as fit in the smallest."""
    largest = round(min(width / 7, height / 3))
    sizes = [max(SMALLEST, round(largest * part)) for part in PARTS]
    for size in sizes:
        if len(lines := _lines(said, width, size)) <= _room(height, size):
            return size, lines
    return sizes[-1], _lines(said, width, sizes[-1])[: _room(height, sizes[-1])]


def _lines(said: str, width: float, size: int) -> list[str]:
    return wrapped(said, width, lambda text: _length(text, size))


def _room(height: float, size: int) -> int:
    """How many lines there is room for; one always."""
    return max(1, int(height / (size * 5 // 4)))


def _length(line: str, size: int) -> float:
    return float(font(size).getlength(bare(line)))
