"""The HTTP door: says whether the bot is alive and whether it can serve, and lets callbacks and updates in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from bot.doors import callback, proof, webhook
from bot.doors.listening import Server
from bot.settings import Settings


class Door:
    """The server on HOST and PORT; without `nudges` and `hook` there is nothing that others could want of it.

    `missing` says what keeps the bot from serving, in words that anybody may read.
    """

    def __init__(
        self,
        *,
        missing: Callable[[], Awaitable[Sequence[str]]],
        prove: Callable[[str], str],
        nudges: callback.Callback | None = None,
        hook: webhook.Hook | None = None,
    ) -> None:
        self._missing = missing
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        for path in proof.PATHS:
            app.router.add_get(path, proof.Proof(prove).handle)
        if nudges is not None:
            app.router.add_post(callback.PATH, nudges.handle)
        if hook is not None:
            app.router.add_post(webhook.PATH, hook.handle)
        self._server = Server(app)

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        return await self._server.open(host, port)

    async def close(self) -> None:
        """Stop listening."""
        await self._server.close()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        missing = list(await self._missing())
        return web.json_response({"ready": not missing, "missing": missing}, status=503 if missing else 200)


@asynccontextmanager
async def open_alone(settings: Settings) -> AsyncIterator[str]:
    """Open the door with no bot behind it: it proves whose it is, and takes nothing in; gives its address.

    The port for metrics is tried as well. Raises CannotRun when a port cannot be had.
    """
    async with AsyncExitStack() as stack:
        door = Door(missing=_everything, prove=settings.proof)
        address = await door.open(settings.host, settings.port)
        stack.push_async_callback(door.close)
        if settings.metrics_port is not None:
            metrics = Server(web.Application(), prefix="METRICS_")
            await metrics.open(settings.metrics_host, settings.metrics_port)
            stack.push_async_callback(metrics.close)
        yield address


async def _everything() -> Sequence[str]:
    return ["bot"]
