"""No regular expression may be open to ReDoS: each takes linear time on any text or file of a user or server.

Each one is tried on samples that it matches, with one part repeated thousands of times and an end that does not match.
Where two repetitions can match that part (catastrophic backtracking), the time grows at least quadratically, and shows.
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

#: Samples that each one matches, by its module and name or, if it has no name, by its pattern.
SAMPLE_MATCHES: dict[str, tuple[str | bytes, ...]] = {
    "bot.telegram.buttons._CALLBACK_DATA": ("1:more:12:34",),
    "bot.inbound.http_endpoints._NONCE": ("0123456789abcdef" * 2,),
    "bot.pipeline.callback_tracker._REFERENCE_PATTERN": ("/path/kie/callback/" + "aA0_" * 11,),
    "bot.kie.responses._RETRY_AFTER_HEADER": (" 12 ",),
    "bot.kie.responses._RATE_LIMITED_TEXT": ("your call frequency is too high",),
    "bot.kie.responses._RETRY_AFTER_TEXT": ("please try again in 12 s",),
    "bot.kie.models._INPUT_ERROR_TEXT": ("use a different prompt", "it must be an integer"),
    "bot.kie.models._POLICY_TEXT": ("a sensitive image", "the content violation", "images have been rejected"),
    "bot.kie.task_record._NOT_RESULTS": ("imageurls", "thumbnailurl"),
    "bot.kie.task_record._SEPARATORS": ("image_url",),
    "bot.kie.callback_signature._UNIX_SECONDS": ("1700000000",),
    "bot.http_client._CONTENT_LENGTH": ("1234",),
    "bot.images.ssrf_guard._HOST_NAME": ("a-b.example.org",),
    "bot.images.ssrf_guard._NUMERIC_HOST": ("127.0.0.1", "a.0x7f.", "0x7f000001"),
    "bot.images.format_detection._SVG": (b" <?xml?> <!-- a --><!DOCTYPE svg><svg >",),
    "bot.images.jpeg._MARKER": (b"\x00\xff\x00\xff\xd9", b"\xff\xff\xd9"),
    "bot.logs._ESCAPED_CHARACTER": ("%25253a", "\\u003a", "&#58;"),
    "bot.logs._ANY_ESCAPED_CHARACTER": ("\\/",),
    "bot.logs._BACKSLASH_FREE": ("abc:1",),
    "bot.logs._BOT_TOKEN": ("123456%3A" + "aA0_-" * 7,),
    "bot.logs._BOT_TOKEN_IN_URL": ("/bot123456:abc", "/bot1&#58;abc"),
    "bot.sandbox.fake_edit.prompt_note.UNDRAWABLE_PROMPT": ("(3 words)",),
    "bot.sandbox.bot_process._JOB_LINE": ("job 12: submitted",),
    "bot.sandbox.telegram.profile_and_chat_methods._COMMAND_NAME": ("edit_it",),
    "bot.sandbox.telegram.text_entities._ENTITY": (
        "see https://a.example/b",
        "/edit@darkroom_bot",
        "ask @darkroom_bot",
    ),
    "bot.handlers.update_parser.COMMAND_PATTERN": ("/edit@darkroom_bot  it",),
    "bot.i18n._BIDI_CONTROLS": ("a\u202eb",),
    "bot.edit_options._TRAILING_RATIO": ("make it snow,; 16:9 . ", "让它下雪16：9。", "1:1"),
    r"/bot([0-9]|$)": ("https://api.example.org/bot1",),
    r"([1-9][0-9]{0,3})\s*([hd])": ("30  d",),
    r"-?\d{1,15}": ("-1234567",),
    r"[!-~]+": ("a-key",),
    r"[A-Za-z0-9_-]+:[A-Za-z0-9_-]+": ("123456:ABC-def",),
}

#: Characters: the longest text that users can send.
LENGTH = 4096

#: Seconds: a hundred times what linear time takes, and less than quadratic time takes.
BUDGET = 0.03


class RegexUse(NamedTuple):
    """A regular expression and the method that the code calls: search, match, fullmatch, sub."""

    pattern: "re.Pattern[Any]"
    method: str


def _find_regex_uses() -> dict[str, list[RegexUse]]:
    """Return every use of a regular expression in the code, by the keys of `SAMPLE_MATCHES`."""
    found: dict[str, list[RegexUse]] = {}
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}
    everything = "\n".join(sources.values())
    for path, source in sources.items():
        for name, pattern in _regex_uses_of_module(path, source):
            methods = set(re.findall(rf"\b{name.rpartition('.')[2]}\.(\w+)\(", everything))
            found.setdefault(name, []).extend(RegexUse(pattern, method) for method in sorted(methods))
        for pattern, method in _anonymous_regex_uses(source):
            found.setdefault(pattern.pattern, []).append(RegexUse(pattern, method))
    return found


def _regex_uses_of_module(path: Path, source: str) -> Iterator[tuple[str, "re.Pattern[Any]"]]:
    """Yield the named expressions of a module, which is imported only if it has any."""
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


def _anonymous_regex_uses(source: str) -> Iterator[tuple["re.Pattern[str]", str]]:
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and re.fullmatch(r"re\.\w+", ast.unparse(call.func)) and call.args:
            [first, *_], method = call.args, ast.unparse(call.func).removeprefix("re.")
            if method != "compile" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield re.compile(first.value), method


REGEX_USES = _find_regex_uses()


def _repeat_parts(meant: Any) -> Iterator[Any]:
    """Yield variants of a sample with a short part repeated, and with and without an end that does not match."""
    wrong = "\0!" if isinstance(meant, str) else b"\0!"
    for start in range(len(meant)):
        for end in range(start + 1, min(start + 3, len(meant)) + 1):
            part = meant[start:end]
            pumped = meant[:start] + part * (LENGTH // len(part)) + meant[end:]
            yield from (pumped + wrong, pumped)


def _measure_seconds(use: RegexUse, words: Any) -> float:
    """Return the shortest of three measurements, or the first one that is below the budget."""
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
    assert sorted(REGEX_USES) == sorted(SAMPLE_MATCHES)


@pytest.mark.parametrize("name", SAMPLE_MATCHES)
def test_it_goes_through_the_words_once(name: str) -> None:
    for use in REGEX_USES[name]:
        for meant in SAMPLE_MATCHES[name]:
            assert use.pattern.search(meant)
            slow = [words[:50] for words in _repeat_parts(meant) if _measure_seconds(use, words) >= BUDGET]
            assert slow == [], use
