"""Redaction replaces every secret, in any case and spelling, and nothing else."""

import json
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.logs import REDACTED, Redaction
from tests.process_harness import KEY, TOKEN

HALF = TOKEN.partition(":")[2]
ODD_KEY = 'odd-+/=&"key\\' + "canary"
REDACT = Redaction([TOKEN, KEY, ODD_KEY])

#: The spellings of a character: plain, in the other case, and escaped for URLs, JSON and HTML.
SPELLINGS = (
    lambda char: char,
    str.swapcase,
    lambda char: f"%{ord(char):02X}",
    lambda char: f"%25{ord(char):02x}",
    lambda char: f"\\u{ord(char):04x}",
    lambda char: f"\\\\u{ord(char):04X}",
    lambda char: f"&#{ord(char)};",
    lambda char: f"&#x{ord(char):X};",
)

#: Text that cannot be part of a spelling next to it.
SURROUNDING_TEXT = st.text(st.sampled_from(string.ascii_letters + string.digits + " /:'\"<>{}é日"), max_size=20)


@st.composite
def _spell_differently(draw: st.DrawFn) -> str:
    secret = draw(st.sampled_from([TOKEN, HALF, KEY, ODD_KEY]))
    return "".join(draw(st.sampled_from(SPELLINGS))(char) for char in secret)


@given(SURROUNDING_TEXT, _spell_differently(), SURROUNDING_TEXT)
def test_a_secret_is_gone_in_every_spelling(before: str, secret: str, after: str) -> None:
    assert REDACT(before + secret + after).count(REDACTED) == 1
    assert secret not in REDACT(before + secret + after)


@given(SURROUNDING_TEXT, st.sampled_from([TOKEN, HALF, KEY, ODD_KEY]), SURROUNDING_TEXT)
def test_a_secret_is_gone_as_libraries_write_it(before: str, secret: str, after: str) -> None:
    for write in (str.lower, str.upper, quote, json.dumps, lambda text: json.dumps(json.dumps(text)), repr):
        written = write(secret)
        assert REDACTED in REDACT(before + written + after)
        assert written.strip('"\\') not in REDACT(before + written + after)


@given(st.text(st.characters(exclude_characters=":%\\&"), max_size=200))
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert REDACT(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "https://api.example/file/bot1:ab-c/photos/file_1.jpg",
            f"https://api.example/file/bot{REDACTED}/photos/file_1.jpg",
        ),
        ("GET %2Fbot987654%3A" + "stranger" * 5, f"GET %2Fbot{REDACTED}"),
        ("token 987654:" + "stranger" * 5 + " refused", f"token {REDACTED} refused"),
        ('{\\"u\\": \\"987654\\u003a' + "stranger" * 5 + '\\"}', '{\\"u\\": \\"' + REDACTED + '\\"}'),
    ],
)
def test_what_looks_like_somebodys_token_is_gone_too(text: str, left: str) -> None:
    assert REDACT(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "12:30:45, a 16:9 picture at https://results.example:8443/workers/nano/image_1700000000000_abc123.png?x=%20y",
        "0123456789abcdef0123456789abcdef",
        "task_google_1765178615729",
        "job 424242: running",
        "robot12:34",
    ],
)
def test_what_only_resembles_one_is_left(text: str) -> None:
    assert REDACT(text) == text


def test_what_is_too_short_to_be_a_secret_is_not_looked_for() -> None:
    assert Redaction(["a", "", "1:b"])("a banana, 1:b") == "a banana, 1:b"


@pytest.mark.parametrize(
    "piece", ["9", "\\", "%25", "&#0", "bot9", "123456:", "/bot1:", "\\u0063", TOKEN[:-1], KEY[:12]]
)
def test_what_is_made_to_keep_it_busy_takes_no_longer_than_other_texts(piece: str) -> None:
    before = time.perf_counter()
    REDACT(piece * (500_000 // len(piece)))
    assert time.perf_counter() - before < 5.0, "hours, where each place is gone through from each other one"
