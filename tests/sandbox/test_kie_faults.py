"""What a broken connection leaves behind at the local Kie."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie import LocalKie
from tests.sandbox.kie_asking import KEY, Asking


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    kie = LocalKie(key=KEY)
    await kie.start()
    async with aiohttp.ClientSession() as session:
        yield Asking(kie, session)
    await kie.stop()


async def test_a_cut_after_the_order_leaves_a_task_that_nobody_was_told_of(asking: Asking) -> None:
    asking.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
    url = await asking.uploaded()
    with pytest.raises(aiohttp.ClientError):
        await asking.create(url)
    await asking.kie.wait_for(lambda: asking.kie.called("createTask")[0].answer)
    [call] = asking.kie.called("createTask")
    assert call.status == 0
    assert call.answer["data"]["taskId"] in asking.kie.tasks


async def test_a_cut_before_the_order_leaves_nothing(asking: Asking) -> None:
    asking.kie.faults.add("createTask", Fault(Kind.CUT_BEFORE))
    url = await asking.uploaded()
    with pytest.raises(aiohttp.ClientError):
        await asking.create(url)
    assert asking.kie.tasks == {}
    assert asking.kie.called("createTask")[0].answer is None


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
async def test_every_call_can_run_into_a_gateway_page(asking: Asking, name: str, method: str, path: str) -> None:
    asking.kie.faults.add(name, HTML_502)
    async with asking.session.request(method, asking.kie.url + path) as response:
        assert (response.status, response.content_type) == (502, "text/html")
    assert [(call.name, call.status) for call in asking.kie.calls] == [(name, 502)]


async def test_a_slow_call_is_executed_all_the_same(asking: Asking) -> None:
    asking.kie.faults.add("credit", Fault(Kind.SLOW, seconds=0.01))
    assert (await asking.get("/api/v1/chat/credit"))["data"] == 100.0
