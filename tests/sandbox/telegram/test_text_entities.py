"""Message entities, and the HTML that Telegram accepts."""

import pytest

from bot.sandbox.telegram.errors import BotApiError
from bot.sandbox.telegram.text_entities import find_entities, parse_text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/edit blue", [("bot_command", 0, 5)]),
        ("😀 /edit@darkroom_bot!", [("bot_command", 3, 18)]),
        ("a/b 1/2 //x", []),
        ("ask @darkroom_bot or me@example.invalid", [("mention", 4, 13)]),
        ("see https://example.invalid/edit", [("url", 4, 28)]),
    ],
)
def test_entities_are_found_where_telegram_finds_them(text: str, found: list[tuple[str, int, int]]) -> None:
    assert [(one["type"], one["offset"], one["length"]) for one in find_entities(text)] == found


def test_html_becomes_entities() -> None:
    text, entities = parse_text('😀 <b>a <i>b</i></b> <a href="https://example.invalid">&lt;c&#62;</a>', "HTML", [])
    assert text == "😀 a b <c>"
    assert entities == [
        {"type": "bold", "offset": 3, "length": 3},
        {"type": "italic", "offset": 5, "length": 1},
        {"type": "text_link", "offset": 7, "length": 3, "url": "https://example.invalid"},
    ]


@pytest.mark.parametrize(
    ("html", "refusal"),
    [
        ("<b>a", "Can't find end tag"),
        ("a</b>", "Unexpected end tag"),
        ("<b><i>a</b></i>", "Unexpected end tag"),
        ("<img>", 'Unsupported start tag "img"'),
        ("1 < 2", "Unsupported start tag"),
    ],
)
def test_broken_html_is_refused(html: str, refusal: str) -> None:
    with pytest.raises(BotApiError, match=refusal):
        parse_text(html, "HTML", [])


def test_without_a_parse_mode_brackets_are_text() -> None:
    assert parse_text("1 < 2", "", []) == ("1 < 2", [])


def test_other_parse_modes_are_not_spoken() -> None:
    with pytest.raises(BotApiError, match="parse_mode"):
        parse_text("*a*", "MarkdownV2", [])
