"""Draws text in Pillow's built-in font, independent of the machine's fonts.

The font has the letters of English. Accents are drawn separately; other letters are
replaced by their number and script.
"""

import itertools
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

#: the font's glyphs beyond ASCII
EXTRA_GLYPHS = frozenset("«°±·»‘’“”…‹›⁄")
#: combining marks, and glyphs of the font that look like them
ACCENTS = {"\u0300": "`", "\u0301": "´", "\u0302": "^", "\u0303": "~", "\u0308": ".."}
#: names for other letters, by the first word of their Unicode name
SCRIPT_NAMES = {
    "CYRILLIC": "Cyrillic letter",
    "GREEK": "Greek letter",
    "CJK": "Chinese character",
    "HIRAGANA": "Japanese character",
    "KATAKANA": "Japanese character",
    "HANGUL": "Korean character",
    "ARABIC": "Arabic letter",
    "HEBREW": "Hebrew letter",
    "DEVANAGARI": "Hindi letter",
    "THAI": "Thai letter",
}
SEPARATORS = frozenset(" ,.;:!?-")
REPLACEMENTS = str.maketrans({"—": "-", "–": "-", "‑": "-", "−": "-", "×": "x"})

AnyFont = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=64)
def load_font(size: int) -> AnyFont:
    return ImageFont.load_default(size)


def to_drawable_text(text: str) -> str:
    """Replace what cannot be drawn by a description such as `(3 Cyrillic letters)`."""
    letters = unicodedata.normalize("NFKD", " ".join(text.translate(REPLACEMENTS).split()))
    parts = []
    for script, group in itertools.groupby(_pair_with_script(letters), key=lambda pair: pair[0]):
        part = "".join(letter for _, letter in group)
        parts.append(part if script is None else f" ({_describe_letters(script, part)}) ")
    return " ".join("".join(parts).split())


def _pair_with_script(letters: str) -> list[tuple[str | None, str]]:
    """Return each letter with its script, None if the font has it; separators belong to the letter before them."""
    pairs: list[tuple[str | None, str]] = []
    for letter in letters:
        before = pairs[-1][0] if pairs else None
        pairs.append((before if letter in SEPARATORS else _script_name(letter), letter))
    return [pair for pair in pairs if pair[0] != ""]


def _script_name(letter: str) -> str | None:
    """Return the script of a letter that the font lacks; empty for what can be left out."""
    if letter in EXTRA_GLYPHS or letter in ACCENTS or " " <= letter <= "~":
        return None
    kind = unicodedata.category(letter)
    if kind == "So":
        return "emoji"
    if kind[0] not in {"L", "N"}:
        return ""
    return SCRIPT_NAMES.get(unicodedata.name(letter, "").split(" ")[0], "other letter")


def _describe_letters(script: str, letters: str) -> str:
    number = sum(letter not in SEPARATORS for letter in letters)
    return f"{number} {script}" if number == 1 or script == "emoji" else f"{number} {script}s"


def wrap_lines(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Wrap text to lines of at most this width; longer words are broken."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if measure(longer) <= width:
            lines[-1] = longer
            continue
        head, *rest = _break_word(word, width, measure)
        lines += [head, *rest] if lines[-1] else []
        lines = lines if lines[-1] else [head, *rest]
    return lines


def _break_word(word: str, width: float, measure: Callable[[str], float]) -> list[str]:
    parts = [""]
    for letter in word:
        if parts[-1] and measure(parts[-1] + letter) > width:
            parts.append("")
        parts[-1] += letter
    return parts


def strip_accents(line: str) -> str:
    """Return a line without accents, which take no width."""
    return "".join(letter for letter in line if letter not in ACCENTS)


def draw_line(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], line: str, size: int, colour: tuple[int, ...]
) -> None:
    """Draw one line of drawable text; `at` is its upper left corner."""
    letters, x, y = strip_accents(line), *at
    draw.text(at, letters, font=load_font(size), fill=colour)
    done = ""
    for letter in line:
        if letter in ACCENTS and done:
            _draw_accent(
                draw, (x + draw.textlength(done[:-1], load_font(size)), y), done[-1], ACCENTS[letter], size, colour
            )
        elif letter not in ACCENTS:
            done += letter


def _draw_accent(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], letter: str, glyph: str, size: int, colour: tuple[int, ...]
) -> None:
    """Draw an accent above a letter."""
    left, top, right, _ = draw.textbbox(at, letter, font=load_font(size))
    ink = _glyph_mask(glyph, size)
    draw.bitmap((round((left + right - ink.width) / 2), round(top - size / 14) - ink.height), ink, fill=colour)


@lru_cache(maxsize=64)
def _glyph_mask(glyph: str, size: int) -> Image.Image:
    """Return a glyph cropped to its ink: the font's metrics include empty space."""
    drawn = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(drawn).text((size // 2, size // 2), glyph, font=load_font(size), fill=255)
    return drawn.crop(drawn.getbbox())
