"""The local Kie answers as the recordings of the real one do."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from PIL import Image

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie import LocalKie
from bot.sandbox.stand_in import origin
from tests.sandbox.kie_asking import KEY, Asking, Clock, picture


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def asking(clock: Clock) -> AsyncIterator[Asking]:
    kie = LocalKie(key=KEY, clock=clock, duration=lambda: 10.0)
    await kie.start()
    async with aiohttp.ClientSession() as session:
        yield Asking(kie, session)
    await kie.stop()


async def test_a_picture_goes_the_whole_way_and_comes_back_edited(asking: Asking, clock: Clock) -> None:
    url = await asking.uploaded(picture("red"))
    task_id = await asking.ordered(url)
    await asking.prepared(task_id)
    clock.now += 11
    [result] = (await asking.look(task_id))["data"]["response"]["resultUrls"]
    status, kind, data = await asking.fetch(result)
    made_from = origin(data)
    assert (status, kind) == (200, "image/png")
    assert made_from is not None
    assert made_from.task_id == task_id
    assert asking.kie.tasks[task_id].inputs == [picture("red")]


async def test_a_jpeg_is_given_where_one_was_asked_for(asking: Asking, clock: Clock) -> None:
    task_id = await asking.ordered(output_format="jpeg")
    await asking.prepared(task_id)
    clock.now += 11
    _, kind, data = await asking.fetch(asking.kie.tasks[task_id].result_url)
    assert kind == "image/jpeg"
    assert data.startswith(b"\xff\xd8")


@pytest.mark.parametrize(("extra", "size"), [({}, (683, 683)), ({"aspect_ratio": "auto"}, (1024, 683))])
async def test_a_ratio_left_out_is_square(asking: Asking, extra: dict[str, str], size: tuple[int, int]) -> None:
    url = await asking.uploaded(picture(size=(600, 400)))
    task_id = await asking.ordered(url, **extra)
    await asking.prepared(task_id)
    assert Image.open(io.BytesIO(asking.kie.tasks[task_id].result)).size == size


async def test_a_created_task_is_named_by_32_hex_digits_twice(asking: Asking) -> None:
    answer = await asking.create(await asking.uploaded())
    assert list(answer) == ["code", "msg", "data"]
    assert re.fullmatch("[0-9a-f]{32}", answer["data"]["taskId"])
    assert answer["data"]["recordId"] == answer["data"]["taskId"]


@pytest.mark.parametrize("http_errors", [False, True])
async def test_a_wrong_key_meets_the_gateway(asking: Asking, http_errors: bool) -> None:
    other = LocalKie(key="another", http_errors=http_errors)
    await other.start()
    answer = await Asking(other, asking.session).create("http://127.0.0.1/cat.jpg")
    await other.stop()
    assert answer["code"] == 401
    assert answer["msg"].startswith("Unauthorized – Authentication failed.")
    assert "data" not in answer
    assert other.calls[0].status == (401 if http_errors else 200)


async def test_only_a_bearer_key_counts(asking: Asking) -> None:
    async with asking.session.get(asking.kie.url + "/api/v1/chat/credit", headers={"apikey": KEY}) as answer:
        assert (await answer.json())["code"] == 401


async def test_an_unknown_task_has_no_record(asking: Asking) -> None:
    expected = {"code": 422, "msg": "recordInfo is null", "data": None}
    assert await asking.look("0" * 32) == expected


async def test_the_first_looks_can_find_nothing(asking: Asking) -> None:
    asking.kie.hide_tasks(2)
    task_id = await asking.ordered()
    codes = [(await asking.look(task_id))["code"] for _ in range(3)]
    assert codes == [422, 422, 200]


async def test_credits_are_held_at_creation(asking: Asking) -> None:
    await asking.ordered()
    answer = await asking.get("/api/v1/chat/credit")
    assert answer == {"code": 200, "msg": "success", "data": 96.0}
    assert isinstance(answer["data"], float)


async def test_without_credit_nothing_is_made(asking: Asking) -> None:
    asking.kie.pay_in(-97)
    answer = await asking.create(await asking.uploaded())
    assert answer["code"] == 402
    assert answer["msg"].startswith("Credits insufficient : Your current balance isn’t enough")
    assert asking.kie.tasks == {}


async def test_the_twenty_first_order_in_ten_seconds_is_refused_and_never_queued(asking: Asking, clock: Clock) -> None:
    url = await asking.uploaded()
    answers = [await asking.create(url) for _ in range(21)]
    assert [answer["code"] for answer in answers] == [200] * 20 + [429]
    assert (len(asking.kie.tasks), asking.kie.refused_by_rate) == (20, 1)
    clock.now += 10
    assert (await asking.create(url))["code"] == 200
    assert asking.kie.creates_in_window() == 20


async def test_a_scripted_refusal_happens_once(asking: Asking) -> None:
    asking.kie.refuse(455, "Service is under maintenance")
    url = await asking.uploaded()
    first, second = await asking.create(url), await asking.create(url)
    assert first == {"code": 455, "msg": "Service is under maintenance", "data": None}
    assert second["code"] == 200


async def test_a_body_that_is_no_json_is_refused_in_an_envelope(asking: Asking) -> None:
    url = asking.kie.url + "/api/v1/jobs/createTask"
    async with asking.session.post(url, data=b"{", headers=asking.headers) as response:
        assert (await response.json())["code"] == 500
        assert response.headers["Content-Type"] == "application/json;charset=UTF-8"


async def test_a_download_link_works_for_twenty_minutes(asking: Asking, clock: Clock) -> None:
    task_id = await asking.ordered()
    await asking.prepared(task_id)
    clock.now += 11
    body = {"url": asking.kie.tasks[task_id].result_url}
    link = (await asking.post("/api/v1/common/download-url", body))["data"]
    assert (await asking.fetch(link))[0] == 200
    clock.now += 1201
    assert (await asking.fetch(link))[0] == 404


async def test_a_foreign_url_gets_no_download_link(asking: Asking) -> None:
    answer = await asking.post("/api/v1/common/download-url", {"url": "https://example.com/a.png"})
    assert answer == {"code": 422, "msg": "url is wrong", "data": None}


async def test_no_result_can_be_fetched_before_the_task_is_done_or_long_after(asking: Asking, clock: Clock) -> None:
    task_id = await asking.ordered()
    await asking.prepared(task_id)
    url = asking.kie.tasks[task_id].result_url
    early = (await asking.fetch(url))[0]
    clock.now += 15 * 24 * 3600
    assert (early, (await asking.fetch(url))[0]) == (404, 404)


async def test_every_call_is_remembered_with_what_was_said(asking: Asking) -> None:
    await asking.ordered(callback="http://127.0.0.1/back")
    [call] = asking.kie.called("createTask")
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.body["input"]["prompt"] == "make it snow"
    assert (call.answer["code"], call.status) == (200, 200)
    [task] = asking.kie.tasks.values()
    assert task.call_back_url == "http://127.0.0.1/back"


async def test_waiting_in_vain_says_what_came_instead(asking: Asking) -> None:
    await asking.get("/api/v1/chat/credit")
    with pytest.raises(TimeoutError, match="last calls: credit"):
        await asking.kie.wait_for(lambda: False, 0.01)


async def test_waiting_wakes_when_a_task_ends_by_the_real_clock(asking: Asking) -> None:
    kie = LocalKie(key=KEY, duration=lambda: 0.3)
    await kie.start()
    here = Asking(kie, asking.session)
    task_id = await here.ordered()
    await here.prepared(task_id)
    await kie.wait_for(lambda: kie.tasks[task_id].state == "success")
    await kie.stop()
    assert kie.called("recordInfo") == []


async def test_it_can_be_stopped_and_started_with_its_tasks(asking: Asking, clock: Clock) -> None:
    task_id = await asking.ordered()
    port = int(asking.kie.url.rpartition(":")[2])
    await asking.kie.stop()
    await asking.kie.start(port)
    await asking.prepared(task_id)
    clock.now += 11
    assert (await asking.look(task_id))["data"]["state"] == "success"


async def test_where_uploads_go_a_get_is_turned_down_and_every_answer_tells_the_time(
    asking: Asking, clock: Clock
) -> None:
    async with asking.session.get(f"{asking.kie.url}/api/file-stream-upload") as answer:
        assert answer.status == 405
        assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == clock.now


async def test_stopping_does_not_wait_for_a_call_that_hangs(asking: Asking) -> None:
    asking.kie.faults.add("credit", Fault(Kind.HANG))
    hanging = asyncio.create_task(asking.get("/api/v1/chat/credit"))
    await asking.kie.wait_for(lambda: asking.kie.called("credit"))
    await asyncio.wait_for(asking.kie.stop(), 2)
    with pytest.raises(aiohttp.ClientError):
        await hanging
