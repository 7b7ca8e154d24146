"""Decodes the parameters of a call from its query, form, multipart or JSON body.

Forms carry everything as text, so numbers, flags and JSON are decoded by parameter name.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiohttp import BodyPartReader, web

from bot.sandbox.telegram.errors import BotApiError, JsonObject, bad_request_error

#: objects and lists; JSON text in forms
OBJECT_PARAMETERS = {
    "allowed_updates", "caption_entities", "commands", "entities", "link_preview_options", "media",
    "menu_button", "message_ids", "reaction", "reply_markup", "reply_parameters", "scope",
}  # fmt: skip
NUMBER_PARAMETERS = {
    "cache_time", "chat_id", "limit", "max_connections", "message_id", "message_thread_id",
    "offset", "timeout", "user_id",
}  # fmt: skip
FLAG_PARAMETERS = {
    "allow_sending_without_reply", "disable_content_type_detection", "disable_notification",
    "drop_pending_updates", "has_spoiler", "is_big", "protect_content", "show_alert",
    "show_caption_above_media",
}  # fmt: skip


class UploadedInputFile(NamedTuple):
    """A file in a request."""

    filename: str
    mime_type: str
    content: bytes


@dataclass(frozen=True)
class Arguments:
    """The decoded parameters and files of one call."""

    params: JsonObject
    files: Mapping[str, UploadedInputFile]

    def text(self, name: str) -> str:
        """Return a text; empty when absent."""
        return str(self.params.get(name, ""))

    def number(self, name: str) -> int | None:
        """Return an integer, None when absent; raises BotApiError for anything else."""
        value = self.params.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise bad_request_error(f"{name} must be an integer")

    def flag(self, name: str) -> bool:
        return self.params.get(name) is True

    def json_object(self, name: str) -> JsonObject:
        """Return an object, empty when absent; raises BotApiError for anything else."""
        value = self.params.get(name) or {}
        if not isinstance(value, dict):
            raise bad_request_error(f"can't parse {name}: expected an object")
        return value

    def array(self, name: str) -> list[Any]:
        """Return a list, empty when absent; raises BotApiError for anything else."""
        value = self.params.get(name) or []
        if not isinstance(value, list):
            raise bad_request_error(f"can't parse {name}: expected an array")
        return value

    def file_source(self, field: str, reference: str) -> UploadedInputFile | str:
        """Return the upload in this field, or in the field that "attach://NAME" refers to; else the file_id."""
        if not reference and field in self.files:
            return self.files[field]
        if not reference.startswith("attach://"):
            return reference
        try:
            return self.files[reference.removeprefix("attach://")]
        except KeyError:
            raise bad_request_error("wrong file identifier/HTTP URL specified") from None


async def read_arguments(request: web.Request) -> Arguments:
    """Read the parameters of a call; raises BotApiError for malformed ones."""
    fields: list[tuple[str, Any]] = list(request.query.items())
    if request.content_type == "application/json":
        fields += await _json_fields(request)
    elif request.content_type.startswith("multipart/"):
        fields += await _form_fields(request)
    elif request.can_read_body:
        fields += list((await request.post()).items())
    return Arguments(
        _decode_params(fields), {name: value for name, value in fields if isinstance(value, UploadedInputFile)}
    )


async def _form_fields(request: web.Request) -> list[tuple[str, Any]]:
    """Read a form into memory: a temporary file would stay open when the caller is killed meanwhile."""
    if (request.content_length or 0) > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    fields: list[tuple[str, Any]] = []
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name is not None:
            data = bytes(await part.read(decode=True))
            kind = part.headers.get("Content-Type", "application/octet-stream")
            fields.append((part.name, UploadedInputFile(part.filename, kind, data) if part.filename else data.decode()))
    return fields


async def _json_fields(request: web.Request) -> Iterable[tuple[str, Any]]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise bad_request_error("can't parse JSON object") from None
    if not isinstance(body, dict):
        raise bad_request_error("can't parse JSON object")
    return body.items()


def _decode_params(fields: Iterable[tuple[str, Any]]) -> JsonObject:
    return {name: _decode_value(name, value) for name, value in fields if not isinstance(value, UploadedInputFile)}


def _decode_value(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if name in NUMBER_PARAMETERS:
        return _decode_number(value)
    if name in FLAG_PARAMETERS:
        return value.lower() in {"true", "1", "yes"}
    return _decode_object(name, value) if name in OBJECT_PARAMETERS else value


def _decode_number(value: str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value


def _decode_object(name: str, value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        raise BotApiError(400, f"Bad Request: can't parse {name}: not JSON") from None
