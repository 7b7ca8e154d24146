"""The local Kie answers as recorded from the real one, with injected faults."""

import asyncio
import io
import re
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from PIL import Image

from bot.sandbox.fake_edit.render import read_origin
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.local_kie import LocalKie
from tests.sandbox.kie.api_client import KEY, KieApiClient, SandboxManualClock, make_picture


async def test_a_picture_goes_the_whole_way_and_comes_back_edited(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    url = await kie_client.upload_picture(make_picture("red"))
    task_id = await kie_client.create_task_id(url)
    await kie_client.wait_until_prepared(task_id)
    clock.now += 11
    [result] = (await kie_client.get_record(task_id))["data"]["response"]["resultUrls"]
    status, kind, data = await kie_client.fetch(result)
    made_from = read_origin(data)
    assert (status, kind) == (200, "image/png")
    assert made_from is not None
    assert made_from.task_id == task_id
    assert kie.tasks[task_id].inputs == [make_picture("red")]


async def test_a_jpeg_is_given_where_one_was_asked_for(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    task_id = await kie_client.create_task_id(output_format="jpeg")
    await kie_client.wait_until_prepared(task_id)
    clock.now += 11
    _, kind, data = await kie_client.fetch(kie.tasks[task_id].result_url)
    assert kind == "image/jpeg"
    assert data.startswith(b"\xff\xd8")


@pytest.mark.parametrize(("extra", "size"), [({}, (683, 683)), ({"aspect_ratio": "auto"}, (1024, 683))])
async def test_a_ratio_left_out_is_square(
    kie: LocalKie, kie_client: KieApiClient, extra: dict[str, str], size: tuple[int, int]
) -> None:
    url = await kie_client.upload_picture(make_picture(size=(600, 400)))
    task_id = await kie_client.create_task_id(url, **extra)
    await kie_client.wait_until_prepared(task_id)
    assert Image.open(io.BytesIO(kie.tasks[task_id].result)).size == size


async def test_a_created_task_is_named_by_32_hex_digits_twice(kie_client: KieApiClient) -> None:
    answer = await kie_client.create_task(await kie_client.upload_picture())
    assert list(answer) == ["code", "msg", "data"]
    assert re.fullmatch("[0-9a-f]{32}", answer["data"]["taskId"])
    assert answer["data"]["recordId"] == answer["data"]["taskId"]


@pytest.mark.parametrize("http_errors", [False, True])
async def test_a_wrong_key_meets_the_gateway(kie_client: KieApiClient, http_errors: bool) -> None:
    other = LocalKie(key="another", http_errors=http_errors)
    await other.start()
    answer = await KieApiClient(other, kie_client.session).create_task("http://127.0.0.1/cat.jpg")
    await other.stop()
    assert answer["code"] == 401
    assert answer["msg"].startswith("Unauthorized – Authentication failed.")
    assert "data" not in answer
    assert other.calls[0].status == (401 if http_errors else 200)


async def test_only_a_bearer_key_counts(kie: LocalKie, kie_client: KieApiClient) -> None:
    async with kie_client.session.get(kie.url + "/api/v1/chat/credit", headers={"apikey": KEY}) as answer:
        assert (await answer.json())["code"] == 401


async def test_an_unknown_task_has_no_record(kie_client: KieApiClient) -> None:
    expected = {"code": 422, "msg": "recordInfo is null", "data": None}
    assert await kie_client.get_record("0" * 32) == expected


async def test_the_first_looks_can_find_nothing(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.hide_tasks(2)
    task_id = await kie_client.create_task_id()
    codes = [(await kie_client.get_record(task_id))["code"] for _ in range(3)]
    assert codes == [422, 422, 200]


async def test_credits_are_held_at_creation(kie_client: KieApiClient) -> None:
    await kie_client.create_task_id()
    answer = await kie_client.get("/api/v1/chat/credit")
    assert answer == {"code": 200, "msg": "success", "data": 96.0}
    assert isinstance(answer["data"], float)


async def test_without_credit_nothing_is_made(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.add_credits(-97)
    answer = await kie_client.create_task(await kie_client.upload_picture())
    assert answer["code"] == 402
    assert answer["msg"].startswith("Credits insufficient : Your current balance isn’t enough")
    assert kie.tasks == {}


async def test_the_twenty_first_order_in_ten_seconds_is_refused_and_never_queued(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    url = await kie_client.upload_picture()
    answers = [await kie_client.create_task(url) for _ in range(21)]
    assert [answer["code"] for answer in answers] == [200] * 20 + [429]
    assert (len(kie.tasks), kie.refused_by_rate) == (20, 1)
    clock.now += 10
    assert (await kie_client.create_task(url))["code"] == 200
    assert kie.creates_in_window() == 20


async def test_a_scripted_refusal_happens_once(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.refuse_next_create(455, "Service is under maintenance")
    url = await kie_client.upload_picture()
    first, second = await kie_client.create_task(url), await kie_client.create_task(url)
    assert first == {"code": 455, "msg": "Service is under maintenance", "data": None}
    assert second["code"] == 200


async def test_a_body_that_is_no_json_is_refused_in_an_envelope(kie: LocalKie, kie_client: KieApiClient) -> None:
    url = kie.url + "/api/v1/jobs/createTask"
    async with kie_client.session.post(url, data=b"{", headers=kie_client.headers) as response:
        assert (await response.json())["code"] == 500
        assert response.headers["Content-Type"] == "application/json;charset=UTF-8"


async def test_a_download_link_works_for_twenty_minutes(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    task_id = await kie_client.create_task_id()
    await kie_client.wait_until_prepared(task_id)
    clock.now += 11
    body = {"url": kie.tasks[task_id].result_url}
    link = (await kie_client.post("/api/v1/common/download-url", body))["data"]
    assert (await kie_client.fetch(link))[0] == 200
    clock.now += 1201
    assert (await kie_client.fetch(link))[0] == 404


async def test_a_foreign_url_gets_no_download_link(kie_client: KieApiClient) -> None:
    answer = await kie_client.post("/api/v1/common/download-url", {"url": "https://example.com/a.png"})
    assert answer == {"code": 422, "msg": "url is wrong", "data": None}


async def test_no_result_can_be_fetched_before_the_task_is_done_or_long_after(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    task_id = await kie_client.create_task_id()
    await kie_client.wait_until_prepared(task_id)
    url = kie.tasks[task_id].result_url
    early = (await kie_client.fetch(url))[0]
    clock.now += 15 * 24 * 3600
    assert (early, (await kie_client.fetch(url))[0]) == (404, 404)


async def test_every_call_is_remembered_with_what_was_said(kie: LocalKie, kie_client: KieApiClient) -> None:
    await kie_client.create_task_id(callback="http://127.0.0.1/back")
    [call] = kie.calls_named("createTask")
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.body["input"]["prompt"] == "make it snow"
    assert (call.answer["code"], call.status) == (200, 200)
    [task] = kie.tasks.values()
    assert task.call_back_url == "http://127.0.0.1/back"


async def test_waiting_in_vain_says_what_came_instead(kie: LocalKie, kie_client: KieApiClient) -> None:
    await kie_client.get("/api/v1/chat/credit")
    with pytest.raises(TimeoutError, match="latest calls: credit"):
        await kie.wait_for(lambda: False, 0.01)


async def test_waiting_wakes_when_a_task_ends_by_the_real_clock(kie_client: KieApiClient) -> None:
    kie = LocalKie(key=KEY, duration=lambda: 0.3)
    await kie.start()
    here = KieApiClient(kie, kie_client.session)
    task_id = await here.create_task_id()
    await here.wait_until_prepared(task_id)
    await kie.wait_for(lambda: kie.tasks[task_id].state == "success")
    await kie.stop()
    assert kie.calls_named("recordInfo") == []


async def test_it_can_be_stopped_and_started_with_its_tasks(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    task_id = await kie_client.create_task_id()
    port = int(kie.url.rpartition(":")[2])
    await kie.stop()
    await kie.start(port)
    await kie_client.wait_until_prepared(task_id)
    clock.now += 11
    assert (await kie_client.get_record(task_id))["data"]["state"] == "success"


async def test_where_uploads_go_a_get_is_turned_down_and_every_answer_tells_the_time(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    async with kie_client.session.get(f"{kie.url}/api/file-stream-upload") as answer:
        assert answer.status == 405
        assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == clock.now


async def test_stopping_does_not_wait_for_a_call_that_hangs(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.faults.add("credit", Fault(FaultKind.HANG))
    hanging = asyncio.create_task(kie_client.get("/api/v1/chat/credit"))
    await kie.wait_for(lambda: kie.calls_named("credit"))
    await asyncio.wait_for(kie.stop(), 2)
    with pytest.raises(aiohttp.ClientError):
        await hanging


async def test_a_cut_after_the_order_leaves_a_task_that_nobody_was_told_of(
    kie: LocalKie, kie_client: KieApiClient
) -> None:
    kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
    url = await kie_client.upload_picture()
    with pytest.raises(aiohttp.ClientError):
        await kie_client.create_task(url)
    await kie.wait_for(lambda: kie.calls_named("createTask")[0].answer)
    [call] = kie.calls_named("createTask")
    assert call.status == 0
    assert call.answer["data"]["taskId"] in kie.tasks


async def test_a_cut_before_the_order_leaves_nothing(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_BEFORE))
    url = await kie_client.upload_picture()
    with pytest.raises(aiohttp.ClientError):
        await kie_client.create_task(url)
    assert kie.tasks == {}
    assert kie.calls_named("createTask")[0].answer is None


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("createTask", "POST", "/api/v1/jobs/createTask"),
        ("recordInfo", "GET", "/api/v1/jobs/recordInfo"),
        ("credit", "GET", "/api/v1/chat/credit"),
        ("downloadUrl", "POST", "/api/v1/common/download-url"),
        ("upload", "POST", "/api/file-stream-upload"),
        ("file", "GET", "/kieai/1/a.png"),
        ("result", "GET", "/workers/nano/a.png"),
        ("result", "GET", "/links/a.png"),
    ],
)
async def test_every_call_can_run_into_a_gateway_page(
    kie: LocalKie, kie_client: KieApiClient, name: str, method: str, path: str
) -> None:
    kie.faults.add(name, HTML_502)
    async with kie_client.session.request(method, kie.url + path) as response:
        assert (response.status, response.content_type) == (502, "text/html")
    assert [(call.name, call.status) for call in kie.calls] == [(name, 502)]


async def test_a_slow_call_is_executed_all_the_same(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.faults.add("credit", Fault(FaultKind.DELAY, seconds=0.01))
    assert (await kie_client.get("/api/v1/chat/credit"))["data"] == 100.0
