"""The page's server: static files, the feed, pictures, and what is done with a click; on 127.0.0.1 only."""

import functools
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePath
from secrets import token_urlsafe
from typing import Any

from aiohttp import BodyPartReader, web
from PIL import Image

from bot.sandbox.samples import SAMPLES
from bot.sandbox.web import actions
from bot.sandbox.web.actions import ActionImpossible, ComposedMessage
from bot.sandbox.web.page_state import call_details
from bot.sandbox.web.request_guard import Handler, RequestGuard, add_security_headers
from bot.sandbox.web.server_sent_events import stream_events
from bot.sandbox.web.session import SandboxSession, SessionManager

STATIC_FOLDER = Path(__file__).parent / "static"
#: the largest body that is read, in bytes: ten of the largest files that Telegram gives to bots
MAX_BODY_BYTES = 10 * (20 << 20) + (1 << 20)

_CONTENT_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class WebServer:
    """Answers the page's requests."""

    def __init__(self, house: SessionManager) -> None:
        self._sessions = house
        self._guard = RequestGuard(token_urlsafe(24))

    @property
    def url(self) -> str:
        """The address of the page, with the token that opens it."""
        return f"http://127.0.0.1:{self._guard.port}/{self._guard.token}/"

    @asynccontextmanager
    async def open(self, port: int) -> AsyncIterator[None]:
        """Serve; port 0 takes any that is free. Raises OSError when the port is taken."""
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self._guard.port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()

    def _app(self) -> web.Application:
        @web.middleware
        async def judge(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard.check_request(request, handler)

        app = web.Application(middlewares=[judge], client_max_size=MAX_BODY_BYTES)
        app.on_response_prepare.append(add_security_headers)
        at = "/{token}/"
        app.add_routes(
            [
                web.get(at, self._static),
                web.get(f"{at}events", self._events),
                web.get(f"{at}samples", self._samples),
                web.get(f"{at}samples/{{name}}", self._sample),
                web.get(f"{at}files/{{id}}", self._file),
                web.get(f"{at}calls/{{side}}/{{number:[0-9]{{1,9}}}}", self._call),
                web.post(f"{at}send", self._send),
                web.post(f"{at}edit", self._edit),
                web.post(f"{at}press", self._press),
                web.post(f"{at}reset", self._reset),
                web.post(f"{at}do/{{doing}}", self._workbench_action),
                web.get(f"{at}{{name:[a-z]+\\.[a-z]+}}", self._static),
            ]
        )
        return app

    # -- what is looked at

    async def _static(self, request: web.Request) -> web.StreamResponse:
        # read anew each time, so that who works on the page only has to reload it
        path = STATIC_FOLDER / request.match_info.get("name", "index.html")
        if not path.is_file():
            raise web.HTTPNotFound
        return web.Response(
            text=path.read_text(encoding="utf-8"), content_type=_CONTENT_TYPES[path.suffix], charset="utf-8"
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await stream_events(self._sessions, request)

    async def _samples(self, _: web.Request) -> web.StreamResponse:
        return web.json_response([{"name": name, "wish": sample.prompt} for name, sample in SAMPLES.items()])

    async def _sample(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in SAMPLES:
            raise web.HTTPNotFound
        return web.Response(body=_draw_sample(name), content_type="image/jpeg")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        try:
            content = self._sessions.session.telegram.file_bytes(request.match_info["id"])
        except LookupError:
            raise web.HTTPNotFound from None
        return picture_response(content)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        try:
            found = call_details(self._sessions.session, request.match_info["side"], int(request.match_info["number"]))
        except LookupError:
            raise web.HTTPNotFound from None
        return web.json_response(found)

    # -- what is done

    async def _send(self, request: web.Request) -> web.StreamResponse:
        draft = await read_composed_message(request)
        return await self._run_action(lambda scene: actions.send_message(scene, draft))

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        wanted = await _read_json_object(request)
        return await self._run_action(lambda scene: actions.edit_message(scene, wanted))

    async def _press(self, request: web.Request) -> web.StreamResponse:
        wanted = await _read_json_object(request)
        return await self._run_action(lambda scene: actions.press_button(scene, wanted))

    async def _workbench_action(self, request: web.Request) -> web.StreamResponse:
        wanted = await _read_json_object(request)
        doing = actions.WORKBENCH_ACTIONS.get(request.match_info["doing"])
        if doing is None:
            raise web.HTTPNotFound
        return await self._run_action(lambda scene: doing(scene, wanted))

    async def _reset(self, _: web.Request) -> web.StreamResponse:
        await self._sessions.reset()
        return web.json_response({})

    async def _run_action(self, doing: Callable[[SandboxSession], Awaitable[object]]) -> web.StreamResponse:
        """Do it, and say what came of it or why it cannot be."""
        try:
            return web.json_response(await doing(self._sessions.session) or {})
        except (ActionImpossible, LookupError) as error:
            return web.json_response({"error": str(error.args[0])}, status=409)


async def _read_json_object(request: web.Request) -> dict[str, Any]:
    """Read what a click says; raises HTTPBadRequest for anything but a JSON object."""
    try:
        wanted = await request.json()
    except (ValueError, LookupError, RecursionError):  # LookupError: of an encoding that nobody knows
        wanted = None
    if not isinstance(wanted, dict):
        raise web.HTTPBadRequest
    return wanted


@functools.cache
def _draw_sample(name: str) -> bytes:
    return SAMPLES[name].draw()


#: what a browser shows as a picture; everything else is a download, so that nobody's file is a page of ours
DISPLAYABLE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


async def read_composed_message(request: web.Request) -> ComposedMessage:
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
        return _composed_message(fields, pictures)
    except (KeyError, ValueError, AssertionError) as error:
        raise web.HTTPBadRequest from error


def _composed_message(fields: dict[str, str], pictures: list[tuple[str, bytes]]) -> ComposedMessage:
    return ComposedMessage(
        conversation=fields["place"],
        speaker=int(fields["speaker"]),
        text=fields.get("text", ""),
        reply_to=int(fields["reply_to"]) if fields.get("reply_to") else None,
        as_files=fields.get("as_files") == "yes",
        pictures=tuple(pictures),
    )


def picture_response(content: bytes) -> web.Response:
    """Answer with a file, as a picture only where it is one."""
    kind = _image_format(content)
    if kind is not None:
        return web.Response(body=content, content_type=f"image/{kind.lower()}")
    headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return web.Response(body=content, content_type="application/octet-stream", headers=headers)


def _image_format(content: bytes) -> str | None:
    try:
        with Image.open(io.BytesIO(content), formats=DISPLAYABLE_FORMATS) as image:
            return image.format
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
