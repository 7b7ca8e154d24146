"""Internationalization: all texts for users, in one catalogue of named sentences per locale (`en.ftl` and so on).

A sentence is passed around as its name and its values, and translated where the reader's language is known. The
catalogues are written in Fluent (https://projectfluent.org), which knows the plurals of each language. Values in
right-to-left scripts are isolated, so that they do not reverse the sentence around them. A new file adds a language.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from fluent.runtime import FluentBundle, FluentResource

from bot.clock import Instant, seconds_between, start_of_day, utc_day

#: The fallback for languages without a catalogue.
DEFAULT_LANGUAGE = "en"

#: Characters that change the direction of the text after them: removed from values.
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Sentence:
    """A sentence before its translation."""

    name: str
    #: by their names in the catalogues
    values: Mapping[str, "str | int | float | Sentence"] = field(default_factory=dict)

    def translate(self, language: str) -> str:
        """Return the text in a language, or else in English. Raises KeyError for an unknown name or missing value."""
        if not self.values:
            return _format_constant(self.name, closest_language(language))
        values = {name: _format_value(value, language) for name, value in self.values.items()}
        return _format_message(self.name, closest_language(language), values)


@dataclass(frozen=True)
class SentenceList:
    """Several sentences before their translation, one per line."""

    sentences: tuple["Sentence | SentenceList", ...]
    separator: str = "\n"

    def translate(self, language: str) -> str:
        """Return the text in a language. Raises like `Sentence.translate`."""
        return self.separator.join(each.translate(language) for each in self.sentences)


def sentence(name: str, **values: "str | int | float | Sentence") -> Sentence:
    """Return a sentence with its values."""
    return Sentence(name, values)


def load_catalogues() -> None:
    """Read every catalogue at startup, so that no reply depends on the disk or on a free file descriptor."""
    for language in languages():
        _catalogue(language)


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages that have a catalogue."""
    names = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".ftl") for name in names if name.endswith(".ftl")))


def closest_language(code: str | None) -> str:
    """Return the available language that is closest to that of a user's app (an IETF tag), by default English."""
    wanted = (code or "").lower().replace("_", "-")
    return next((each for each in languages() if wanted == each or wanted.startswith(f"{each}-")), DEFAULT_LANGUAGE)


@cache
def _catalogue(language: str) -> FluentBundle:
    source = files(__package__).joinpath(f"{language}.ftl").read_text(encoding="utf-8")
    # isolating every value would put invisible characters around ids and numbers, which users copy
    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(FluentResource(source))
    return bundle


@cache
def _format_constant(name: str, language: str) -> str:
    """Return a sentence without values; the size of the catalogues bounds the cache."""
    return _format_message(name, language, {})


def _format_message(name: str, language: str, values: dict[str, str | int | float]) -> str:
    bundle = _catalogue(language)
    pattern = bundle.get_message(name).value
    if pattern is None:
        raise KeyError(name)
    text, errors = bundle.format_pattern(pattern, values)
    if errors:
        raise KeyError(f"{name} in {language}: {errors[0]}")
    return str(text)


def _format_value(value: "str | int | float | Sentence", language: str) -> str | int | float:
    if isinstance(value, Sentence):
        return value.translate(language)
    if not isinstance(value, str):
        return value
    text = _BIDI_CONTROLS.sub("", value)
    is_right_to_left = any(unicodedata.bidirectional(char) in ("R", "AL") for char in text)
    return f"\u2068{text}\u2069" if is_right_to_left else text


def approximate_duration(seconds: float) -> Sentence:
    """Return a duration rounded up: to 5 seconds, to minutes or to hours."""
    if seconds <= 55:
        return sentence("seconds", count=max(5, math.ceil(seconds / 5) * 5))
    minutes = math.ceil(seconds / 60)
    return sentence("minutes", count=minutes) if minutes < 60 else sentence("hours", count=math.ceil(seconds / 3600))


def time_until_tomorrow(now: Instant) -> Sentence:
    """Return the time until the next UTC day, when the daily limits start again."""
    return approximate_duration(seconds_between(now, start_of_day(utc_day(now) + 1)))


def short_duration(seconds: float) -> Sentence:
    """Return a duration for a chart, in the unit that needs the fewest digits."""
    if seconds < 99.5:
        return sentence("brief-seconds", count=_round_short(seconds))
    if seconds < 99.5 * 60:
        return sentence("brief-minutes", count=_round_short(seconds / 60))
    return sentence("brief-hours", count=_round_short(seconds / 3600))


def _round_short(amount: float) -> float | int:
    return round(amount, 1) if amount < 9.95 else round(amount)
