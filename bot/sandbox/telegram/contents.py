"""Turning a bot's words and files into the content of a message, within Telegram's limits."""

from bot.sandbox.telegram import pictures
from bot.sandbox.telegram.arguments import Arguments, Upload
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.files import MAX_UPLOAD
from bot.sandbox.telegram.refusals import Json, Refused, bad
from bot.sandbox.telegram.words import MAX_CAPTION, MAX_TEXT, parsed, units

_UNKNOWN_FILE = "wrong file identifier/HTTP URL specified"


def text_of(arguments: Arguments) -> Json:
    """Return the text with its entities; raise Refused unless it has 1 to 4096 units."""
    text, entities = parsed(arguments.text("text"), arguments.text("parse_mode"), arguments.listing("entities"))
    if not text.strip():
        raise bad("message text is empty")
    if units(text) > MAX_TEXT:
        raise bad("message is too long")
    return {"text": text} | ({"entities": entities} if entities else {})


def caption_of(members: Json) -> Json:
    """Return a caption with its entities, nothing for none; raise Refused above 1024 units.

    `members` are the parameters of a call, or one item of an album.
    """
    text, entities = parsed(
        str(members.get("caption") or ""),
        str(members.get("parse_mode") or ""),
        members.get("caption_entities") or [],
    )
    if units(text) > MAX_CAPTION:
        raise bad("message caption is too long")
    if not text:
        return {}
    return {"caption": text} | ({"caption_entities": entities} if entities else {})


def media_of(cloud: Cloud, kind: str, source: Upload | str) -> Json:
    """Return the "photo" or "document" of a message, from an upload or a known file_id.

    Raises Refused for what Telegram would not send. Addresses are never fetched:
    nothing here leaves the machine.
    """
    if kind not in {"photo", "document"}:
        raise bad(f"media of type {kind!r} is not known here")
    if isinstance(source, str):
        return {kind: _resent(cloud, kind, source)}
    if not source.content:
        raise bad("file must be non-empty")
    if len(source.content) > MAX_UPLOAD:
        raise Refused(413, "Request Entity Too Large")
    if kind == "photo":
        return {"photo": cloud.files.add_photo(pictures.from_bot(source.content))}
    mime = source.mime or "application/octet-stream"
    return {"document": cloud.files.add("document", source.content, source.filename, mime_type=mime)}


def _resent(cloud: Cloud, kind: str, file_id: str) -> Json | list[Json]:
    if not file_id:
        raise bad(f"there is no {kind} in the request")
    if file_id.startswith(("http://", "https://")):
        raise bad("failed to get HTTP URL content")
    try:
        stored = cloud.files.get(file_id)
    except KeyError:
        raise bad(_UNKNOWN_FILE) from None
    if stored.kind != kind:
        raise bad(f"can't use file of type {stored.kind.capitalize()} as {kind.capitalize()}")
    return stored.shown
