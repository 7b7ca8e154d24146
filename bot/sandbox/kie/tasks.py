"""A task of the local Kie: its life by the clock, and the record it shows.

Nothing here waits: a task's state follows from the time, from its outcome
and from whether its pictures have been looked at, so a test that turns the
clock turns the task.
"""

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.kie.create_task import ApiYear, CreateTaskRequest


@dataclass(frozen=True)
class ScriptedOutcome:
    """How a task ends; one that does not end shows `state` for ever."""

    state: str = "success"
    ends: bool = True
    #: whether a success names its picture
    with_url: bool = True
    #: the only result of a success, in place of its resultJson: Kie as it has not been seen
    raw_result_json: str | None = None
    fail_code: str | None = None
    fail_msg: str | None = None
    #: whether a failure gives the credits back
    refunded: bool = True
    #: what the record shows once the task has ended, in the place of what is true
    record_overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_failure(self) -> bool:
        return self.state == "fail"


SUCCESS = ScriptedOutcome()
SUCCESS_WITHOUT_URL = ScriptedOutcome(with_url=False)
STUCK = ScriptedOutcome(state="waiting", ends=False)
UNKNOWN_STATUS = ScriptedOutcome(state="reviewing", ends=False)


def failure(text: str, code: str = "500", *, refunded: bool = True) -> ScriptedOutcome:
    """A failure with Kie's text; its code tells nothing (500 and 422 carry refusals and outages alike)."""
    return ScriptedOutcome(state="fail", fail_code=code, fail_msg=text, refunded=refunded)


@dataclass
class LocalKieTask:
    """One accepted create request; times are seconds of the server's clock."""

    id: str
    request: CreateTaskRequest
    #: the whole request as Kie echoes it, a JSON text
    param: str
    price: float
    created_at: float
    due_at: float
    outcome: ScriptedOutcome
    clock: Callable[[], float]
    result_url: str
    #: how many looks still find nothing
    hidden_polls: int = 0
    #: the pictures that were fetched, in the order of the request
    inputs: list[bytes] = field(default_factory=list)
    result: bytes = b""
    #: when the pictures had been fetched and edited, or found unusable
    prepared_at: float | None = None

    @property
    def prompt(self) -> str:
        return self.request.prompt

    @property
    def image_urls(self) -> tuple[str, ...]:
        return self.request.image_urls

    @property
    def call_back_url(self) -> str | None:
        return self.request.call_back_url

    @property
    def half_at(self) -> float:
        return (self.created_at + self.due_at) / 2

    @property
    def finished_at(self) -> float | None:
        if self.prepared_at is None or not self.outcome.ends or self.clock() < self.due_at:
            return None
        return max(self.due_at, self.prepared_at)

    @property
    def state(self) -> str:
        """Kie's word for it: waiting for the first half, then generating, then the outcome's."""
        if self.finished_at is not None or not self.outcome.ends:
            return self.outcome.state
        return "waiting" if self.clock() < self.half_at else "generating"

    @property
    def credits_charged(self) -> float:
        """Credits it costs by now: held from the start, given back when a failure is refunded."""
        returned = self.finished_at is not None and self.outcome.is_failure and self.outcome.refunded
        return 0.0 if returned else self.price

    @property
    def result_urls(self) -> list[str]:
        return [self.result_url] if self.state == "success" and self.outcome.with_url else []


def echoed_param(request: CreateTaskRequest, api_year: ApiYear, *, with_callback: bool = True) -> str:
    """The echo of a request: `input` is an object in 2025 and itself a JSON text in 2026."""
    callback = {"callBackUrl": request.call_back_url} if request.call_back_url and with_callback else {}
    if api_year == 2025:
        return _compact_json({"model": request.model, **callback, "input": request.input})
    return _compact_json({"input": _compact_json(request.input), **callback, "model": request.model})


def task_record(task: LocalKieTask, api_year: ApiYear) -> dict[str, Any]:
    """The `data` of a recordInfo in the wire's order; `costTime` is whole seconds, other times are ms."""
    success = {"resultUrls": task.result_urls} if task.state == "success" else None
    raw_result = task.outcome.raw_result_json if success else None
    result_json = _compact_json(success) if success else ""
    data: dict[str, Any] = {
        "taskId": task.id,
        "model": task.request.model,
        "state": task.state,
        "param": task.param,
        "resultJson": result_json if raw_result is None else raw_result,
        **_ending_fields(task),
        "createTime": _ms(task.created_at),
    }
    if api_year == 2026:
        data |= _fields_since_2026(task, success if raw_result is None else None)
    return data if task.finished_at is None else data | dict(task.outcome.record_overrides)


def _ending_fields(task: LocalKieTask) -> dict[str, Any]:
    ended = task.finished_at
    return {
        "failCode": task.outcome.fail_code if ended is not None else None,
        "failMsg": task.outcome.fail_msg if ended is not None else None,
        "costTime": None if ended is None else (_ms(ended) - _ms(task.created_at)) // 1000,
        "completeTime": None if ended is None else _ms(ended),
    }


def _fields_since_2026(task: LocalKieTask, success: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "creditsConsumed": task.credits_charged,
        "operationType": task.request.model,
        **({"response": success} if success else {}),
        # 3 for a failure is an inference from Kie's other products; never recorded for this one.
        "successFlag": {"success": 1, "fail": 3}.get(task.state, 0),
        "paramJson": task.param,
    }


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


#: seconds; half of the real tasks take less
MEDIAN_SECONDS = 10.0
SIGMA = 0.5
#: one in ten waits behind something, for about a minute
SLOW_SHARE, SLOW_MEDIAN, SLOW_SIGMA = 0.1, 60.0, 0.8
#: seconds; no recorded task that succeeded took longer (September 2025)
LONGEST_SECONDS = 333.0


class TaskDurations:
    """A log-normal core with a heavy tail, in seconds; call it for the next one.

    `scale` may be changed at any time and counts for tasks ordered from then
    on: 1 is as slow as the real service, 0 is at once. The same `seed` gives
    the same durations.
    """

    def __init__(self, scale: float = 1.0, seed: int | None = None) -> None:
        self.scale = scale
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it

    def __call__(self) -> float:
        slow = self._random.random() < SLOW_SHARE
        median, sigma = (SLOW_MEDIAN, SLOW_SIGMA) if slow else (MEDIAN_SECONDS, SIGMA)
        return self.scale * min(LONGEST_SECONDS, self._random.lognormvariate(math.log(median), sigma))

    @property
    def scale(self) -> float:
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        """Take another scale; raises `ValueError` for one that is negative or no number."""
        if not 0 <= scale < math.inf:
            raise ValueError(f"a scale is a number from 0 on, not {scale}")
        self._scale = scale


def longest_duration(median: float) -> float:
    """No task takes longer, in seconds, where half of them take less than `median`."""
    return median / MEDIAN_SECONDS * LONGEST_SECONDS
