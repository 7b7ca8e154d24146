"""What a typed line means in the chat of the terminal."""

import io
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

#: The name of the picture that is drawn for people who have none at hand.
SAMPLE = "sample"

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".gif", ".tif", ".tiff", ".bmp"}


class Gesture(StrEnum):
    """What a person does."""

    SEND = "send"
    #: a press of the button that has the text on it
    PRESS = "press"
    #: the text, in reply to the latest picture
    REPLY = "reply"


@dataclass(frozen=True)
class Typed:
    """A line, understood: one or several pictures with their caption, or (no picture) a text."""

    text: str
    pictures: tuple[str, ...] = ()
    as_file: bool = False
    gesture: Gesture = Gesture.SEND


def understand(line: str) -> Typed:
    """Read one line; what does not begin with the name of a picture, or with what to do, is a text."""
    first, rest = _split(line)
    if first in (Gesture.PRESS, Gesture.REPLY) and rest:
        return Typed(rest, gesture=Gesture(first))
    if first == "album" and (pictures := _pictures(rest)):
        return Typed(pictures[-1][1], tuple(name for name, _ in pictures))
    if first == "file" and rest:
        name, caption = _split(rest)
        return Typed(caption, (name,), as_file=True)
    return Typed(rest, (first,)) if _is_picture(first) else Typed(line.strip())


def _pictures(line: str) -> list[tuple[str, str]]:
    """Return the names of the pictures that a line begins with, each with what stands behind it."""
    name, rest = _split(line)
    return [(name, rest), *_pictures(rest)] if _is_picture(name) else []


def _is_picture(name: str) -> bool:
    # A name that only looks like a picture's is most likely mistyped, and better refused than sent as text.
    return name == SAMPLE or Path(name).suffix.lower() in SUFFIXES or (bool(name) and Path(name).is_file())


def _split(line: str) -> tuple[str, str]:
    """The first word, with its quotes taken off, and the rest exactly as it was typed."""
    typed = io.StringIO(line)
    words = shlex.shlex(typed, posix=True)
    words.whitespace_split = True
    words.commenters = ""
    try:
        first = words.get_token() or ""
    except ValueError:
        return "", line
    return first, typed.read().strip()
