"""The local Kie's callbacks: their bodies, signatures and retries.

The queue follows the clock and does not wait. Kie documents three retries, for its
sister products only; the delays are this server's own.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from bot.sandbox.kie.image_fetch import is_loopback
from bot.sandbox.kie.tasks import LocalKieTask, task_record

#: the format of callbacks, by the month in which it was first documented
CallbackShape = Literal["2025-09", "2025-11", "2026-08"]

#: seconds before each retry of a callback that was not answered with 2xx
RETRY_DELAYS = (1.0, 3.0, 9.0)
ANSWER_TIMEOUT_SECONDS = 15.0

SUCCESS_MESSAGE = "Playground task completed successfully."
FAILURE_MESSAGE = "Playground task failed."

#: fields of a task's record that its callback does not have
_RECORD_ONLY_FIELDS = ("operationType", "successFlag", "paramJson", "response")


@dataclass(frozen=True)
class CallbackOptions:
    """How callbacks about tasks that end from now on are sent."""

    shape: CallbackShape = "2026-08"
    #: how many are sent at the same time
    copies: int = 1
    #: seconds after the end of the task
    delay: float = 0.0
    #: whether no callback is sent
    lost: bool = False


@dataclass
class OutgoingCallback:
    """A callback with its deliveries."""

    task_id: str
    url: str
    body: dict[str, Any]
    due_at: float
    #: the HTTP status of each delivery, 0 without a response
    statuses: list[int] = field(default_factory=list)
    is_in_flight: bool = False

    @property
    def is_finished(self) -> bool:
        arrived = bool(self.statuses) and 200 <= self.statuses[-1] < 300
        return arrived or len(self.statuses) > len(RETRY_DELAYS)


class OutgoingCallbackQueue:
    """The callbacks of an account; signed if there is a key."""

    def __init__(self, clock: Callable[[], float], key: str | None) -> None:
        self._clock = clock
        self._key = key
        self._planned: set[str] = set()
        self.options = CallbackOptions()
        self.all: list[OutgoingCallback] = []

    def plan(self, tasks: Iterable[LocalKieTask]) -> bool:
        """Plan the callbacks of tasks that have ended; return whether there were any."""
        ended = [task for task in tasks if self._is_unplanned(task)]
        for task in ended:
            self._planned.add(task.id)
            self._plan_task(task)
        return bool(ended)

    def take_due(self) -> list[OutgoingCallback]:
        """Return the callbacks to send now; they are in flight until `record_answer`."""
        due = [each for each in self._waiting() if each.due_at <= self._clock()]
        for callback in due:
            callback.is_in_flight = True
        return due

    def record_answer(self, callback: OutgoingCallback, status: int) -> None:
        """Record the status of a delivery and schedule a retry unless it was 2xx."""
        callback.is_in_flight = False
        callback.statuses.append(status)
        if not callback.is_finished:
            callback.due_at = self._clock() + RETRY_DELAYS[len(callback.statuses) - 1]

    def signature_headers(self, body: object, key: str | None = None) -> dict[str, str]:
        """Return the signature headers of a body sent now, by the account's key or another one; none without a key."""
        used = key or self._key
        data = body.get("data") if isinstance(body, dict) else None
        if used is None or not isinstance(data, dict):
            return {}
        timestamp = f"{int(self._clock())}"
        return {
            "X-Webhook-Timestamp": timestamp,
            "X-Webhook-Signature": sign_callback(used, f"{data.get('taskId')}", timestamp),
        }

    def seconds_until_due(self) -> list[float]:
        """Return the seconds until each waiting callback is due."""
        ahead = (each.due_at - self._clock() for each in self._waiting())
        return [seconds for seconds in ahead if seconds > 0]

    def is_idle(self, tasks: Iterable[LocalKieTask]) -> bool:
        """Return whether every due callback was sent and answered."""
        overlooked = any(self._is_unplanned(task) for task in tasks)
        due = any(each.is_in_flight or each.due_at <= self._clock() for each in self.all if not each.is_finished)
        return not overlooked and not due

    def _waiting(self) -> list[OutgoingCallback]:
        return [each for each in self.all if not each.is_in_flight and not each.is_finished]

    def _is_unplanned(self, task: LocalKieTask) -> bool:
        return bool(task.call_back_url) and task.finished_at is not None and task.id not in self._planned

    def _plan_task(self, task: LocalKieTask) -> None:
        if not self.options.lost:
            url, due_at = task.call_back_url or "", (task.finished_at or 0.0) + self.options.delay
            body = callback_body(task, self.options.shape)
            self.all += [OutgoingCallback(task.id, url, body, due_at) for _ in range(self.options.copies)]


def callback_body(task: LocalKieTask, shape: CallbackShape = "2026-08") -> dict[str, Any]:
    """Return a finished task's callback body; its code is 501 for a failure, where the record has 200."""
    shown = task_record(task, 2026)
    data = {name: value for name, value in shown.items() if name not in _RECORD_ONLY_FIELDS}
    credits_used = data.pop("creditsConsumed")
    data["resultJson"] = _result_json(task, shape)
    failed = task.outcome.is_failure
    match shape:
        case "2025-09":
            data |= {"consumeCredits": int(credits_used), "remainedCredits": 2510330}
            data |= {"updateTime": data["completeTime"]}
            for name in ("resultJson",) if failed else ("failCode", "failMsg"):
                del data[name]
        case "2026-08":
            data |= {"creditsConsumed": credits_used}
    return {"code": 501 if failed else 200, "msg": FAILURE_MESSAGE if failed else SUCCESS_MESSAGE, "data": data}


def _result_json(task: LocalKieTask, shape: CallbackShape) -> str | None:
    if task.outcome.is_failure:
        return None
    further = {"resultObject": None} if shape == "2026-08" else {}
    return json.dumps({"resultUrls": task.result_urls, **further}, separators=(",", ":"))


async def post_callback(session: aiohttp.ClientSession, url: str, body: object, headers: Mapping[str, str]) -> int:
    """Post a callback to this machine and return the response's status, 0 without one."""
    if not is_loopback(url):
        return 0
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_SECONDS)
    try:
        async with session.post(url, data=content, headers=sent, timeout=timeout, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


def sign_callback(key: str, task_id: str, timestamp: str) -> str:
    """Return a callback's signature, of the task's id and the timestamp in seconds; the body is not signed."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
