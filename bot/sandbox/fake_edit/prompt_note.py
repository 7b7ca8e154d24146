"""A paper note on the picture with a prompt that asks for no known effect."""

import re

from PIL import Image, ImageDraw, ImageFilter

from bot.sandbox.fake_edit.text_drawing import draw_line, load_font, strip_accents, to_drawable_text, wrap_lines

MAX_NOTE_CHARACTERS = 160
#: pixels
MIN_FONT_SIZE = 8
#: fractions of the largest size, in the order in which they are tried
FONT_SIZE_STEPS = (1.0, 0.85, 0.72, 0.6, 0.5, 0.42, 0.35, 0.28)
NO_PROMPT_TEXT = "(no words)"
#: what is left of a prompt that cannot be drawn at all
UNDRAWABLE_PROMPT = re.compile(r"\(\d[^()]*\)")
PAPER_COLOUR, INK_COLOUR, TAPE_COLOUR = (255, 244, 176), (44, 40, 34), (226, 214, 190)
TILT_DEGREES = 2.0


def add_prompt_note(image: Image.Image, prompt: str) -> Image.Image:
    """Add a note near the bottom of the picture."""
    paper = _draw_paper(note_text(prompt), image.width, image.height)
    turned = paper.rotate(TILT_DEGREES, Image.Resampling.BICUBIC, expand=True)
    left, top = (image.width - turned.width) // 2, max(0, round(image.height * 0.9) - turned.height)
    shade = max(1, min(image.size) // 120)
    shadow = turned.getchannel("A").point([step // 3 for step in range(256)]).filter(ImageFilter.BoxBlur(shade))
    image.paste((0, 0, 0), (left + shade, top + shade), shadow)
    image.paste(turned, (left, top), turned)
    return image


def note_text(prompt: str) -> str:
    """Return the text of the note."""
    content = to_drawable_text(prompt[: 4 * MAX_NOTE_CHARACTERS]) or NO_PROMPT_TEXT
    if UNDRAWABLE_PROMPT.fullmatch(content) and not any(letter.isascii() and letter.isalnum() for letter in prompt):
        return f"A prompt of {content[1:-1]}, which this stand-in cannot write."
    return (
        content
        if len(content) <= MAX_NOTE_CHARACTERS and len(prompt) <= 4 * MAX_NOTE_CHARACTERS
        else f"{content[: MAX_NOTE_CHARACTERS - 1].rstrip()}…"
    )


def _draw_paper(content: str, width: int, height: int) -> Image.Image:
    size, lines = _fit_text(content, width * 0.74, height * 0.45)
    pad, step = max(2, size * 2 // 3), size * 5 // 4
    across = max(_text_width(line, size) for line in lines)
    paper = Image.new("RGBA", (round(across) + 2 * pad, step * len(lines) + 2 * pad), PAPER_COLOUR)
    draw = ImageDraw.Draw(paper)
    for number, line in enumerate(lines):
        draw_line(draw, (pad, pad + number * step), line, size, INK_COLOUR)
    tape = min(paper.width // 3, size * 4)
    middle = paper.width // 2
    draw.rectangle((middle - tape // 2, 0, middle + tape // 2, pad * 2 // 3), fill=TAPE_COLOUR)
    return paper


def _fit_text(content: str, width: float, height: float) -> tuple[int, list[str]]:
    """Return the largest size in which the text fits, and its lines; those beyond the smallest size are cut."""
    largest = round(min(width / 7, height / 3))
    sizes = [max(MIN_FONT_SIZE, round(largest * part)) for part in FONT_SIZE_STEPS]
    for size in sizes:
        if len(lines := _wrap_text(content, width, size)) <= _max_lines(height, size):
            return size, lines
    return sizes[-1], _wrap_text(content, width, sizes[-1])[: _max_lines(height, sizes[-1])]


def _wrap_text(content: str, width: float, size: int) -> list[str]:
    return wrap_lines(content, width, lambda text: _text_width(text, size))


def _max_lines(height: float, size: int) -> int:
    return max(1, int(height / (size * 5 // 4)))


def _text_width(line: str, size: int) -> float:
    return float(load_font(size).getlength(strip_accents(line)))
