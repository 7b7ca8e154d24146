"""The local Kie's tasks: states, scripted outcomes, durations, and the record of recordInfo.

A task's state follows from the clock, its outcome, and whether its images were
fetched, so a manual clock controls it.
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
    """How a task ends; one that does not end keeps `state` for ever."""

    state: str = "success"
    ends: bool = True
    #: whether a success has a result URL
    with_url: bool = True
    #: replaces the resultJson of a success, for responses that were never recorded
    raw_result_json: str | None = None
    fail_code: str | None = None
    fail_msg: str | None = None
    #: whether a failure gives the credits back
    refunded: bool = True
    #: replaces fields of the record once the task has ended
    record_overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_failure(self) -> bool:
        return self.state == "fail"


SUCCESS = ScriptedOutcome()
SUCCESS_WITHOUT_URL = ScriptedOutcome(with_url=False)
STUCK = ScriptedOutcome(state="waiting", ends=False)
UNKNOWN_STATUS = ScriptedOutcome(state="reviewing", ends=False)


def failure(text: str, code: str = "500", *, refunded: bool = True) -> ScriptedOutcome:
    """Return a failure with Kie's message; 500 and 422 occur for refusals and outages alike."""
    return ScriptedOutcome(state="fail", fail_code=code, fail_msg=text, refunded=refunded)


@dataclass
class LocalKieTask:
    """A task; times are seconds of the server's clock."""

    id: str
    request: CreateTaskRequest
    #: the request as Kie echoes it, a JSON text
    param: str
    price: float
    created_at: float
    due_at: float
    outcome: ScriptedOutcome
    clock: Callable[[], float]
    result_url: str
    #: how many polls are still answered with "recordInfo is null"
    hidden_polls: int = 0
    #: the fetched images, in the order of the request
    inputs: list[bytes] = field(default_factory=list)
    result: bytes = b""
    #: when the images were fetched and edited, or found unusable
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
        """Kie's state: waiting for the first half of the duration, then generating, then the outcome's."""
        if self.finished_at is not None or not self.outcome.ends:
            return self.outcome.state
        return "waiting" if self.clock() < self.half_at else "generating"

    @property
    def credits_charged(self) -> float:
        """The task's price, held from its creation, or 0 after a refunded failure."""
        returned = self.finished_at is not None and self.outcome.is_failure and self.outcome.refunded
        return 0.0 if returned else self.price

    @property
    def result_urls(self) -> list[str]:
        return [self.result_url] if self.state == "success" and self.outcome.with_url else []


def echoed_param(request: CreateTaskRequest, api_year: ApiYear, *, with_callback: bool = True) -> str:
    """Return the echo of a request: `input` is an object in 2025 and a JSON text in 2026."""
    callback = {"callBackUrl": request.call_back_url} if request.call_back_url and with_callback else {}
    if api_year == 2025:
        return _compact_json({"model": request.model, **callback, "input": request.input})
    return _compact_json({"input": _compact_json(request.input), **callback, "model": request.model})


def task_record(task: LocalKieTask, api_year: ApiYear) -> dict[str, Any]:
    """Return the `data` of a recordInfo; `costTime` is in whole seconds, other times are in milliseconds."""
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
        # 3 for a failure is inferred from Kie's other products; it was never recorded for this one
        "successFlag": {"success": 1, "fail": 3}.get(task.state, 0),
        "paramJson": task.param,
    }


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


#: the median duration of real tasks, in seconds
MEDIAN_SECONDS = 10.0
SIGMA = 0.5
#: one in ten tasks takes about a minute
SLOW_SHARE, SLOW_MEDIAN, SLOW_SIGMA = 0.1, 60.0, 0.8
#: the longest recorded duration of a success, in seconds (September 2025)
LONGEST_SECONDS = 333.0


class TaskDurations:
    """Returns a duration in seconds per call, from a log-normal distribution with a heavy tail.

    `scale` may be changed at any time: 1 is as slow as the real service, 0 is
    immediate. The same `seed` gives the same durations.
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
        """Set the scale; raises `ValueError` for a negative one or NaN."""
        if not 0 <= scale < math.inf:
            raise ValueError(f"the scale must be 0 or more, not {scale}")
        self._scale = scale


def longest_duration(median: float) -> float:
    """Return the longest duration of a task, in seconds, for this median."""
    return median / MEDIAN_SECONDS * LONGEST_SECONDS
