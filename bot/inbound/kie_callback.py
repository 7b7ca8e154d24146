"""The endpoint for Kie's callbacks.

A callback is not trusted: all it can do is trigger one poll of a task. Known and unknown references get the same
response. With KIE_WEBHOOK_KEY, unsigned, forged and replayed callbacks are refused.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.clock import Instant
from bot.inbound.http_server import read_body
from bot.inbound.rate_limiter import RateLimiter
from bot.kie.callback_signature import SignatureStatus, parse_callback_task_id, verify_callback
from bot.logs import Redact
from bot.settings import MustRestart

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024

#: Seconds for the request body.
BODY_TIMEOUT = 10.0

#: Calls per second, and in a burst, for the URL of one order. Kie retries a callback three times.
ORDER_RATE = (1.0, 10)

#: The same for each caller without such a URL, and for all of these together. Behind a proxy all are one caller.
CALLER_RATE, TOTAL_RATE = (20.0, 200), (100.0, 1000)

#: Tracked orders, and tracked callers.
MAX_CALLERS = 1000

REJECTIONS = {
    SignatureStatus.UNSIGNED: (401, "it is not signed (has a webhook key been made at https://kie.ai/settings?)"),
    SignatureStatus.FORGED: (403, "its signature is wrong (is KIE_WEBHOOK_KEY the key at https://kie.ai/settings?)"),
    SignatureStatus.STALE: (403, "it was signed too long ago (is this machine's clock right?)"),
}


class KieCallbackEndpoint:
    """Handles a POST; `on_callback` gets the reference, and the task id in the body or None.

    `is_own_reference` tells without a lookup whether this bot made a reference.
    """

    def __init__(
        self,
        on_callback: Callable[[str, str | None], Awaitable[None]],
        *,
        is_own_reference: Callable[[str], bool],
        key: str | None,
        redact: Redact,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
    ) -> None:
        self._on_callback = on_callback
        self._is_own_reference = is_own_reference
        self._key = key
        self._redact = redact
        self._clock = clock
        self._monotonic = monotonic
        self._order_limiter = RateLimiter(*ORDER_RATE, max_callers=MAX_CALLERS)
        self._caller_limiter = RateLimiter(*CALLER_RATE, max_callers=MAX_CALLERS)
        self._total_limiter = RateLimiter(*TOTAL_RATE)
        self._warning_limiter = RateLimiter(1 / 60, 1, max_callers=len(SignatureStatus))

    async def handle(self, request: web.Request) -> web.Response:
        """Handle a callback; its effect is stored before the response 200."""
        reference = request.match_info["reference"]
        if not self._is_within_rate(reference, request.remote or ""):
            return _json_response(429, "too many requests")
        body = await read_body(request, max_bytes=MAX_BODY_BYTES, max_seconds=BODY_TIMEOUT)
        if body is None:
            return _json_response(408, "the request did not arrive")
        task_id = parse_callback_task_id(body)
        if self._key is not None:
            status = verify_callback(self._key, task_id, request.headers, self._clock() / 1000)
            if status is not SignatureStatus.GENUINE:
                return self._reject(status)
        try:
            await self._on_callback(reference, task_id and self._redact(task_id))
        except MustRestart:
            return _json_response(503, "not now")
        return _json_response(200, "success")

    def _is_within_rate(self, reference: str, caller: str) -> bool:
        """Apply the rate limits; callers without a reference of ours cannot use up those of our orders."""
        now = self._monotonic()
        if self._is_own_reference(reference) and self._order_limiter.try_acquire(reference, now):
            return True
        return self._caller_limiter.try_acquire(caller, now) and self._total_limiter.try_acquire("", now)

    def _reject(self, signature: SignatureStatus) -> web.Response:
        status, reason = REJECTIONS[signature]
        if self._warning_limiter.try_acquire(signature, self._monotonic()):
            log.warning("a callback was refused: %s", reason)
        return _json_response(status, signature)


def _json_response(status: int, text: str) -> web.Response:
    return web.json_response({"code": status, "msg": text}, status=status)
