"""The local Kie's memory of who asked what: every call, decoded, with its answer.

A call is written down when it has arrived, before a fault can swallow it, so
a test can see the requests that never got an answer.
"""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from bot.sandbox.kie.uploads import FormFilePart


@dataclass
class KieCall:
    """One request; `answer` and `status` are filled in when there are any."""

    name: str
    path: str
    #: names in lower case
    headers: dict[str, str]
    #: the query
    params: dict[str, str]
    #: decoded JSON, or the fields of a form (its file as `Part`), or None
    body: Any
    #: seconds of the server's clock
    at: float
    #: what the call was executed to; None if it never was
    answer: Any = None
    #: HTTP status that went out; 0 while there is none, and when the connection was cut
    status: int = 0


async def read_call(name: str, request: web.Request, at: float) -> KieCall:
    """Take a request in completely."""
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
