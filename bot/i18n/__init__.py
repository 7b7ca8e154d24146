"""Everything a person can read: sentences by name, in one catalogue per language.

A sentence is carried around by its name and what is filled in, and becomes
words where it is known who will read them. The catalogues (`en.ftl` and its
sisters) are written in Fluent, which knows each language's plurals. What is
filled in is set apart where it is written from right to left, so that it does
not turn the sentence around it. To add a language is to add a file.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from fluent.runtime import FluentBundle, FluentResource

#: The language of those whose own we do not have.
DEFAULT_LANGUAGE = "en"

#: Characters that turn the direction of what follows them; only those of the catalogues' own making are wanted.
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Sentence:
    """A sentence in no language yet."""

    name: str
    #: what is filled in, by its name in the catalogues
    values: Mapping[str, "str | int | float | Sentence"] = field(default_factory=dict)

    def translate(self, language: str) -> str:
        """Return it in a language, English where that has no catalogue; raises KeyError for an unknown name."""
        if not self.values:
            return _format_constant(self.name, closest_language(language))
        values = {name: _format_value(value, language) for name, value in self.values.items()}
        return _format_message(self.name, closest_language(language), values)


@dataclass(frozen=True)
class SentenceList:
    """Sentences below each other, in no language yet."""

    sentences: tuple["Sentence | SentenceList", ...]
    #: what stands between them
    separator: str = "\n"

    def translate(self, language: str) -> str:
        """Return them in a language; raises like `Sentence.into`."""
        return self.separator.join(each.translate(language) for each in self.sentences)


def sentence(name: str, **values: "str | int | float | Sentence") -> Sentence:
    """Return a sentence with what is filled in."""
    return Sentence(name, values)


def load_catalogues() -> None:
    """Read every catalogue now, so that no answer depends on a disk, or on a free file descriptor, later."""
    for language in languages():
        _catalogue(language)


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages that there are catalogues for."""
    names = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".ftl") for name in names if name.endswith(".ftl")))


def closest_language(code: str | None) -> str:
    """Return the language to speak with somebody whose app has this one (an IETF tag), English where it is unknown."""
    wanted = (code or "").lower().replace("_", "-")
    return next((each for each in languages() if wanted == each or wanted.startswith(f"{each}-")), DEFAULT_LANGUAGE)


@cache
def _catalogue(language: str) -> FluentBundle:
    source = files(__package__).joinpath(f"{language}.ftl").read_text(encoding="utf-8")
    # setting everything apart would put invisible characters around ids and numbers, which people copy
    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(FluentResource(source))
    return bundle


@cache
def _format_constant(name: str, language: str) -> str:
    """Return a sentence into which nothing is filled in; there are no more of them than the catalogues hold."""
    return _format_message(name, language, {})


def _format_message(name: str, language: str, values: dict[str, str | int | float]) -> str:
    bundle = _catalogue(language)
    pattern = bundle.get_message(name).value
    if pattern is None:
        raise KeyError(name)
    words, problems = bundle.format_pattern(pattern, values)
    if problems:
        raise KeyError(f"{name} in {language}: {problems[0]}")
    return str(words)


def _format_value(value: "str | int | float | Sentence", language: str) -> str | int | float:
    if isinstance(value, Sentence):
        return value.translate(language)
    return _isolate_bidi(_BIDI_CONTROLS.sub("", value)) if isinstance(value, str) else value


def _isolate_bidi(value: str) -> str:
    turns = any(unicodedata.bidirectional(char) in ("R", "AL") for char in value)
    return f"\u2068{value}\u2069" if turns else value
