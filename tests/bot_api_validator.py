"""Validates Bot API requests and updates against aiogram's models, which are generated from Telegram's documentation.

`validate_request` is given to `LocalTelegram`, `validate_update` is for updates that a test makes. Both refuse unknown
members at any depth, because Telegram silently ignores a misspelt parameter, and so would a test.

The local server checks what the models do not contain: lengths, sizes of images, the 64 bytes of callback data.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_ATTACHED = "attach://"


def validate_request(method: str, params: Mapping[str, object], files: Mapping[str, object]) -> None:
    """Validate a request; raise ValueError for anything that Telegram does not document.

    `params` may be decoded or encoded as form fields. `files` are the uploads by field.
    """
    model = _model(method)
    decoded = {name: _decode_field(model.model_fields.get(name), value) for name, value in params.items()}
    _check_attachments(decoded, files, model)
    direct = {name: f"{_ATTACHED}{name}" for name in files if name in model.model_fields}
    request = model.model_validate(direct | decoded)
    _refuse([*_unknown(request, method), *_outdated(model, decoded, method)])


def validate_update(raw: Mapping[str, object]) -> None:
    """Validate an update; raise ValueError for anything that Telegram does not document."""
    update = _model_by_name("aiogram.types", "Update").model_validate(raw)
    _refuse([*_unknown(update, "update")])


def _model(method: str) -> type[BaseModel]:
    try:
        return _model_by_name("aiogram.methods", method[:1].upper() + method[1:])
    except AttributeError:
        raise ValueError(f"there is no method {method}") from None


def _model_by_name(module: str, name: str) -> type[BaseModel]:
    """Import a model only here: that takes seconds, and the process that distributes the tests needs none."""
    model: type[BaseModel] = getattr(importlib.import_module(module), name)
    return model


def _decode_field(field: FieldInfo | None, value: object) -> object:
    """Decode a form field, unless the parameter is a text."""
    if field is None or not isinstance(value, str):
        return value
    if field.annotation is str or str in get_args(field.annotation):
        return value
    return json.loads(value)


def _check_attachments(params: Mapping[str, object], files: Mapping[str, object], model: type[BaseModel]) -> None:
    named = set(_list_attachments(params))
    unused = {name for name in files if name not in named and name not in model.model_fields}
    missing = named - set(files)
    _refuse([f"file {name} is not referred to" for name in unused] + [f"file {name} is missing" for name in missing])


def _list_attachments(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(_ATTACHED):
        yield value.removeprefix(_ATTACHED)
    for part in _parts(value):
        yield from _list_attachments(part)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _unknown(value: object, where: str) -> Iterator[str]:
    """Return every unknown member, at any depth."""
    if isinstance(value, BaseModel):
        yield from (f"{where}.{name} is unknown" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            yield from _unknown(part, f"{where}[{position}]")


def _outdated(model: type[BaseModel], params: Mapping[str, object], where: str) -> Iterator[str]:
    for name in params:
        field = model.model_fields.get(name)
        extra = field.json_schema_extra if field is not None else None
        if isinstance(extra, dict) and extra.get("deprecated"):
            yield f"{where}.{name} is deprecated"


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ValueError("; ".join(problems))
