"""What a broken connection leaves behind at the local Kie."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.local_kie import LocalKie
from tests.sandbox.kie.api_client import KEY, KieApiClient


@pytest.fixture
async def asking() -> AsyncIterator[KieApiClient]:
    kie = LocalKie(key=KEY)
    await kie.start()
    async with aiohttp.ClientSession() as session:
        yield KieApiClient(kie, session)
    await kie.stop()


async def test_a_cut_after_the_order_leaves_a_task_that_nobody_was_told_of(asking: KieApiClient) -> None:
    asking.kie.faults.add("createTask", Fault(FaultKind.CUT_AFTER))
    url = await asking.upload_picture()
    with pytest.raises(aiohttp.ClientError):
        await asking.create_task(url)
    await asking.kie.wait_for(lambda: asking.kie.calls_named("createTask")[0].answer)
    [call] = asking.kie.calls_named("createTask")
    assert call.status == 0
    assert call.answer["data"]["taskId"] in asking.kie.tasks


async def test_a_cut_before_the_order_leaves_nothing(asking: KieApiClient) -> None:
    asking.kie.faults.add("createTask", Fault(FaultKind.CUT_BEFORE))
    url = await asking.upload_picture()
    with pytest.raises(aiohttp.ClientError):
        await asking.create_task(url)
    assert asking.kie.tasks == {}
    assert asking.kie.calls_named("createTask")[0].answer is None


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
async def test_every_call_can_run_into_a_gateway_page(asking: KieApiClient, name: str, method: str, path: str) -> None:
    asking.kie.faults.add(name, HTML_502)
    async with asking.session.request(method, asking.kie.url + path) as response:
        assert (response.status, response.content_type) == (502, "text/html")
    assert [(call.name, call.status) for call in asking.kie.calls] == [(name, 502)]


async def test_a_slow_call_is_executed_all_the_same(asking: KieApiClient) -> None:
    asking.kie.faults.add("credit", Fault(FaultKind.SLOW, seconds=0.01))
    assert (await asking.get("/api/v1/chat/credit"))["data"] == 100.0
