"""The webhook: lets Telegram's updates in where Telegram brings them.

An update is committed before it is answered with 200, so Telegram brings it again
until it is safe, and never waits here for anything else: of an album each item
is answered at once. Who does not know the secret is turned away.
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
from bot.settings import CannotRun, MustRestart
from bot.telegram.client import TelegramClient, WebhookStatus
from bot.telegram.errors import Rejected, TelegramApiError

log = logging.getLogger(__name__)

PATH = "/telegram/webhook"

#: The name of the header in which Telegram says the secret.
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a name

#: Bytes of an update; Telegram names no bound, and texts and captions make some 50 kB of one.
MAX_BODY_BYTES = 1024 * 1024

#: Seconds that an update may take to arrive.
BODY_TIMEOUT = 10.0

#: Seconds between two questions whether Telegram still brings the updates here.
CHECK_INTERVAL = 300.0

#: Seconds for which a good answer of Telegram holds: until the third question without one.
MAX_SILENCE = 3 * CHECK_INTERVAL


class TelegramWebhook:
    """Answers at `PATH`, and looks after the address that Telegram knows."""

    def __init__(
        self,
        letters: UpdateRecorder,
        chat: TelegramClient,
        *,
        public_url: str,
        secret: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._recorder = letters
        self._telegram = chat
        self._url = f"{public_url}{PATH}"
        self._secret = secret
        self._monotonic = monotonic
        self._warning_limiter = RateLimiter(1 / 60, 1, most_callers=2)
        self._reported_error_at = 0
        #: when Telegram last brought an update, or said that nothing keeps it from that, on the monotonic clock
        self.last_contact_at = monotonic()
        #: like that of the other parts; nobody can tell silence from a lack of updates
        self.hang_deadline = math.inf

    async def handle(self, request: web.Request) -> web.Response:
        """Take an update; when it is answered with 200, it is safe."""
        said = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogatepass")  # they may be any bytes
        if not hmac.compare_digest(said, self._secret.encode()):
            return self._reject()
        body = await read_body(request, most=MAX_BODY_BYTES, within=BODY_TIMEOUT)
        if body is None:
            return web.Response(status=408)
        update = _parse_update(body)
        if update is None:
            self._log_limited(logging.ERROR, "Telegram brought something without an id, which cannot be kept")
            return web.Response()  # it would be brought again and again
        self.last_contact_at = self._monotonic()
        try:
            await self._recorder.record([update])
        except MustRestart:
            return web.Response(status=503)
        return web.Response()

    def _reject(self) -> web.Response:
        self._log_limited(logging.WARNING, f"somebody who does not know the secret called at {PATH}")
        return web.Response(status=403)

    def _log_limited(self, level: int, words: str) -> None:
        if self._warning_limiter.try_acquire(words, self._monotonic()):
            log.log(level, "%s", words)

    async def register(self) -> None:
        """Have Telegram bring the updates here, those that wait as well.

        Raises CannotRun for an address that Telegram does not take, a ChatError when it cannot be told.
        """
        try:
            await self._telegram.set_webhook(self._url, self._secret)
        except Rejected as error:
            raise CannotRun(f"PUBLIC_URL: Telegram does not bring updates to {self._url} ({error})") from None
        log.info("Telegram brings the updates to %s", self._url)

    async def run(self) -> None:
        """See to it that Telegram goes on to bring updates, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            await self.check()

    async def check(self) -> None:
        """Ask Telegram once how it gets on; set right what somebody else has changed."""
        try:
            known = await self._telegram.get_webhook_status()
            if known.url != self._url:
                log.warning("somebody has changed where Telegram brings the updates: it is set right")
                await self.register()
            self._record_status(known)
        except TelegramApiError as error:
            log.info("Telegram cannot be asked about the webhook: %s", error)

    def _record_status(self, known: WebhookStatus) -> None:
        has_failed = known.last_error_at > self._reported_error_at
        if has_failed:
            self._reported_error_at = known.last_error_at
            log.warning("Telegram could not bring an update (%d wait): %s", known.pending_updates, known.last_error)
        if not has_failed or known.pending_updates == 0:
            self.last_contact_at = self._monotonic()


def _parse_update(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # it may be nested as deep as it is long
        return None
    return found if has_update_id(found) else None
