"""Regular expressions meet foreign words and files: none may take longer than in proportion to their length.

Each one is tried on what it is meant for, with one part of it repeated thousands of times and an end that does not
fit. Where two repetitions could share that part, the time grows with the square of the length, and shows.
"""

import ast
import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import bot

ROOT = Path(bot.__file__).parent

#: What each one is meant for, by its module and name, or by itself where it has no name.
MEANT_FOR: dict[str, tuple[str | bytes, ...]] = {
    "bot.chat.buttons._DATA": ("1:more:12:34",),
    "bot.doors.proof._NONCE": ("0123456789abcdef" * 2,),
    "bot.jobs.callbacks._WITH_REFERENCE": ("/path/kie/callback/" + "aA0_" * 11,),
    "bot.kie.decipher._SECONDS": (" 12 ",),
    "bot.kie.decipher._TOO_OFTEN": ("your call frequency is too high",),
    "bot.kie.decipher._WAIT": ("please try again in 12 s",),
    "bot.kie.models._INPUT": ("use a different prompt", "it must be an integer"),
    "bot.kie.models._POLICY": ("a sensitive image", "the content violation", "images have been rejected"),
    "bot.kie.result_urls._NOT_RESULTS": ("imageurls", "thumbnailurl"),
    "bot.kie.result_urls._SEPARATORS": ("image_url",),
    "bot.kie.signature._SECONDS": ("1700000000",),
    "bot.outgoing._LENGTH": ("1234",),
    "bot.pictures.addresses._NAME": ("a-b.example.org",),
    "bot.pictures.addresses._NUMERIC": ("127.0.0.1", "a.0x7f.", "0x7f000001"),
    "bot.pictures.foreign._SVG": (b" <?xml?> <!-- a --><!DOCTYPE svg><svg >",),
    "bot.pictures.jpeg._MARKER": (b"\x00\xff\x00\xff\xd9", b"\xff\xff\xd9"),
    "bot.redaction._ESCAPES": ("%25253a", "\\u003a", "&#58;"),
    "bot.redaction._ANY_ESCAPES": ("\\/",),
    "bot.redaction._HARMLESS": ("abc:1",),
    "bot.redaction._TOKEN": ("123456%3A" + "aA0_-" * 7,),
    "bot.redaction._TOKEN_IN_ADDRESS": ("/bot123456:abc", "/bot1&#58;abc"),
    "bot.sandbox.edits.note.UNWRITTEN": ("(3 words)",),
    "bot.sandbox.page.journal._OF_A_JOB": ("job 12: submitted",),
    "bot.sandbox.telegram.account._COMMAND": ("edit_it",),
    "bot.sandbox.telegram.words._FOUND": ("see https://a.example/b", "/edit@darkroom_bot", "ask @darkroom_bot"),
    "bot.talk.address._COMMAND": (" /edit@darkroom_bot it",),
    "bot.talk.reading.COMMAND": ("/edit@darkroom_bot  it",),
    "bot.texts._TURNING": ("a\u202eb",),
    "bot.wish._SHAPE_AT_THE_END": ("make it snow,; 16:9 . ", "让它下雪16：9。", "1:1"),
    r"/bot([0-9]|$)": ("https://api.example.org/bot1",),
    r"([1-9][0-9]{0,3})\s*([hd])": ("30  d",),
    r"-?\d{1,15}": ("-1234567",),
    r"[!-~]+": ("a-key",),
    r"[A-Za-z0-9_-]+:[A-Za-z0-9_-]+": ("123456:ABC-def",),
}

#: Characters: the longest words that people can send.
LENGTH = 4096

#: Seconds: a hundred times what it takes to go through them once, and less than the square takes.
BUDGET = 0.03


class Use(NamedTuple):
    """A regular expression and how it is tried: search, match, fullmatch, sub."""

    pattern: "re.Pattern[Any]"
    method: str


def _uses() -> dict[str, list[Use]]:
    """Return every use of a regular expression in the code, by the keys of `MEANT_FOR`."""
    found: dict[str, list[Use]] = {}
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}
    everything = "\n".join(sources.values())
    for path, source in sources.items():
        for name, pattern in _of_module(path, source):
            methods = set(re.findall(rf"\b{name.rpartition('.')[2]}\.(\w+)\(", everything))
            found.setdefault(name, []).extend(Use(pattern, method) for method in sorted(methods))
        for pattern, method in _nameless(source):
            found.setdefault(pattern.pattern, []).append(Use(pattern, method))
    return found


def _of_module(path: Path, source: str) -> Iterator[tuple[str, "re.Pattern[Any]"]]:
    """Find those that a module gives a name; one that makes none is not loaded."""
    names = [
        target.id
        for line in ast.parse(source).body
        if isinstance(line, ast.Assign) and "re.compile" in ast.unparse(line.value)
        for target in line.targets
        if isinstance(target, ast.Name)
    ]
    if names:
        module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        loaded = importlib.import_module(module)
        yield from ((f"{module}.{name}", getattr(loaded, name)) for name in names)


def _nameless(source: str) -> Iterator[tuple["re.Pattern[str]", str]]:
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and re.fullmatch(r"re\.\w+", ast.unparse(call.func)) and call.args:
            [first, *_], method = call.args, ast.unparse(call.func).removeprefix("re.")
            if method != "compile" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield re.compile(first.value), method


USES = _uses()


def _pumped(meant: Any) -> Iterator[Any]:
    """Repeat each short part of something, and let it end in a way that does not fit."""
    wrong = "\0!" if isinstance(meant, str) else b"\0!"
    for start in range(len(meant)):
        for end in range(start + 1, min(start + 3, len(meant)) + 1):
            part = meant[start:end]
            pumped = meant[:start] + part * (LENGTH // len(part)) + meant[end:]
            yield from (pumped + wrong, pumped)


def _seconds(use: Use, words: Any) -> float:
    """Return the least of three measures, or the first one that is well below the budget."""
    least = BUDGET * 1000
    for _ in range(3):
        began = time.perf_counter()
        if use.method == "sub":
            use.pattern.sub(words[:0], words)
        else:
            getattr(use.pattern, use.method)(words)
        least = min(least, time.perf_counter() - began)
        if least < BUDGET:
            break
    return least


def test_it_is_known_what_each_one_is_meant_for() -> None:
    assert sorted(USES) == sorted(MEANT_FOR)


@pytest.mark.parametrize("name", MEANT_FOR)
def test_it_goes_through_the_words_once(name: str) -> None:
    for use in USES[name]:
        for meant in MEANT_FOR[name]:
            assert use.pattern.search(meant)
            slow = [words[:50] for words in _pumped(meant) if _seconds(use, words) >= BUDGET]
            assert slow == [], use
