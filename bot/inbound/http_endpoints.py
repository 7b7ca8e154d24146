"""The HTTP door: says whether the bot is alive and whether it can serve, and lets callbacks and updates in."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from bot.inbound import kie_callback, telegram_webhook
from bot.inbound.http_server import HttpServer
from bot.settings import Settings


class HttpEndpoints:
    """The server on HOST and PORT; without `nudges` and `hook` there is nothing that others could want of it.

    `missing` says what keeps the bot from serving, in words that anybody may read.
    """

    def __init__(
        self,
        *,
        missing: Callable[[], Awaitable[Sequence[str]]],
        prove: Callable[[str], str],
        nudges: kie_callback.KieCallbackEndpoint | None = None,
        hook: telegram_webhook.TelegramWebhook | None = None,
    ) -> None:
        self._missing = missing
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        for path in OWNERSHIP_PROOF_PATHS:
            app.router.add_get(path, OwnershipProof(prove).handle)
        if nudges is not None:
            app.router.add_post(kie_callback.PATH, nudges.handle)
        if hook is not None:
            app.router.add_post(telegram_webhook.PATH, hook.handle)
        self._server = HttpServer(app)

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
async def serve_without_bot(settings: Settings) -> AsyncIterator[str]:
    """Open the door with no bot behind it: it proves whose it is, and takes nothing in; gives its address.

    The port for metrics is tried as well. Raises CannotRun when a port cannot be had.
    """
    async with AsyncExitStack() as stack:
        door = HttpEndpoints(missing=_report_bot_missing, prove=settings.ownership_proof)
        address = await door.open(settings.host, settings.port)
        stack.push_async_callback(door.close)
        if settings.metrics_port is not None:
            metrics = HttpServer(web.Application(), prefix="METRICS_")
            await metrics.open(settings.metrics_host, settings.metrics_port)
            stack.push_async_callback(metrics.close)
        yield address


async def _report_bot_missing() -> Sequence[str]:
    return ["bot"]


#: Where it can be asked for; the first is beside the addresses that Kie calls.
OWNERSHIP_PROOF_PATHS = ("/kie/callback/proof", telegram_webhook.PATH)

_NONCE = re.compile(r"[0-9a-f]{32}")


class OwnershipProof:
    """Answers a GET with what `prove` makes of the nonce in it."""

    def __init__(self, prove: Callable[[str], str]) -> None:
        self._prove = prove

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a nonce; anything else is not found."""
        nonce = request.query.get("nonce", "")
        if not _NONCE.fullmatch(nonce):
            return web.Response(status=404)
        return web.Response(text=self._prove(nonce), headers={"Cache-Control": "no-store"})
