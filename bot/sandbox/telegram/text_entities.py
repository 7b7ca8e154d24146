"""Message entities, HTML parsing, and text lengths.

Offsets and lengths count UTF-16 code units, so a character outside the basic plane, like most emoji, counts twice.
"""

import re
from collections.abc import Sequence
from html import unescape
from html.parser import HTMLParser

from bot.sandbox.telegram.errors import JsonObject, bad_request_error

MAX_TEXT_LENGTH = 4096
MAX_CAPTION_LENGTH = 1024

_ENTITY = re.compile(
    r"(?P<url>https?://[^\s<>]+)"
    r"|(?<![\w/@])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?)(?![\w/])"
    r"|(?<![\w@])(?P<mention>@[A-Za-z]\w{3,31})\b"
)

_HTML_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "del": "strikethrough",
    "strike": "strikethrough",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
}


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def find_entities(text: str) -> list[JsonObject]:
    """Find the commands, mentions and URLs that Telegram marks automatically."""
    return [
        {
            "type": str(found.lastgroup),
            "offset": utf16_length(text[: found.start()]),
            "length": utf16_length(found.group()),
        }
        for found in _ENTITY.finditer(text)
    ]


def parse_text(text: str, parse_mode: str, entities: Sequence[JsonObject]) -> tuple[str, list[JsonObject]]:
    """Return a bot's text without markup, and all its entities. The only supported parse mode is HTML.

    Raises BotApiError for markup that Telegram cannot parse.
    """
    if parse_mode and parse_mode.lower() != "html":
        raise bad_request_error("unsupported parse_mode")
    marked = list(entities)
    if parse_mode:
        reader = _HtmlEntityParser()
        reader.feed(text)
        text, marked = reader.finish()
    return text, sorted(marked + find_entities(text), key=lambda entity: (entity["offset"], -entity["length"]))


class _HtmlEntityParser(HTMLParser):
    """Parses Telegram's HTML: few tags, all closed, and no unescaped angle brackets."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._text = ""
        self._open: list[tuple[str, JsonObject]] = []
        self._entities: list[JsonObject] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HTML_TAGS:
            raise bad_request_error(f'can\'t parse entities: Unsupported start tag "{tag}"')
        entity: JsonObject = {"type": _HTML_TAGS[tag], "offset": utf16_length(self._text)}
        if tag == "a":
            entity["url"] = dict(attrs).get("href") or ""
        self._open.append((tag, entity))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise bad_request_error(f'can\'t parse entities: Unexpected end tag "{tag}"')
        _, entity = self._open.pop()
        entity["length"] = utf16_length(self._text) - entity["offset"]
        if entity["length"]:
            self._entities.append(entity)

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise bad_request_error('can\'t parse entities: Unsupported start tag ""')
        self._text += data

    def handle_entityref(self, name: str) -> None:
        self._text += unescape(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._text += unescape(f"&#{name};")

    def finish(self) -> tuple[str, list[JsonObject]]:
        """Return the plain text and its entities; raises BotApiError for an unclosed tag."""
        self.close()
        if self._open:
            tag = self._open[-1][0]
            raise bad_request_error(f"can't parse entities: Can't find end tag corresponding to start tag \"{tag}\"")
        return self._text, self._entities
