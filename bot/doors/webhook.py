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

from bot.chat.client import Chat, Webhook
from bot.chat.errors import ChatError, Rejected
from bot.doors.arriving import body_of
from bot.doors.letters import Letters, has_id
from bot.doors.turnstile import Turnstile
from bot.settings import CannotRun, MustRestart

log = logging.getLogger(__name__)

PATH = "/telegram/webhook"

#: The name of the header in which Telegram says the secret.
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a name

#: Bytes of an update; Telegram names no bound, and texts and captions make some 50 kB of one.
MOST_BYTES = 1024 * 1024

#: Seconds that an update may take to arrive.
ARRIVES_WITHIN = 10.0

#: Seconds between two questions whether Telegram still brings the updates here.
EVERY = 300.0

#: Seconds for which a good answer of Telegram holds: until the third question without one.
FRESH_FOR = 3 * EVERY


class Hook:
    """Answers at `PATH`, and looks after the address that Telegram knows."""

    def __init__(
        self, letters: Letters, chat: Chat, *, public_url: str, secret: str, monotonic: Callable[[], float]
    ) -> None:
        self._letters = letters
        self._chat = chat
        self._url = f"{public_url}{PATH}"
        self._secret = secret
        self._monotonic = monotonic
        self._complaints = Turnstile(1 / 60, 1, most_callers=2)
        self._told_of = 0
        #: when Telegram last brought an update, or said that nothing keeps it from that, on the monotonic clock
        self.fresh_at = monotonic()
        #: like that of the other parts; nobody can tell silence from a lack of updates
        self.late_at = math.inf

    async def handle(self, request: web.Request) -> web.Response:
        """Take an update; when it is answered with 200, it is safe."""
        said = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogatepass")  # they may be any bytes
        if not hmac.compare_digest(said, self._secret.encode()):
            return self._refused()
        body = await body_of(request, most=MOST_BYTES, within=ARRIVES_WITHIN)
        if body is None:
            return web.Response(status=408)
        update = _update(body)
        if update is None:
            self._complain(logging.ERROR, "Telegram brought something without an id, which cannot be kept")
            return web.Response()  # it would be brought again and again
        self.fresh_at = self._monotonic()
        try:
            await self._letters.keep([update])
        except MustRestart:
            return web.Response(status=503)
        return web.Response()

    def _refused(self) -> web.Response:
        self._complain(logging.WARNING, f"somebody who does not know the secret called at {PATH}")
        return web.Response(status=403)

    def _complain(self, level: int, words: str) -> None:
        if self._complaints.admits(words, self._monotonic()):
            log.log(level, "%s", words)

    async def set(self) -> None:
        """Have Telegram bring the updates here, those that wait as well.

        Raises CannotRun for an address that Telegram does not take, a ChatError when it cannot be told.
        """
        try:
            await self._chat.set_webhook(self._url, self._secret)
        except Rejected as error:
            raise CannotRun(f"PUBLIC_URL: Telegram does not bring updates to {self._url} ({error})") from None
        log.info("Telegram brings the updates to %s", self._url)

    async def run(self) -> None:
        """See to it that Telegram goes on to bring updates, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Ask Telegram once how it gets on; set right what somebody else has changed."""
        try:
            known = await self._chat.webhook()
            if known.url != self._url:
                log.warning("somebody has changed where Telegram brings the updates: it is set right")
                await self.set()
            self._learn(known)
        except ChatError as error:
            log.info("Telegram cannot be asked about the webhook: %s", error)

    def _learn(self, known: Webhook) -> None:
        has_failed = known.failed_at > self._told_of
        if has_failed:
            self._told_of = known.failed_at
            log.warning("Telegram could not bring an update (%d wait): %s", known.waiting, known.failure)
        if not has_failed or known.waiting == 0:
            self.fresh_at = self._monotonic()


def _update(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # it may be nested as deep as it is long
        return None
    return found if has_id(found) else None
