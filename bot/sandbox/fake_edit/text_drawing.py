"""Writing in the one font that Pillow brings along, whatever fonts a machine has.

It has the Latin letters of English. Accents are drawn over them; what it lacks
is told by number and script, because boxes would tell nothing.
"""

import itertools
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

#: what the font has beyond ASCII
EXTRA_GLYPHS = frozenset("«°±·»‘’“”…‹›⁄")
#: combining marks, as signs of the font that look like them
ACCENTS = {"\u0300": "`", "\u0301": "´", "\u0302": "^", "\u0303": "~", "\u0308": ".."}
#: of other letters, by the first word of their Unicode name
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
    """The font at so many pixels."""
    return ImageFont.load_default(size)


def to_drawable_text(words: str) -> str:
    """The words, with what cannot be drawn told in its place: `(3 Cyrillic letters)`."""
    letters = unicodedata.normalize("NFKD", " ".join(words.translate(REPLACEMENTS).split()))
    said = []
    for script, run in itertools.groupby(_pair_with_script(letters), key=lambda pair: pair[0]):
        text = "".join(letter for _, letter in run)
        said.append(text if script is None else f" ({_describe_letters(script, text)}) ")
    return " ".join("".join(said).split())


def _pair_with_script(letters: str) -> list[tuple[str | None, str]]:
    """Every letter with its script, None if the font has it; what only separates belongs to what is before it."""
    pairs: list[tuple[str | None, str]] = []
    for letter in letters:
        before = pairs[-1][0] if pairs else None
        pairs.append((before if letter in SEPARATORS else _script_name(letter), letter))
    return [pair for pair in pairs if pair[0] != ""]


def _script_name(letter: str) -> str | None:
    """What to call a letter that the font lacks; empty for what is not worth a word."""
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


def wrap_lines(words: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The words in lines of at most this width; a longer word is broken."""
    lines = [""]
    for word in words.split():
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
    """A line without its accents: what takes up room."""
    return "".join(letter for letter in line if letter not in ACCENTS)


def draw_line(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], line: str, size: int, colour: tuple[int, ...]
) -> None:
    """Draw one line that is `drawable`, from its upper left corner on."""
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
    draw: ImageDraw.ImageDraw, at: tuple[float, float], letter: str, sign: str, size: int, colour: tuple[int, ...]
) -> None:
    """Set a sign above a letter, wherever the font would have it."""
    left, top, right, _ = draw.textbbox(at, letter, font=load_font(size))
    ink = _glyph_mask(sign, size)
    draw.bitmap((round((left + right - ink.width) / 2), round(top - size / 14) - ink.height), ink, fill=colour)


@lru_cache(maxsize=64)
def _glyph_mask(sign: str, size: int) -> Image.Image:
    """A sign with nothing around it: what a font says of its height includes empty room below."""
    drawn = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(drawn).text((size // 2, size // 2), sign, font=load_font(size), fill=255)
    return drawn.crop(drawn.getbbox())
