"""How the local Kie calls back: when a task has ended, to the address that its order named, until that answers well.

Which callbacks are due follows from the clock, so nothing waits here. How
often Kie repeats one, and after how long, is documented for its sister products
only (three times); the pauses are this server's own.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from bot.sandbox.kie_inputs import is_loopback
from bot.sandbox.kie_tasks import Task, record

#: by the month from which it was documented
Shape = Literal["2025-09", "2025-11", "2026-08"]

#: seconds after which a callback that was not answered well is repeated
REPEAT_AFTER = (1.0, 3.0, 9.0)
#: seconds that an answer may take
ANSWER_SECONDS = 15.0

DONE = "Playground task completed successfully."
FAILED = "Playground task failed."

# What the record of a task shows and its callback does not, at any time.
_OF_THE_RECORD_ONLY = ("operationType", "successFlag", "paramJson", "response")


@dataclass(frozen=True)
class Calling:
    """How the callbacks about tasks that end from here on are sent."""

    shape: Shape = "2026-08"
    #: how many at the same time
    copies: int = 1
    #: seconds after the end of the task
    delay: float = 0.0
    #: whether none is sent at all
    lost: bool = False


@dataclass
class Callback:
    """One callback on its way."""

    task_id: str
    url: str
    body: dict[str, Any]
    due_at: float
    #: the HTTP status of each answer, 0 where there was none
    statuses: list[int] = field(default_factory=list)
    is_under_way: bool = False

    @property
    def is_over(self) -> bool:
        arrived = bool(self.statuses) and 200 <= self.statuses[-1] < 300
        return arrived or len(self.statuses) > len(REPEAT_AFTER)


class Callbacks:
    """The callbacks of one account; signed if there is a key."""

    def __init__(self, clock: Callable[[], float], key: str | None) -> None:
        self._clock = clock
        self._key = key
        self._planned: set[str] = set()
        self.calling = Calling()
        self.all: list[Callback] = []

    def plan(self, tasks: Iterable[Task]) -> bool:
        """Plan the callbacks of the tasks that have ended; whether there were any such."""
        ended = [task for task in tasks if self._is_overlooked(task)]
        for task in ended:
            self._planned.add(task.id)
            self._plan(task)
        return bool(ended)

    def take_due(self) -> list[Callback]:
        """The callbacks to send now; they count as under way until they are `answered`."""
        due = [each for each in self._waiting() if each.due_at <= self._clock()]
        for callback in due:
            callback.is_under_way = True
        return due

    def answered(self, callback: Callback, status: int) -> None:
        """Note how it was answered; it is repeated later if that was not well."""
        callback.is_under_way = False
        callback.statuses.append(status)
        if not callback.is_over:
            callback.due_at = self._clock() + REPEAT_AFTER[len(callback.statuses) - 1]

    def headers(self, body: object, key: str | None = None) -> dict[str, str]:
        """The signature that belongs to a body sent now, by the account's key or another one; none without a key."""
        used = key or self._key
        data = body.get("data") if isinstance(body, dict) else None
        if used is None or not isinstance(data, dict):
            return {}
        timestamp = f"{int(self._clock())}"
        return {"X-Webhook-Timestamp": timestamp, "X-Webhook-Signature": sign(used, f"{data.get('taskId')}", timestamp)}

    def moments_ahead(self) -> list[float]:
        """Seconds until callbacks become due."""
        ahead = (each.due_at - self._clock() for each in self._waiting())
        return [seconds for seconds in ahead if seconds > 0]

    def are_quiet(self, tasks: Iterable[Task]) -> bool:
        """Whether everything that is due by now was sent and answered."""
        overlooked = any(self._is_overlooked(task) for task in tasks)
        due = any(each.is_under_way or each.due_at <= self._clock() for each in self.all if not each.is_over)
        return not overlooked and not due

    def _waiting(self) -> list[Callback]:
        return [each for each in self.all if not each.is_under_way and not each.is_over]

    def _is_overlooked(self, task: Task) -> bool:
        return bool(task.call_back_url) and task.finished_at is not None and task.id not in self._planned

    def _plan(self, task: Task) -> None:
        if not self.calling.lost:
            url, due_at = task.call_back_url or "", (task.finished_at or 0.0) + self.calling.delay
            body = payload(task, self.calling.shape)
            self.all += [Callback(task.id, url, body, due_at) for _ in range(self.calling.copies)]


def payload(task: Task, shape: Shape = "2026-08") -> dict[str, Any]:
    """What is posted about a task that has ended: code 501 for a failure, where its record has 200."""
    shown = record(task, 2026)
    data = {name: value for name, value in shown.items() if name not in _OF_THE_RECORD_ONLY}
    credits_used = data.pop("creditsConsumed")
    data["resultJson"] = _result(task, shape)
    failed = task.outcome.failed
    match shape:
        case "2025-09":
            data |= {"consumeCredits": int(credits_used), "remainedCredits": 2510330}
            data |= {"updateTime": data["completeTime"]}
            for name in ("resultJson",) if failed else ("failCode", "failMsg"):
                del data[name]
        case "2026-08":
            data |= {"creditsConsumed": credits_used}
    return {"code": 501 if failed else 200, "msg": FAILED if failed else DONE, "data": data}


def _result(task: Task, shape: Shape) -> str | None:
    if task.outcome.failed:
        return None
    further = {"resultObject": None} if shape == "2026-08" else {}
    return json.dumps({"resultUrls": task.result_urls, **further}, separators=(",", ":"))


async def post(session: aiohttp.ClientSession, url: str, body: object, headers: Mapping[str, str]) -> int:
    """Post a callback to this machine; the status of the answer, 0 if there is none."""
    if not is_loopback(url):
        return 0
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with session.post(url, data=content, headers=sent, timeout=timeout, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


def sign(key: str, task_id: str, timestamp: str) -> str:
    """The signature of a callback: of the task's id and the second, not of the body."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
