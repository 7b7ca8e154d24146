"""Reading what a bot sent: query, form, multipart or JSON become one set of parameters.

Forms carry everything as text, so numbers, flags and JSON are decoded here, by
parameter name; a text that merely looks like JSON stays the text it is.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiohttp import BodyPartReader, web

from bot.sandbox.telegram.refusals import Json, Refused, bad

#: Parameters that hold an object or a list; forms carry them as JSON text.
OBJECTS = {
    "allowed_updates", "caption_entities", "commands", "entities", "link_preview_options", "media",
    "menu_button", "message_ids", "reaction", "reply_markup", "reply_parameters", "scope",
}  # fmt: skip
NUMBERS = {
    "cache_time", "chat_id", "limit", "max_connections", "message_id", "message_thread_id",
    "offset", "timeout", "user_id",
}  # fmt: skip
FLAGS = {
    "allow_sending_without_reply", "disable_content_type_detection", "disable_notification",
    "drop_pending_updates", "has_spoiler", "is_big", "protect_content", "show_alert",
    "show_caption_above_media",
}  # fmt: skip


class Upload(NamedTuple):
    """A file inside a request, as the bot named it."""

    filename: str
    mime: str
    content: bytes


@dataclass(frozen=True)
class Arguments:
    """The decoded parameters of one call, with the files that came along."""

    params: Json
    files: Mapping[str, Upload]

    def text(self, name: str) -> str:
        """Return a text, empty when absent."""
        return str(self.params.get(name, ""))

    def number(self, name: str) -> int | None:
        """Return a whole number, None when absent; raise Refused for anything else."""
        value = self.params.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise bad(f"{name} must be an integer")

    def flag(self, name: str) -> bool:
        """Return whether a flag was given and true."""
        return self.params.get(name) is True

    def mapping(self, name: str) -> Json:
        """Return an object, empty when absent; raise Refused for anything else."""
        value = self.params.get(name) or {}
        if not isinstance(value, dict):
            raise bad(f"can't parse {name}: expected an object")
        return value

    def listing(self, name: str) -> list[Any]:
        """Return a list, empty when absent; raise Refused for anything else."""
        value = self.params.get(name) or []
        if not isinstance(value, list):
            raise bad(f"can't parse {name}: expected an array")
        return value

    def source(self, field: str, reference: str) -> Upload | str:
        """Return the upload that a file parameter means, or the file_id that it names.

        A file arrives in the field itself or, as "attach://NAME", in a field of that name.
        """
        if not reference and field in self.files:
            return self.files[field]
        if not reference.startswith("attach://"):
            return reference
        try:
            return self.files[reference.removeprefix("attach://")]
        except KeyError:
            raise bad("wrong file identifier/HTTP URL specified") from None


async def read(request: web.Request) -> Arguments:
    """Read the parameters of a call; raise Refused when they cannot be understood."""
    fields: list[tuple[str, Any]] = list(request.query.items())
    if request.content_type == "application/json":
        fields += await _json_fields(request)
    elif request.content_type.startswith("multipart/"):
        fields += await _form_fields(request)
    elif request.can_read_body:
        fields += list((await request.post()).items())
    return Arguments(_params(fields), {name: value for name, value in fields if isinstance(value, Upload)})


async def _form_fields(request: web.Request) -> list[tuple[str, Any]]:
    """Read a form in memory: a file on the disk would stay open when the caller is killed meanwhile."""
    if (request.content_length or 0) > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    fields: list[tuple[str, Any]] = []
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name is not None:
            data = bytes(await part.read(decode=True))
            kind = part.headers.get("Content-Type", "application/octet-stream")
            fields.append((part.name, Upload(part.filename, kind, data) if part.filename else data.decode()))
    return fields


async def _json_fields(request: web.Request) -> Iterable[tuple[str, Any]]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise bad("can't parse JSON object") from None
    if not isinstance(body, dict):
        raise bad("can't parse JSON object")
    return body.items()


def _params(fields: Iterable[tuple[str, Any]]) -> Json:
    return {name: _decoded(name, value) for name, value in fields if not isinstance(value, Upload)}


def _decoded(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if name in NUMBERS:
        return _number(value)
    if name in FLAGS:
        return value.lower() in {"true", "1", "yes"}
    return _object(name, value) if name in OBJECTS else value


def _number(value: str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value


def _object(name: str, value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        raise Refused(400, f"Bad Request: can't parse {name}: not JSON") from None
