"""The endpoint for Telegram's webhook.

The response 200 comes after the commit of the update, so delivery is at-least-once: until then, Telegram repeats it.
Handling it comes later, so the items of an album do not wait for each other. Requests without the secret are refused.
"""

import asyncio
import hmac
import json
import logging
import math
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.inbound.http_server import read_body
from bot.inbound.rate_limiter import RateLimiter
from bot.inbound.update_recorder import UpdateRecorder, has_update_id
from bot.settings import TELEGRAM_WEBHOOK_PATH, CannotRun, MustRestart
from bot.telegram.client import TelegramClient, WebhookStatus
from bot.telegram.errors import Rejected, TelegramApiError

log = logging.getLogger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a name

#: Telegram documents no limit; with the longest texts and captions an update has about 50 kB.
MAX_BODY_BYTES = 1024 * 1024

#: Seconds for the request body.
BODY_TIMEOUT = 10.0

#: Seconds between two calls of getWebhookInfo.
CHECK_INTERVAL = 300.0

#: Seconds without contact after which the receiver counts as not ready: three checks.
MAX_SILENCE = 3 * CHECK_INTERVAL


class TelegramWebhook:
    """Handles a POST at TELEGRAM_WEBHOOK_PATH, and keeps the webhook registered."""

    def __init__(
        self,
        recorder: UpdateRecorder,
        telegram: TelegramClient,
        *,
        public_url: str,
        secret: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._recorder = recorder
        self._telegram = telegram
        self._url = f"{public_url}{TELEGRAM_WEBHOOK_PATH}"
        self._secret = secret
        self._monotonic = monotonic
        self._log_limiter = RateLimiter(1 / 60, 1, max_callers=2)
        self._reported_error_at = 0
        #: when Telegram last sent an update or reported no failure, on the monotonic clock
        self.last_contact_at = monotonic()
        #: never, for the watchdog: without updates there are no requests
        self.hang_deadline = math.inf

    async def handle(self, request: web.Request) -> web.Response:
        """Store an update; the response is 200 once it is committed."""
        secret = request.headers.get(SECRET_HEADER, "").encode(
            "utf-8", "surrogatepass"
        )  # the header may contain any bytes
        if not hmac.compare_digest(secret, self._secret.encode()):
            self._log_limited(logging.WARNING, f"a request without the secret arrived at {TELEGRAM_WEBHOOK_PATH}")
            return web.Response(status=403)
        body = await read_body(request, max_bytes=MAX_BODY_BYTES, max_seconds=BODY_TIMEOUT)
        if body is None:
            return web.Response(status=408)
        update = _parse_update(body)
        if update is None:
            self._log_limited(logging.ERROR, "Telegram sent an update without an id, which cannot be stored")
            return web.Response()  # any other status would make Telegram repeat it
        self.last_contact_at = self._monotonic()
        try:
            await self._recorder.record([update])
        except MustRestart:
            return web.Response(status=503)
        return web.Response()

    def _log_limited(self, level: int, text: str) -> None:
        if self._log_limiter.try_acquire(text, self._monotonic()):
            log.log(level, "%s", text)

    async def register(self) -> None:
        """Register the webhook; Telegram then sends pending updates, too.

        Raises CannotRun for a URL that Telegram does not accept, and a TelegramApiError for any other failure.
        """
        try:
            await self._telegram.set_webhook(self._url, self._secret)
        except Rejected as error:
            raise CannotRun(f"PUBLIC_URL: Telegram does not send updates to {self._url} ({error})") from None
        log.info("Telegram sends the updates to %s", self._url)

    async def run(self) -> None:
        """Check the webhook every CHECK_INTERVAL seconds, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            await self.check()

    async def check(self) -> None:
        """Get the webhook's state from Telegram; register it again if it was changed."""
        try:
            status = await self._telegram.get_webhook_status()
            if status.url != self._url:
                log.warning("somebody has changed the webhook: it is registered again")
                await self.register()
            self._record_status(status)
        except TelegramApiError as error:
            log.info("Telegram cannot be asked about the webhook: %s", error)

    def _record_status(self, status: WebhookStatus) -> None:
        has_failed = status.last_error_at > self._reported_error_at
        if has_failed:
            self._reported_error_at = status.last_error_at
            log.warning("Telegram could not send an update (%d wait): %s", status.pending_updates, status.last_error)
        if not has_failed or status.pending_updates == 0:
            self.last_contact_at = self._monotonic()


def _parse_update(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # for JSON that is nested too deeply
        return None
    return found if has_update_id(found) else None
