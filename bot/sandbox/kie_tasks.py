"""A task of the local Kie: its life by the clock, and the record it shows.

Nothing here waits: a task's state follows from the time, from its outcome
and from whether its pictures have been looked at, so a test that turns the
clock turns the task.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.kie_orders import Order, Vintage


@dataclass(frozen=True)
class Outcome:
    """How a task ends; one that does not end shows `state` for ever."""

    state: str = "success"
    ends: bool = True
    #: whether a success names its picture
    with_url: bool = True
    #: the only result of a success, in place of its resultJson: Kie as it has not been seen
    says: str | None = None
    fail_code: str | None = None
    fail_msg: str | None = None
    #: whether a failure gives the credits back
    refunded: bool = True
    #: what the record shows once the task has ended, in the place of what is true
    shows: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.state == "fail"


SUCCESS = Outcome()
SUCCESS_WITHOUT_URL = Outcome(with_url=False)
STUCK = Outcome(state="waiting", ends=False)
UNKNOWN_STATUS = Outcome(state="reviewing", ends=False)


def fail(text: str, code: str = "500", *, refunded: bool = True) -> Outcome:
    """A failure with Kie's text; its code tells nothing (500 and 422 carry refusals and outages alike)."""
    return Outcome(state="fail", fail_code=code, fail_msg=text, refunded=refunded)


@dataclass
class Task:
    """One accepted create request; times are seconds of the server's clock."""

    id: str
    order: Order
    #: the whole request as Kie echoes it, a JSON text
    param: str
    price: float
    created_at: float
    due_at: float
    outcome: Outcome
    clock: Callable[[], float]
    result_url: str
    #: how many looks still find nothing
    hidden_looks: int = 0
    #: the pictures that were fetched, in the order of the request
    inputs: list[bytes] = field(default_factory=list)
    result: bytes = b""
    #: when the pictures had been fetched and edited, or found unusable
    prepared_at: float | None = None

    @property
    def prompt(self) -> str:
        return self.order.prompt

    @property
    def image_urls(self) -> tuple[str, ...]:
        return self.order.image_urls

    @property
    def call_back_url(self) -> str | None:
        return self.order.call_back_url

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
    def charge(self) -> float:
        """Credits it costs by now: held from the start, given back when a failure is refunded."""
        returned = self.finished_at is not None and self.outcome.failed and self.outcome.refunded
        return 0.0 if returned else self.price

    @property
    def result_urls(self) -> list[str]:
        return [self.result_url] if self.state == "success" and self.outcome.with_url else []


def param(order: Order, vintage: Vintage, *, with_callback: bool = True) -> str:
    """The echo of a request: `input` is an object in 2025 and itself a JSON text in 2026."""
    callback = {"callBackUrl": order.call_back_url} if order.call_back_url and with_callback else {}
    if vintage == 2025:
        return _compact({"model": order.model, **callback, "input": order.input})
    return _compact({"input": _compact(order.input), **callback, "model": order.model})


def record(task: Task, vintage: Vintage) -> dict[str, Any]:
    """The `data` of a recordInfo in the wire's order; `costTime` is whole seconds, other times are ms."""
    success = {"resultUrls": task.result_urls} if task.state == "success" else None
    says = task.outcome.says if success else None
    result_json = _compact(success) if success else ""
    data: dict[str, Any] = {
        "taskId": task.id,
        "model": task.order.model,
        "state": task.state,
        "param": task.param,
        "resultJson": result_json if says is None else says,
        **_ending(task),
        "createTime": _ms(task.created_at),
    }
    if vintage == 2026:
        data |= _later_fields(task, success if says is None else None)
    return data if task.finished_at is None else data | dict(task.outcome.shows)


def _ending(task: Task) -> dict[str, Any]:
    ended = task.finished_at
    return {
        "failCode": task.outcome.fail_code if ended is not None else None,
        "failMsg": task.outcome.fail_msg if ended is not None else None,
        "costTime": None if ended is None else (_ms(ended) - _ms(task.created_at)) // 1000,
        "completeTime": None if ended is None else _ms(ended),
    }


def _later_fields(task: Task, success: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "creditsConsumed": task.charge,
        "operationType": task.order.model,
        **({"response": success} if success else {}),
        # 3 for a failure is an inference from Kie's other products; never recorded for this one.
        "successFlag": {"success": 1, "fail": 3}.get(task.state, 0),
        "paramJson": task.param,
    }


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
