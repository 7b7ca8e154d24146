"""The local Kie's callbacks, as documented, and with everything that may go wrong."""

import asyncio
import json

import aiohttp
import pytest

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.callbacks import CallbackOptions, CallbackShape, sign_callback
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.kie.tasks import SUCCESS, ScriptedOutcome, failure
from tests.sandbox.http_receiver import HttpReceiver
from tests.sandbox.kie.api_client import KEY, WEBHOOK_KEY, KieApiClient, SandboxManualClock


async def _finish_task(
    kie_client: KieApiClient, clock: SandboxManualClock, url: str, outcome: ScriptedOutcome = SUCCESS
) -> str:
    """Create a task, let it end, and return its id."""
    kie_client.kie.script_outcomes(outcome)
    task_id = await kie_client.create_task_id(callback=url)
    await kie_client.wait_until_prepared(task_id)
    clock.now += 10
    await kie_client.kie.wait_for_callbacks()
    return task_id


async def test_the_end_of_a_task_is_called_out_once_and_not_before(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock, receiver: HttpReceiver
) -> None:
    task_id = await kie_client.create_task_id(callback=receiver.url)
    await kie_client.wait_until_prepared(task_id)
    clock.now += 9
    await kie.wait_for_callbacks()
    assert receiver.received == []
    clock.now += 1
    await kie.wait_for_callbacks()
    clock.now += 100
    await kie.wait_for_callbacks()
    [(_, body)] = receiver.received
    assert (body["code"], body["data"]["taskId"], body["data"]["state"]) == (200, task_id, "success")
    assert json.loads(body["data"]["resultJson"])["resultUrls"] == [kie.tasks[task_id].result_url]


async def test_by_the_real_clock_nobody_has_to_turn_it(receiver: HttpReceiver) -> None:
    kie = LocalKie(key=KEY, duration=lambda: 0.05)
    await kie.start()
    async with aiohttp.ClientSession() as session:
        await KieApiClient(kie, session).create_task_id(callback=receiver.url)
        await kie.wait_for(lambda: receiver.received)
    await kie.stop()
    assert "X-Webhook-Signature" not in receiver.received[0][0]


FIELDS_OF_2026 = ["taskId", "model", "state", "param", "resultJson", "failCode", "failMsg", "costTime", "completeTime"]


@pytest.mark.parametrize(
    ("shape", "more", "fewer"),
    [
        ("2025-09", {"consumeCredits", "remainedCredits", "updateTime"}, {"failCode", "failMsg"}),
        ("2025-11", set(), set()),
        ("2026-08", {"creditsConsumed"}, set()),
    ],
)
async def test_a_success_has_the_fields_of_its_api_year(
    kie: LocalKie,
    kie_client: KieApiClient,
    clock: SandboxManualClock,
    receiver: HttpReceiver,
    shape: CallbackShape,
    more: set[str],
    fewer: set[str],
) -> None:
    kie.callbacks.options = CallbackOptions(shape=shape)
    await _finish_task(kie_client, clock, receiver.url)
    [(_, body)] = receiver.received
    assert set(body["data"]) == {*FIELDS_OF_2026, "createTime"} - fewer | more
    assert ("resultObject" in json.loads(body["data"]["resultJson"])) == (shape == "2026-08")


@pytest.mark.parametrize(("shape", "has_result"), [("2025-09", False), ("2025-11", True), ("2026-08", True)])
async def test_a_failure_has_code_501(
    kie: LocalKie,
    kie_client: KieApiClient,
    clock: SandboxManualClock,
    receiver: HttpReceiver,
    shape: CallbackShape,
    has_result: bool,
) -> None:
    kie.callbacks.options = CallbackOptions(shape=shape)
    await _finish_task(kie_client, clock, receiver.url, failure("Internal server error"))
    [(_, body)] = receiver.received
    assert (body["code"], body["msg"]) == (501, "Playground task failed.")
    assert (body["data"]["state"], body["data"]["failMsg"]) == ("fail", "Internal server error")
    assert ("resultJson" in body["data"]) == has_result


async def test_with_a_key_the_task_and_the_second_are_signed(
    kie_client: KieApiClient, clock: SandboxManualClock, receiver: HttpReceiver
) -> None:
    task_id = await _finish_task(kie_client, clock, receiver.url)
    [(headers, _)] = receiver.received
    assert headers["X-Webhook-Timestamp"] == str(int(clock.now))
    assert headers["X-Webhook-Signature"] == sign_callback(WEBHOOK_KEY, task_id, str(int(clock.now)))
    assert sign_callback("k", "abc", "1700000000") == "kwdpjfCWUgJniXimyJkbf36PsL2GgP6FLCsP6WK+dXg="


async def test_what_is_not_taken_is_repeated_three_times_and_no_more(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock, receiver: HttpReceiver
) -> None:
    receiver.statuses = [502, 404, 500, 302, 500]
    await _finish_task(kie_client, clock, receiver.url)
    for _ in range(100):
        clock.now += 1
        await kie.wait_for_callbacks()
    assert len(receiver.received) == 4


async def test_what_is_taken_at_the_second_try_is_not_repeated(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock, receiver: HttpReceiver
) -> None:
    receiver.statuses = [502]
    await _finish_task(kie_client, clock, receiver.url)
    for _ in range(20):
        clock.now += 1
        await kie.wait_for_callbacks()
    [callback] = kie.callbacks.all
    assert callback.statuses == [502, 200]


async def test_nobody_there_is_repeated_as_well(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    await _finish_task(kie_client, clock, "http://127.0.0.1:9/back")
    assert kie.callbacks.all[0].statuses == [0]
    assert not kie.callbacks.all[0].is_finished


async def test_callbacks_can_be_doubled_delayed_and_lost(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock, receiver: HttpReceiver
) -> None:
    kie.callbacks.options = CallbackOptions(copies=3)
    await _finish_task(kie_client, clock, receiver.url)
    assert len(receiver.received) == 3
    kie.callbacks.options = CallbackOptions(delay=5)
    await _finish_task(kie_client, clock, receiver.url)
    assert len(receiver.received) == 3
    clock.now += 5
    await kie.wait_for_callbacks()
    assert len(receiver.received) == 4
    kie.callbacks.options = CallbackOptions(lost=True)
    await _finish_task(kie_client, clock, receiver.url)
    assert len(receiver.received) == 4


async def test_a_callback_can_come_before_the_order_is_answered(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock, receiver: HttpReceiver
) -> None:
    held = Fault(FaultKind.HOLD_RESPONSE)
    kie.faults.add("createTask", held)
    ordering = asyncio.create_task(kie_client.create_task_id(callback=receiver.url))
    await kie.wait_for(lambda: all(each.prepared_at for each in kie.tasks.values()) and kie.tasks)
    clock.now += 10
    await kie.wait_for_callbacks()
    assert len(receiver.received) == 1
    assert not ordering.done()
    held.release.set()
    assert await ordering == receiver.received[0][1]["data"]["taskId"]


async def test_a_callback_can_be_forged(kie: LocalKie, receiver: HttpReceiver) -> None:
    body = {"data": {"taskId": "made-up"}}
    assert await kie.send_callback(receiver.url, body, key="another") == 200
    headers, got = receiver.received[0]
    assert got == body
    assert headers["X-Webhook-Signature"] == sign_callback("another", "made-up", headers["X-Webhook-Timestamp"])


async def test_nobody_beyond_this_machine_is_called(kie: LocalKie) -> None:
    assert await kie.send_callback("http://192.0.2.1/back", {}) == 0
