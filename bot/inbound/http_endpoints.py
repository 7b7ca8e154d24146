"""The public HTTP endpoints on HOST and PORT: health, readiness, proof of ownership, and the two callbacks."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from bot.inbound.http_server import HttpServer
from bot.inbound.kie_callback import KieCallbackEndpoint
from bot.inbound.telegram_webhook import TelegramWebhook
from bot.settings import (
    HEALTH_PATH,
    KIE_CALLBACK_PATH,
    OWNERSHIP_PROOF_PATH,
    READY_PATH,
    TELEGRAM_WEBHOOK_PATH,
    Settings,
)

_NONCE = re.compile(r"[0-9a-f]{32}")


class HttpEndpoints:
    """The server on HOST and PORT; without `kie_callback` and `webhook` there are no such paths.

    `failed_conditions` says what keeps the bot from serving, in words that anybody may read. `prove_ownership` answers
    a nonce in a way that only this bot can: `check` uses it to see whether PUBLIC_URL leads here.
    """

    def __init__(
        self,
        *,
        failed_conditions: Callable[[], Awaitable[Sequence[str]]],
        prove_ownership: Callable[[str], str],
        kie_callback: KieCallbackEndpoint | None = None,
        webhook: TelegramWebhook | None = None,
    ) -> None:
        self._failed_conditions = failed_conditions
        self._prove_ownership = prove_ownership
        app = web.Application()
        app.router.add_get(HEALTH_PATH, self._get_health)
        app.router.add_get(READY_PATH, self._get_readiness)
        app.router.add_get(OWNERSHIP_PROOF_PATH, self._get_ownership_proof)
        app.router.add_get(TELEGRAM_WEBHOOK_PATH, self._get_ownership_proof)
        if kie_callback is not None:
            app.router.add_post(f"{KIE_CALLBACK_PATH}{{reference}}", kie_callback.handle)
        if webhook is not None:
            app.router.add_post(TELEGRAM_WEBHOOK_PATH, webhook.handle)
        self._server = HttpServer(app)

    async def open(self, host: str, port: int) -> str:
        """Start to listen and return the address. Raises CannotRun when the port cannot be had."""
        return await self._server.open(host, port)

    async def close(self) -> None:
        """Stop listening."""
        await self._server.close()

    async def _get_health(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _get_readiness(self, _request: web.Request) -> web.Response:
        missing = list(await self._failed_conditions())
        return web.json_response({"ready": not missing, "missing": missing}, status=503 if missing else 200)

    async def _get_ownership_proof(self, request: web.Request) -> web.Response:
        nonce = request.query.get("nonce", "")
        if not _NONCE.fullmatch(nonce):
            return web.Response(status=404)
        return web.Response(text=self._prove_ownership(nonce), headers={"Cache-Control": "no-store"})


@asynccontextmanager
async def serve_without_bot(settings: Settings) -> AsyncIterator[str]:
    """Serve health, readiness and the proof of ownership while no bot runs; yield the address.

    The port for metrics is tried as well. Raises CannotRun when a port cannot be had.
    """

    async def failed_conditions() -> Sequence[str]:
        return ["bot"]

    async with AsyncExitStack() as stack:
        endpoints = HttpEndpoints(failed_conditions=failed_conditions, prove_ownership=settings.ownership_proof)
        address = await endpoints.open(settings.host, settings.port)
        stack.push_async_callback(endpoints.close)
        if settings.metrics_port is not None:
            metrics = HttpServer(web.Application(), setting_prefix="METRICS_")
            await metrics.open(settings.metrics_host, settings.metrics_port)
            stack.push_async_callback(metrics.close)
        yield address
