"""What a broken connection leaves behind at the local Kie."""

import aiohttp
import pytest

from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.local_kie import LocalKie
from tests.sandbox.kie.api_client import KieApiClient


async def test_a_cut_after_the_order_leaves_a_task_that_nobody_was_told_of(
    kie: LocalKie, kie_client: KieApiClient
) -> None:
    kie.faults.add("createTask", Fault(FaultKind.CUT_AFTER))
    url = await kie_client.upload_picture()
    with pytest.raises(aiohttp.ClientError):
        await kie_client.create_task(url)
    await kie.wait_for(lambda: kie.calls_named("createTask")[0].answer)
    [call] = kie.calls_named("createTask")
    assert call.status == 0
    assert call.answer["data"]["taskId"] in kie.tasks


async def test_a_cut_before_the_order_leaves_nothing(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.faults.add("createTask", Fault(FaultKind.CUT_BEFORE))
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
    kie.faults.add("credit", Fault(FaultKind.SLOW, seconds=0.01))
    assert (await kie_client.get("/api/v1/chat/credit"))["data"] == 100.0
