"""The public HTTP endpoints on HOST and PORT: health, readiness, ownership proof, webhooks of Kie and Telegram."""

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
    """The server on HOST and PORT; without `kie_callback` or `webhook` it has no such path.

    `failed_conditions` names what keeps the bot from serving, and the answer is public. `prove_ownership` answers a
    nonce as only a bot with this token can, so that `check` sees whether PUBLIC_URL leads here.
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
        """Start listening and return the URL. Raises CannotRun if the port cannot be used."""
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
    """Serve health, readiness and the ownership proof while no bot runs; yield the URL.

    Also opens the port for metrics, to see whether it is free. Raises CannotRun if a port cannot be used.
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
