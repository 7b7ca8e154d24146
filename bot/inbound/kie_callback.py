"""The door for Kie's callbacks: lets a nudge in, and tells the caller nothing.

Whoever calls gets the same answer whether the reference is known or not, and all
that a call can bring about is a look. With a key, unsigned or stale ones are refused.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.clock import Instant
from bot.inbound.http_server import read_body
from bot.inbound.rate_limiter import RateLimiter
from bot.kie.callbacks import SignatureStatus, parse_callback_task_id, verify_callback
from bot.logs import Redact
from bot.settings import MustRestart

log = logging.getLogger(__name__)

PATH = "/kie/callback/{reference}"

#: Bytes of a callback.
MAX_BODY_BYTES = 64 * 1024

#: Seconds that a callback may take to arrive.
BODY_TIMEOUT = 10.0

#: How often one order's address may be called: per second, and at once. Kie repeats a callback three times.
ORDER_RATE = (1.0, 10)

#: How often anybody may call who knows no such address, and all of them together. Behind a proxy they are all one.
CALLER_RATE, TOTAL_RATE = (20.0, 200), (100.0, 1000)

#: Addresses of orders, and of callers, that are told apart.
MAX_CALLERS = 1000

REJECTIONS = {
    SignatureStatus.UNSIGNED: (401, "it is not signed (has a webhook key been made at https://kie.ai/settings?)"),
    SignatureStatus.FORGED: (403, "its signature is wrong (is KIE_WEBHOOK_KEY the key at https://kie.ai/settings?)"),
    SignatureStatus.STALE: (403, "it was signed too long ago (is this machine's clock right?)"),
}


class KieCallbackEndpoint:
    """Answers at `PATH`; `nudge` takes the reference and the task id that was named, if one was.

    `is_ours` says of a reference, without looking anything up, whether it was made here.
    """

    def __init__(
        self,
        nudge: Callable[[str, str | None], Awaitable[None]],
        *,
        is_ours: Callable[[str], bool],
        key: str | None,
        redact: Redact,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
    ) -> None:
        self._on_callback = nudge
        self._is_own_reference = is_ours
        self._key = key
        self._redact = redact
        self._clock = clock
        self._monotonic = monotonic
        self._order_limiter = RateLimiter(*ORDER_RATE, most_callers=MAX_CALLERS)
        self._caller_limiter = RateLimiter(*CALLER_RATE, most_callers=MAX_CALLERS)
        self._total_limiter = RateLimiter(*TOTAL_RATE)
        self._warning_limiter = RateLimiter(1 / 60, 1, most_callers=len(SignatureStatus))

    async def handle(self, request: web.Request) -> web.Response:
        """Take a callback; when it is answered with 200, nothing of it can be lost."""
        reference = request.match_info["reference"]
        if not self._is_within_rate(reference, request.remote or ""):
            return _json_response(429, "too many requests")
        body = await read_body(request, most=MAX_BODY_BYTES, within=BODY_TIMEOUT)
        if body is None:
            return _json_response(408, "the request did not arrive")
        task_id = parse_callback_task_id(body)
        verdict = self._check_signature(request, task_id)
        if verdict is not SignatureStatus.GENUINE:
            return self._reject(verdict)
        try:
            await self._on_callback(reference, task_id and self._redact(task_id))
        except MustRestart:
            return _json_response(503, "not now")
        return _json_response(200, "success")

    def _is_within_rate(self, reference: str, caller: str) -> bool:
        """Limit callers, those first who know nothing: nobody can use up what is kept for the addresses of orders."""
        now = self._monotonic()
        if self._is_own_reference(reference) and self._order_limiter.try_acquire(reference, now):
            return True
        return self._caller_limiter.try_acquire(caller, now) and self._total_limiter.try_acquire("", now)

    def _check_signature(self, request: web.Request, task_id: str | None) -> SignatureStatus:
        if self._key is None:
            return SignatureStatus.GENUINE
        return verify_callback(self._key, task_id, request.headers, self._clock() / 1000)

    def _reject(self, verdict: SignatureStatus) -> web.Response:
        status, why = REJECTIONS[verdict]
        if self._warning_limiter.try_acquire(verdict, self._monotonic()):
            log.warning("a callback was refused: %s", why)
        return _json_response(status, verdict)


def _json_response(status: int, text: str) -> web.Response:
    return web.json_response({"code": status, "msg": text}, status=status)
