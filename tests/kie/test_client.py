"""The client over real sockets: one order is one request, and every break has a name that says what to do."""

import asyncio
import gzip
import json
import logging
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bot.kie.client import Kie
from bot.kie.errors import Garbled, Halted, Unavailable, Unclear
from bot.kie.models import EditInput, Outcome
from tests.kie.answers import CALLBACK, HTML, RESULT, TASK, failure, record
from tests.kie.server import (
    Behaviour,
    Wire,
    answering,
    endless,
    hanging,
    hanging_up,
    listening,
    resetting,
    stopping_halfway,
    talking_nonsense,
    trickling,
)

KEY = "not-a-real-key-" + "0123456789"
EDIT = EditInput(prompt="Mach es Nacht 🌒", image_urls=("https://files.example/a.jpg",))
CREATED = json.dumps({"code": 200, "msg": "success", "data": {"taskId": TASK}}).encode()


def client(url: str, upload_url: str | None = None, **limits: Any) -> Kie:
    return Kie(
        api_url=url, upload_url=upload_url or url, key=KEY, model="google/nano-banana-edit", redact=masked, **limits
    )


def masked(text: str) -> str:
    return text.replace(KEY, "[key]")


@pytest.fixture(autouse=True)
def _no_proxy_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with listening() as server:
        yield server


@pytest.fixture
async def kie(wire: Wire) -> AsyncIterator[Kie]:
    it = client(wire.url + "/")
    yield it
    await it.aclose()


@pytest.fixture
async def hasty(wire: Wire) -> AsyncIterator[Kie]:
    """A client of little patience; a third of it must do for connecting."""
    it = client(wire.url, timeout=0.45, transfer_timeout=0.45)
    yield it
    await it.aclose()


async def test_an_order_is_sent_as_documented(wire: Wire, kie: Kie) -> None:
    wire.says(CREATED)
    assert await kie.create_task(EDIT, CALLBACK) == TASK
    [order] = wire.requests
    assert order.line == "POST /api/v1/jobs/createTask HTTP/1.1"
    assert order.headers["content-type"] == "application/json"
    assert json.loads(order.body) == {
        "model": "google/nano-banana-edit",
        "callBackUrl": CALLBACK,
        "input": EDIT.to_wire(),
    }


async def test_no_callback_means_no_such_key(wire: Wire, kie: Kie) -> None:
    wire.says(CREATED)
    await kie.create_task(EDIT)
    assert set(json.loads(wire.requests[0].body)) == {"model", "input"}


async def test_a_look_asks_for_one_task(wire: Wire, kie: Kie) -> None:
    wire.says(json.dumps(record(state="success", resultJson={"resultUrls": [RESULT]})).encode())
    look = await kie.look(TASK)
    assert (look.outcome, look.result_url) == (Outcome.SUCCESS, RESULT)
    assert wire.requests[0].line == f"GET /api/v1/jobs/recordInfo?taskId={TASK} HTTP/1.1"


async def test_a_strange_task_id_stays_inside_its_parameter(wire: Wire, kie: Kie) -> None:
    wire.says(json.dumps(failure(422, "recordInfo is null")).encode())
    await kie.look("a&b=c/../ä")
    assert "?taskId=a%26b%3Dc%2F..%2F%C3%A4 " in wire.requests[0].line


async def test_the_balance_is_asked_for(wire: Wire, kie: Kie) -> None:
    wire.says(b'{"code":200,"msg":"success","data":5916.25}')
    assert await kie.credits() == 5916.25
    assert wire.requests[0].line == "GET /api/v1/chat/credit HTTP/1.1"


async def test_an_upload_names_its_file_and_folder(wire: Wire, kie: Kie) -> None:
    wire.says(json.dumps({"success": True, "code": 200, "data": {"downloadUrl": RESULT}}).encode())
    assert await kie.upload(b"\x89PNG\r\n\x00", name="a-name.png", mime="image/png") == RESULT
    [sent] = wire.requests
    assert sent.line == "POST /api/file-stream-upload HTTP/1.1"
    assert b'name="uploadPath"\r\n\r\ndarkroom\r\n' in sent.body
    assert b'name="fileName"\r\n\r\na-name.png\r\n' in sent.body
    assert b'filename="a-name.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x00\r\n' in sent.body


BREAKS = [hanging_up, resetting, stopping_halfway, talking_nonsense]


@pytest.mark.parametrize("behaviour", BREAKS)
async def test_an_order_that_was_cut_off_is_unclear_and_sent_once(wire: Wire, kie: Kie, behaviour: Behaviour) -> None:
    wire.behaviour = behaviour
    with pytest.raises(Unclear):
        await kie.create_task(EDIT)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("behaviour", BREAKS)
async def test_a_read_that_was_cut_off_can_be_repeated(wire: Wire, kie: Kie, behaviour: Behaviour) -> None:
    wire.behaviour = behaviour
    with pytest.raises(Unavailable):
        await kie.look(TASK)
    with pytest.raises(Unavailable):
        await kie.upload(b"x", name="a.png", mime="image/png")


@pytest.mark.parametrize("behaviour", [hanging, trickling])
async def test_the_time_limit_is_for_the_whole_call(wire: Wire, hasty: Kie, behaviour: Behaviour) -> None:
    wire.behaviour = behaviour
    ends = await asyncio.gather(
        hasty.create_task(EDIT),
        hasty.credits(),
        hasty.upload(b"x", name="a.png", mime="image/png"),
        return_exceptions=True,
    )
    assert [type(end) for end in ends] == [Unclear, Unavailable, Unavailable]


