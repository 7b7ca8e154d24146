"""The page's server: static files, the feed, pictures, and what is done with a click; on 127.0.0.1 only."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from aiohttp import web

from bot.sandbox.page import gestures, workbench
from bot.sandbox.page.calls import details
from bot.sandbox.page.feed import follow
from bot.sandbox.page.forms import picture, read_draft
from bot.sandbox.page.gestures import Impossible
from bot.sandbox.page.guard import Guard, Handler, harden
from bot.sandbox.page.house import House
from bot.sandbox.page.scene import Scene
from bot.sandbox.samples import SAMPLES

STATIC = Path(__file__).parent / "static"
#: the largest body that is read, in bytes: ten of the largest files that Telegram gives to bots
MOST_BYTES = 10 * (20 << 20) + (1 << 20)

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Server:
    """Answers the page's requests."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._guard = Guard(token_urlsafe(24))

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
            return await self._guard.judge(request, handler)

        app = web.Application(middlewares=[judge], client_max_size=MOST_BYTES)
        app.on_response_prepare.append(harden)
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
                web.post(f"{at}do/{{doing}}", self._do),
                web.get(f"{at}{{name:[a-z]+\\.[a-z]+}}", self._static),
            ]
        )
        return app

    # -- what is looked at

    async def _static(self, request: web.Request) -> web.StreamResponse:
        # read anew each time, so that who works on the page only has to reload it
        path = STATIC / request.match_info.get("name", "index.html")
        if not path.is_file():
            raise web.HTTPNotFound
        return web.Response(text=path.read_text(encoding="utf-8"), content_type=_TYPES[path.suffix], charset="utf-8")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await follow(self._house, request)

    async def _samples(self, _: web.Request) -> web.StreamResponse:
        return web.json_response([{"name": name, "wish": sample.wish} for name, sample in SAMPLES.items()])

    async def _sample(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in SAMPLES:
            raise web.HTTPNotFound
        return web.Response(body=_drawn(name), content_type="image/jpeg")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        try:
            content = self._house.scene.telegram.file_bytes(request.match_info["id"])
        except LookupError:
            raise web.HTTPNotFound from None
        return picture(content)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        try:
            found = details(self._house.scene, request.match_info["side"], int(request.match_info["number"]))
        except LookupError:
            raise web.HTTPNotFound from None
        return web.json_response(found)

    # -- what is done

    async def _send(self, request: web.Request) -> web.StreamResponse:
        draft = await read_draft(request)
        return await self._done(lambda scene: gestures.send(scene, draft))

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        wanted = await _wanted(request)
        return await self._done(lambda scene: gestures.edit(scene, wanted))

    async def _press(self, request: web.Request) -> web.StreamResponse:
        wanted = await _wanted(request)
        return await self._done(lambda scene: gestures.press(scene, wanted))

    async def _do(self, request: web.Request) -> web.StreamResponse:
        wanted = await _wanted(request)
        doing = workbench.DOINGS.get(request.match_info["doing"])
        if doing is None:
            raise web.HTTPNotFound
        return await self._done(lambda scene: doing(scene, wanted))

    async def _reset(self, _: web.Request) -> web.StreamResponse:
        await self._house.reset()
        return web.json_response({})

    async def _done(self, doing: Callable[[Scene], Awaitable[object]]) -> web.StreamResponse:
        """Do it, and say what came of it or why it cannot be."""
        try:
            return web.json_response(await doing(self._house.scene) or {})
        except (Impossible, LookupError) as error:
            return web.json_response({"error": str(error.args[0])}, status=409)


async def _wanted(request: web.Request) -> dict[str, Any]:
    """Read what a click says; raises HTTPBadRequest for anything but a JSON object."""
    try:
        wanted = await request.json()
    except (ValueError, LookupError, RecursionError):  # LookupError: of an encoding that nobody knows
        wanted = None
    if not isinstance(wanted, dict):
        raise web.HTTPBadRequest
    return wanted


@functools.cache
def _drawn(name: str) -> bytes:
    return SAMPLES[name].draw()
