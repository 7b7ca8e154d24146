"""Pictures on their way to and from the browser."""

import io
from pathlib import PurePath

from aiohttp import BodyPartReader, web
from PIL import Image

from bot.sandbox.page.gestures import Draft

#: what a browser shows as a picture; everything else is a download, so that nobody's file is a page of ours
SHOWN = ("JPEG", "PNG", "WEBP", "GIF")


async def read_draft(request: web.Request) -> Draft:
    """Read a form with pictures; raises HTTPBadRequest for what is none, and 413 for too much."""
    if (request.content_length or 0) > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    fields: dict[str, str] = {}
    pictures: list[tuple[str, bytes]] = []
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name is not None:
                data = bytes(await part.read(decode=True))
                if part.name == "picture":
                    pictures.append((PurePath(part.filename or "picture").name, data))
                else:
                    fields[part.name] = data.decode()
        return _draft(fields, pictures)
    except (KeyError, ValueError, AssertionError) as error:
        raise web.HTTPBadRequest from error


def _draft(fields: dict[str, str], pictures: list[tuple[str, bytes]]) -> Draft:
    return Draft(
        place=fields["place"],
        speaker=int(fields["speaker"]),
        text=fields.get("text", ""),
        reply_to=int(fields["reply_to"]) if fields.get("reply_to") else None,
        as_files=fields.get("as_files") == "yes",
        pictures=tuple(pictures),
    )


def picture(content: bytes) -> web.Response:
    """Answer with a file, as a picture only where it is one."""
    kind = _kind(content)
    if kind is not None:
        return web.Response(body=content, content_type=f"image/{kind.lower()}")
    headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return web.Response(body=content, content_type="application/octet-stream", headers=headers)


def _kind(content: bytes) -> str | None:
    try:
        with Image.open(io.BytesIO(content), formats=SHOWN) as image:
            return image.format
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