async def test_an_upload_has_its_own_time_limit(wire: Wire) -> None:
    kie = client(wire.url, timeout=30, transfer_timeout=0.05)
    wire.behaviour = hanging
    with pytest.raises(Unavailable):
        await kie.upload(b"x", name="a.png", mime="image/png")
    await kie.aclose()


async def test_a_closed_port_means_that_nothing_was_ordered(unused_tcp_port: int) -> None:
    kie = client(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Unavailable):
        await kie.create_task(EDIT)
    with pytest.raises(Unavailable):
        await kie.credits()
    await kie.aclose()


async def test_a_handshake_that_never_ends_has_carried_nothing(wire: Wire) -> None:
    kie = client(wire.url.replace("http:", "https:"), timeout=0.1)
    with pytest.raises(Unavailable, match="ConnectTimeout"):
        await kie.create_task(EDIT)
    await kie.aclose()


@pytest.fixture
async def behind_proxy(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kie]:
    """A client whose way out is the wire."""
    monkeypatch.setenv("HTTPS_PROXY", wire.url)
    it = client("https://api.example", timeout=0.45)
    yield it
    await it.aclose()


@pytest.mark.parametrize("behaviour", [answering(b"no", 407), hanging, *BREAKS])
async def test_a_proxy_that_opens_no_way_has_carried_nothing(
    wire: Wire, behind_proxy: Kie, behaviour: Behaviour
) -> None:
    wire.behaviour = behaviour
    with pytest.raises(Unavailable):
        await behind_proxy.create_task(EDIT)
    assert wire.requests[0].line.startswith("CONNECT api.example:443")
    assert "authorization" not in wire.requests[0].headers


async def test_a_gateways_page_leaves_an_order_open_and_a_read_repeatable(wire: Wire, kie: Kie) -> None:
    wire.says(HTML, 502, Content_Type="text/html")
    with pytest.raises(Unclear):
        await kie.create_task(EDIT)
    with pytest.raises(Unavailable):
        await kie.look(TASK)


async def test_a_cancelled_order_is_cancelled_and_nothing_else(wire: Wire, kie: Kie) -> None:
    wire.behaviour = hanging
    order = asyncio.create_task(kie.create_task(EDIT))
    await wire.arrived.wait()
    order.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order


async def test_an_idle_connection_serves_the_next_read(wire: Wire, kie: Kie) -> None:
    wire.says(b'{"code":200,"data":1}', Set_Cookie="JSESSIONID=x; Path=/")
    assert [await kie.credits(), await kie.credits()] == [1.0, 1.0]
    assert "cookie" not in wire.requests[1].headers


async def test_a_compressed_answer_is_unpacked(wire: Wire, kie: Kie) -> None:
    wire.says(gzip.compress(CREATED), Content_Encoding="gzip")
    assert await kie.create_task(EDIT) == TASK
    assert wire.requests[0].headers["accept-encoding"] == "gzip"


async def test_a_broken_compression_leaves_an_order_open(wire: Wire, kie: Kie) -> None:
    wire.says(CREATED, Content_Encoding="gzip")
    with pytest.raises(Unclear):
        await kie.create_task(EDIT)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize(
    "behaviour",
    [endless(b"x" * 60_000), endless(gzip.compress(b"x" * 20_000_000), Content_Encoding="gzip")],
    ids=["plain", "compressed"],
)
@pytest.mark.usefixtures("traced")
async def test_an_endless_answer_does_not_eat_memory(wire: Wire, kie: Kie, behaviour: Behaviour) -> None:
    wire.behaviour = behaviour
    with pytest.raises(Garbled):
        await kie.credits()
    assert tracemalloc.get_traced_memory()[1] < 10_000_000


async def test_the_key_travels_in_its_header_only(wire: Wire, kie: Kie) -> None:
    wire.says(CREATED)
    await kie.create_task(EDIT, CALLBACK)
    [order] = wire.requests
    assert order.headers.pop("authorization") == f"Bearer {KEY}"
    assert KEY not in repr(order)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_the_key_follows_no_redirect(wire: Wire, kie: Kie, status: int) -> None:
    async with listening() as elsewhere:
        elsewhere.says(CREATED)
        wire.says(b"", status, Location=elsewhere.url)
        with pytest.raises(Unclear):
            await kie.create_task(EDIT)
        with pytest.raises(Garbled):
            await kie.look(TASK)
        assert elsewhere.requests == []


async def test_uploads_go_to_their_own_address(wire: Wire) -> None:
    async with listening() as files:
        files.says(json.dumps({"code": 200, "data": {"downloadUrl": RESULT}}).encode())
        kie = client(wire.url, files.url + "/")
        await kie.upload(b"x", name="a.png", mime="image/png")
        await kie.aclose()
    assert (len(files.requests), wire.requests) == (1, [])


async def test_a_key_that_kie_quotes_is_masked(wire: Wire, kie: Kie) -> None:
    wire.says(json.dumps(failure(401, f"Invalid API Key: {KEY}")).encode())
    with pytest.raises(Halted) as caught:
        await kie.create_task(EDIT)
    assert caught.value.text == "Invalid API Key: [key]"


async def test_errors_and_logs_carry_no_key(wire: Wire, kie: Kie, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wire.behaviour = hanging_up
    with pytest.raises(Unclear) as caught:
        await kie.create_task(EDIT)
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    assert KEY not in repr(kie) + repr(caught.value) + caplog.text


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel", "tab\t"])
def test_a_key_that_no_header_can_carry_is_refused_unquoted(key: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII") as caught:
        Kie(api_url="http://a", upload_url="http://b", key=key, model="google/nano-banana-edit", redact=str)
    assert not key or key not in str(caught.value)


def test_a_model_whose_inputs_are_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="nano-banana-2"):
        Kie(api_url="http://a", upload_url="http://b", key=KEY, model="nano-banana-2", redact=str)
