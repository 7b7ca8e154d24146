"""The local Kie's recorded calls: decoded requests with their responses.

A call is recorded on arrival, before its fault, so tests also see requests without a response.
"""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from bot.sandbox.kie.uploads import FormFilePart


@dataclass
class KieCall:
    """One call; `answer` and `status` are set after it was executed."""

    name: str
    path: str
    #: by lower-case name
    headers: dict[str, str]
    #: the query
    params: dict[str, str]
    #: decoded JSON, the fields of a form (its file as `FormFilePart`), undecodable bytes, or None
    body: Any
    #: seconds of the server's clock
    at: float
    #: the body of the response; None if the call was not executed
    answer: Any = None
    #: the HTTP status of the response; 0 while there is none, and after a disconnect
    status: int = 0


async def read_call(name: str, request: web.Request, at: float) -> KieCall:
    """Read a request completely."""
    return KieCall(
        name=name,
        path=request.path,
        headers={key.lower(): value for key, value in request.headers.items()},
        params=dict(request.query),
        body=await _read_body(request),
        at=at,
    )


async def _read_body(request: web.Request) -> Any:
    if request.content_type.startswith("multipart/"):
        return await _read_form(request)
    raw = await request.read()
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw


async def _read_form(request: web.Request) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        data = bytes(await part.read(decode=True))
        is_file = part.filename is not None or part.name == "file"
        kind = part.headers.get("Content-Type")
        fields[part.name] = FormFilePart(data, part.filename, kind) if is_file else data.decode()
    return fields
