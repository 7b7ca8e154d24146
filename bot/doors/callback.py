"""The door for Kie's callbacks: lets a nudge in, and tells the caller nothing.

Whoever calls gets the same answer whether the reference is known or not, and all
that a call can bring about is a look. With a key, unsigned or stale ones are refused.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.doors.arriving import body_of
from bot.doors.turnstile import Turnstile
from bot.job import Instant
from bot.kie.callback import task_named
from bot.kie.signature import Verdict, verify
from bot.redaction import Redact
from bot.settings import MustRestart

log = logging.getLogger(__name__)

PATH = "/kie/callback/{reference}"

#: Bytes of a callback.
MOST_BYTES = 64 * 1024

#: Seconds that a callback may take to arrive.
ARRIVES_WITHIN = 10.0

#: How often one order's address may be called: per second, and at once. Kie repeats a callback three times.
ORDER = (1.0, 10)

#: How often anybody may call who knows no such address, and all of them together. Behind a proxy they are all one.
EACH, ALL = (20.0, 200), (100.0, 1000)

#: Addresses of orders, and of callers, that are told apart.
MOST_CALLERS = 1000

REFUSALS = {
    Verdict.UNSIGNED: (401, "it is not signed (has a webhook key been made at https://kie.ai/settings?)"),
    Verdict.FORGED: (403, "its signature is wrong (is KIE_WEBHOOK_KEY the key at https://kie.ai/settings?)"),
    Verdict.STALE: (403, "it was signed too long ago (is this machine's clock right?)"),
}


class Callback:
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
        self._nudge = nudge
        self._is_ours = is_ours
        self._key = key
        self._redact = redact
        self._clock = clock
        self._monotonic = monotonic
        self._order = Turnstile(*ORDER, most_callers=MOST_CALLERS)
        self._each = Turnstile(*EACH, most_callers=MOST_CALLERS)
        self._all = Turnstile(*ALL)
        self._complaints = Turnstile(1 / 60, 1, most_callers=len(Verdict))

    async def handle(self, request: web.Request) -> web.Response:
        """Take a callback; when it is answered with 200, nothing of it can be lost."""
        reference = request.match_info["reference"]
        if not self._may_call(reference, request.remote or ""):
            return _answer(429, "too many requests")
        body = await body_of(request, most=MOST_BYTES, within=ARRIVES_WITHIN)
        if body is None:
            return _answer(408, "the request did not arrive")
        task_id = task_named(body)
        verdict = self._verdict(request, task_id)
        if verdict is not Verdict.GENUINE:
            return self._refused(verdict)
        try:
            await self._nudge(reference, task_id and self._redact(task_id))
        except MustRestart:
            return _answer(503, "not now")
        return _answer(200, "success")

    def _may_call(self, reference: str, caller: str) -> bool:
        """Limit callers, those first who know nothing: nobody can use up what is kept for the addresses of orders."""
        now = self._monotonic()
        if self._is_ours(reference) and self._order.admits(reference, now):
            return True
        return self._each.admits(caller, now) and self._all.admits("", now)

    def _verdict(self, request: web.Request, task_id: str | None) -> Verdict:
        if self._key is None:
            return Verdict.GENUINE
        return verify(self._key, task_id, request.headers, self._clock() / 1000)

    def _refused(self, verdict: Verdict) -> web.Response:
        status, why = REFUSALS[verdict]
        if self._complaints.admits(verdict, self._monotonic()):
            log.warning("a callback was refused: %s", why)
        return _answer(status, verdict)


def _answer(status: int, text: str) -> web.Response:
    return web.json_response({"code": status, "msg": text}, status=status)
