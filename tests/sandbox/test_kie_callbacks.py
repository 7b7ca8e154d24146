"""The local Kie calls back as the real one is documented to, and as badly as it may."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie import LocalKie
from bot.sandbox.kie_callbacks import Calling, Shape, sign
from bot.sandbox.kie_tasks import SUCCESS, Outcome, fail
from tests.sandbox.kie_asking import KEY, Asking, Clock

SECRET = "obviously-" + "fake"


@dataclass
class Receiver:
    """Where callbacks go; answers with the statuses that wait, else with 200."""

    url: str = ""
    got: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/back", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/back"
    yield receiver
    await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def asking(clock: Clock) -> AsyncIterator[Asking]:
    kie = LocalKie(key=KEY, clock=clock, duration=lambda: 10.0, webhook_key=SECRET)
    await kie.start()
    async with aiohttp.ClientSession() as session:
        yield Asking(kie, session)
    await kie.stop()


async def _ended(asking: Asking, clock: Clock, url: str, outcome: Outcome = SUCCESS) -> str:
    """Order a task, let it end, and return its id."""
    asking.kie.script(outcome)
    task_id = await asking.ordered(callback=url)
    await asking.prepared(task_id)
    clock.now += 10
    await asking.kie.calls_back()
    return task_id


async def test_the_end_of_a_task_is_called_out_once_and_not_before(
    asking: Asking, clock: Clock, receiver: Receiver
) -> None:
    task_id = await asking.ordered(callback=receiver.url)
    await asking.prepared(task_id)
    clock.now += 9
    await asking.kie.calls_back()
    assert receiver.got == []
    clock.now += 1
    await asking.kie.calls_back()
    clock.now += 100
    await asking.kie.calls_back()
    [(_, body)] = receiver.got
    assert (body["code"], body["data"]["taskId"], body["data"]["state"]) == (200, task_id, "success")
    assert json.loads(body["data"]["resultJson"])["resultUrls"] == [asking.kie.tasks[task_id].result_url]


async def test_by_the_real_clock_nobody_has_to_turn_it(receiver: Receiver) -> None:
    kie = LocalKie(key=KEY, duration=lambda: 0.05)
    await kie.start()
    async with aiohttp.ClientSession() as session:
        await Asking(kie, session).ordered(callback=receiver.url)
        await kie.wait_for(lambda: receiver.got)
    await kie.stop()
    assert "X-Webhook-Signature" not in receiver.got[0][0]


LATER = ["taskId", "model", "state", "param", "resultJson", "failCode", "failMsg", "costTime", "completeTime"]


@pytest.mark.parametrize(
    ("shape", "more", "fewer"),
    [
        ("2025-09", {"consumeCredits", "remainedCredits", "updateTime"}, {"failCode", "failMsg"}),
        ("2025-11", set(), set()),
        ("2026-08", {"creditsConsumed"}, set()),
    ],
)
async def test_a_success_has_the_fields_of_its_vintage(
    asking: Asking, clock: Clock, receiver: Receiver, shape: Shape, more: set[str], fewer: set[str]
) -> None:
    asking.kie.callbacks.calling = Calling(shape=shape)
    await _ended(asking, clock, receiver.url)
    [(_, body)] = receiver.got
    assert set(body["data"]) == {*LATER, "createTime"} - fewer | more
    assert ("resultObject" in json.loads(body["data"]["resultJson"])) == (shape == "2026-08")


@pytest.mark.parametrize(("shape", "has_result"), [("2025-09", False), ("2025-11", True), ("2026-08", True)])
async def test_a_failure_has_code_501(
    asking: Asking, clock: Clock, receiver: Receiver, shape: Shape, has_result: bool
) -> None:
    asking.kie.callbacks.calling = Calling(shape=shape)
    await _ended(asking, clock, receiver.url, fail("Internal server error"))
    [(_, body)] = receiver.got
    assert (body["code"], body["msg"]) == (501, "Playground task failed.")
    assert (body["data"]["state"], body["data"]["failMsg"]) == ("fail", "Internal server error")
    assert ("resultJson" in body["data"]) == has_result


async def test_with_a_key_the_task_and_the_second_are_signed(asking: Asking, clock: Clock, receiver: Receiver) -> None:
    task_id = await _ended(asking, clock, receiver.url)
    [(headers, _)] = receiver.got
    assert headers["X-Webhook-Timestamp"] == str(int(clock.now))
    assert headers["X-Webhook-Signature"] == sign(SECRET, task_id, str(int(clock.now)))
    assert sign("k", "abc", "1700000000") == "kwdpjfCWUgJniXimyJkbf36PsL2GgP6FLCsP6WK+dXg="


async def test_what_is_not_taken_is_repeated_three_times_and_no_more(
    asking: Asking, clock: Clock, receiver: Receiver
) -> None:
    receiver.statuses = [502, 404, 500, 302, 500]
    await _ended(asking, clock, receiver.url)
    for _ in range(100):
        clock.now += 1
        await asking.kie.calls_back()
    assert len(receiver.got) == 4


async def test_what_is_taken_at_the_second_try_is_not_repeated(
    asking: Asking, clock: Clock, receiver: Receiver
) -> None:
    receiver.statuses = [502]
    await _ended(asking, clock, receiver.url)
    for _ in range(20):
        clock.now += 1
        await asking.kie.calls_back()
    [callback] = asking.kie.callbacks.all
    assert callback.statuses == [502, 200]


async def test_nobody_there_is_repeated_as_well(asking: Asking, clock: Clock) -> None:
    await _ended(asking, clock, "http://127.0.0.1:9/back")
    assert asking.kie.callbacks.all[0].statuses == [0]
    assert not asking.kie.callbacks.all[0].is_over


async def test_callbacks_can_be_doubled_delayed_and_lost(asking: Asking, clock: Clock, receiver: Receiver) -> None:
    asking.kie.callbacks.calling = Calling(copies=3)
    await _ended(asking, clock, receiver.url)
    assert len(receiver.got) == 3
    asking.kie.callbacks.calling = Calling(delay=5)
    await _ended(asking, clock, receiver.url)
    assert len(receiver.got) == 3
    clock.now += 5
    await asking.kie.calls_back()
    assert len(receiver.got) == 4
    asking.kie.callbacks.calling = Calling(lost=True)
    await _ended(asking, clock, receiver.url)
    assert len(receiver.got) == 4


async def test_a_callback_can_come_before_the_order_is_answered(
    asking: Asking, clock: Clock, receiver: Receiver
) -> None:
    held = Fault(Kind.HELD)
    asking.kie.faults.add("createTask", held)
    ordering = asyncio.create_task(asking.ordered(callback=receiver.url))
    await asking.kie.wait_for(lambda: all(each.prepared_at for each in asking.kie.tasks.values()) and asking.kie.tasks)
    clock.now += 10
    await asking.kie.calls_back()
    assert len(receiver.got) == 1
    assert not ordering.done()
    held.gate.set()
    assert await ordering == receiver.got[0][1]["data"]["taskId"]


async def test_a_callback_can_be_forged(asking: Asking, receiver: Receiver) -> None:
    body = {"data": {"taskId": "made-up"}}
    assert await asking.kie.call(receiver.url, body, key="another") == 200
    headers, got = receiver.got[0]
    assert got == body
    assert headers["X-Webhook-Signature"] == sign("another", "made-up", headers["X-Webhook-Timestamp"])


async def test_nobody_beyond_this_machine_is_called(asking: Asking) -> None:
    assert await asking.kie.call("http://192.0.2.1/back", {}) == 0
