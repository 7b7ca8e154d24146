"""Reading a prompt: which of the edits that the local Kie can make are asked for."""

import re
import unicodedata
from functools import cache

from bot.sandbox.edits.vocabulary import NOT, WORDS, Edit

#: at most one of these is made
TURNS = (Edit.LEFT, Edit.UPSIDE_DOWN, Edit.RIGHT)
#: how far before a word something may stand that forbids it, in characters
BEFORE = 24


def wanted(prompt: str) -> list[Edit]:
    """The edits that a prompt asks for, in the order in which they are to be made."""
    text = plain(prompt)
    found = [edit for edit, pattern in _patterns().items() if _is_asked_for(pattern, text)]
    turns = [edit for edit in found if edit in TURNS]
    return [edit for edit in found if edit not in turns[1:]]


def plain(text: str) -> str:
    """Small letters without accents, wide forms made narrow, any space a single one."""
    letters = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def _is_asked_for(pattern: re.Pattern[str], text: str) -> bool:
    found = (text[max(0, match.start() - BEFORE) : match.start()] for match in pattern.finditer(text))
    return any(not _forbidding().search(before) for before in found)


@cache
def _patterns() -> dict[Edit, re.Pattern[str]]:
    return {edit: _any_of(WORDS[edit]) for edit in Edit}


@cache
def _forbidding() -> re.Pattern[str]:
    return _any_of(NOT)


def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    marks = (letter for letter in unicodedata.normalize("NFKD", "|".join(words)) if not unicodedata.combining(letter))
    return re.compile("".join(marks))
