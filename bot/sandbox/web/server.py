"""The page's web server on 127.0.0.1: static files, events, pictures, and the actions of clicks."""

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
from bot.sandbox.web.page_state import call_details, stream_events
from bot.sandbox.web.request_guard import Handler, RequestGuard, add_security_headers
from bot.sandbox.web.session import SandboxSession, SessionManager

STATIC_FOLDER = Path(__file__).parent / "static"
#: the largest request body, in bytes: ten of the largest files that bots can fetch from Telegram
MAX_BODY_BYTES = 10 * (20 << 20) + (1 << 20)

_CONTENT_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

Action = Callable[[SandboxSession, dict[str, Any]], Awaitable[object]]


class WebServer:
    """Serves the page of the current session."""

    def __init__(self, sessions: SessionManager) -> None:
        self._sessions = sessions
        self._guard = RequestGuard(token_urlsafe(24))

    @property
    def url(self) -> str:
        """The URL of the page, with its token."""
        return f"http://127.0.0.1:{self._guard.port}/{self._guard.token}/"

    @asynccontextmanager
    async def open(self, port: int) -> AsyncIterator[None]:
        """Serve; port 0 takes any free one. Raises OSError when the port is taken."""
        runner = web.AppRunner(self._build_app(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self._guard.port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()

    def _build_app(self) -> web.Application:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard.check_request(request, handler)

        app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
        app.on_response_prepare.append(add_security_headers)
        root = "/{token}/"
        app.add_routes(
            [
                web.get(root, self._static),
                web.get(f"{root}events", functools.partial(stream_events, self._sessions)),
                web.get(f"{root}samples", self._samples),
                web.get(f"{root}samples/{{name}}", self._sample),
                web.get(f"{root}files/{{id}}", self._file),
                web.get(f"{root}calls/{{service}}/{{number:[0-9]{{1,9}}}}", self._call),
                web.post(f"{root}send", self._send),
                web.post(f"{root}edit", functools.partial(self._run_action, actions.edit_message)),
                web.post(f"{root}press", functools.partial(self._run_action, actions.press_button)),
                web.post(f"{root}reset", self._reset),
                web.post(f"{root}actions/{{action}}", self._workbench_action),
                web.get(f"{root}{{name:[a-z]+\\.[a-z]+}}", self._static),
            ]
        )
        return app

    async def _static(self, request: web.Request) -> web.StreamResponse:
        # read each time: whoever changes a static file only has to reload the page
        path = STATIC_FOLDER / request.match_info.get("name", "index.html")
        if not path.is_file():
            raise web.HTTPNotFound
        content_type = _CONTENT_TYPES[path.suffix]
        return web.Response(text=path.read_text(encoding="utf-8"), content_type=content_type, charset="utf-8")

    async def _samples(self, _: web.Request) -> web.StreamResponse:
        return web.json_response([{"name": name, "prompt": sample.prompt} for name, sample in SAMPLES.items()])

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
        return file_response(content)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        service, number = request.match_info["service"], int(request.match_info["number"])
        try:
            return web.json_response(call_details(self._sessions.session, service, number))
        except LookupError:
            raise web.HTTPNotFound from None

    async def _reset(self, _: web.Request) -> web.StreamResponse:
        await self._sessions.reset()
        return web.json_response({})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        message = await read_composed_message(request)
        return await self._respond(lambda session: actions.send_message(session, message))

    async def _workbench_action(self, request: web.Request) -> web.StreamResponse:
        action = actions.WORKBENCH_ACTIONS.get(request.match_info["action"])
        if action is None:
            raise web.HTTPNotFound
        return await self._run_action(action, request)

    async def _run_action(self, action: Action, request: web.Request) -> web.StreamResponse:
        params = await _read_json_object(request)
        return await self._respond(lambda session: action(session, params))

    async def _respond(self, action: Callable[[SandboxSession], Awaitable[object]]) -> web.StreamResponse:
        """Run an action and return its result, or the reason why it is impossible."""
        try:
            return web.json_response(await action(self._sessions.session) or {})
        except (ActionImpossible, LookupError) as error:
            return web.json_response({"error": str(error.args[0])}, status=409)


async def _read_json_object(request: web.Request) -> dict[str, Any]:
    """Read the body; raises HTTPBadRequest for anything but a JSON object."""
    try:
        params = await request.json()
    except (ValueError, LookupError, RecursionError):  # LookupError: an unknown charset
        params = None
    if not isinstance(params, dict):
        raise web.HTTPBadRequest
    return params


@functools.cache
def _draw_sample(name: str) -> bytes:
    return SAMPLES[name].draw()


#: what a browser shows as an image; everything else is a download, so that no file becomes a page of our origin
DISPLAYABLE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


async def read_composed_message(request: web.Request) -> ComposedMessage:
    """Read a form with pictures; raises HTTPBadRequest for an invalid one and 413 for one that is too large."""
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
        return ComposedMessage(
            conversation=fields["conversation"],
            speaker=int(fields["speaker"]),
            text=fields.get("text", ""),
            reply_to=int(fields["reply_to"]) if fields.get("reply_to") else None,
            as_files=fields.get("as_files") == "yes",
            pictures=tuple(pictures),
        )
    except (KeyError, ValueError, AssertionError) as error:
        raise web.HTTPBadRequest from error


def file_response(content: bytes) -> web.Response:
    """Return a file: images as such, anything else as a sandboxed download."""
    try:
        with Image.open(io.BytesIO(content), formats=DISPLAYABLE_FORMATS) as image:
            return web.Response(body=content, content_type=f"image/{(image.format or '').lower()}")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        pass
    headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return web.Response(body=content, content_type="application/octet-stream", headers=headers)
