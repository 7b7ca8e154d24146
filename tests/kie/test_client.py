"""The client over real sockets: one order is one request, and every failure is an error that says what to do."""

import asyncio
import gzip
import json
import logging
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bot.kie.client import KieClient
from bot.kie.errors import AccountBlocked, KieUnavailable, OrderUncertain, UnexpectedResponse
from bot.kie.models import EditInput, TaskOutcome
from tests.kie.sample_responses import CALLBACK_URL, HTML_PAGE, RESULT_URL, TASK_ID, make_failure, make_task_record
from tests.kie.scripted_server import (
    ResponseBehaviour,
    ScriptedServer,
    close_connection,
    hang,
    open_scripted_server,
    reset_connection,
    respond,
    send_garbage,
    stop_halfway,
    stream_endlessly,
    trickle,
)

KEY = "not-a-real-key-" + "0123456789"
EDIT_INPUT = EditInput(prompt="Mach es Nacht 🌒", image_urls=("https://files.example/a.jpg",))
CREATED_BODY = json.dumps({"code": 200, "msg": "success", "data": {"taskId": TASK_ID}}).encode()


def make_client(url: str, upload_url: str | None = None, **limits: Any) -> KieClient:
    return KieClient(
        api_url=url, upload_url=upload_url or url, key=KEY, model="google/nano-banana-edit", redact=masked, **limits
    )


def masked(text: str) -> str:
    return text.replace(KEY, "[key]")


@pytest.fixture(autouse=True)
def _no_proxy_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with open_scripted_server() as opened:
        yield opened


@pytest.fixture
async def kie(server: ScriptedServer) -> AsyncIterator[KieClient]:
    client = make_client(server.url + "/")
    yield client
    await client.aclose()


@pytest.fixture
async def impatient(server: ScriptedServer) -> AsyncIterator[KieClient]:
    """A client with a short time limit, a third of it for connecting."""
    client = make_client(server.url, timeout=0.45, transfer_timeout=0.45)
    yield client
    await client.aclose()


async def test_an_order_is_sent_as_documented(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(CREATED_BODY)
    assert await kie.create_task(EDIT_INPUT, CALLBACK_URL) == TASK_ID
    [order] = server.requests
    assert order.line == "POST /api/v1/jobs/createTask HTTP/1.1"
    assert order.headers["content-type"] == "application/json"
    assert json.loads(order.body) == {
        "model": "google/nano-banana-edit",
        "callBackUrl": CALLBACK_URL,
        "input": EDIT_INPUT.to_wire(),
    }


async def test_no_callback_means_no_such_key(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(CREATED_BODY)
    await kie.create_task(EDIT_INPUT)
    assert set(json.loads(server.requests[0].body)) == {"model", "input"}


async def test_a_look_asks_for_one_task(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(json.dumps(make_task_record(state="success", resultJson={"resultUrls": [RESULT_URL]})).encode())
    record = await kie.get_task(TASK_ID)
    assert (record.outcome, record.result_url) == (TaskOutcome.SUCCESS, RESULT_URL)
    assert server.requests[0].line == f"GET /api/v1/jobs/recordInfo?taskId={TASK_ID} HTTP/1.1"


async def test_a_strange_task_id_stays_inside_its_parameter(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(json.dumps(make_failure(422, "recordInfo is null")).encode())
    await kie.get_task("a&b=c/../ä")
    assert "?taskId=a%26b%3Dc%2F..%2F%C3%A4 " in server.requests[0].line


async def test_the_balance_is_asked_for(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(b'{"code":200,"msg":"success","data":5916.25}')
    assert await kie.get_credits() == 5916.25
    assert server.requests[0].line == "GET /api/v1/chat/credit HTTP/1.1"


async def test_an_upload_names_its_file_and_folder(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(json.dumps({"success": True, "code": 200, "data": {"downloadUrl": RESULT_URL}}).encode())
    assert await kie.upload_image(b"\x89PNG\r\n\x00", name="a-name.png", mime="image/png") == RESULT_URL
    [sent] = server.requests
    assert sent.line == "POST /api/file-stream-upload HTTP/1.1"
    assert b'name="uploadPath"\r\n\r\ndarkroom\r\n' in sent.body
    assert b'name="fileName"\r\n\r\na-name.png\r\n' in sent.body
    assert b'filename="a-name.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x00\r\n' in sent.body


BROKEN_CONNECTIONS = [close_connection, reset_connection, stop_halfway, send_garbage]


@pytest.mark.parametrize("behaviour", BROKEN_CONNECTIONS)
async def test_an_order_that_was_cut_off_is_unclear_and_sent_once(
    server: ScriptedServer, kie: KieClient, behaviour: ResponseBehaviour
) -> None:
    server.behaviour = behaviour
    with pytest.raises(OrderUncertain):
        await kie.create_task(EDIT_INPUT)
    assert len(server.requests) == 1


@pytest.mark.parametrize("behaviour", BROKEN_CONNECTIONS)
async def test_a_read_that_was_cut_off_can_be_repeated(
    server: ScriptedServer, kie: KieClient, behaviour: ResponseBehaviour
) -> None:
    server.behaviour = behaviour
    with pytest.raises(KieUnavailable):
        await kie.get_task(TASK_ID)
    with pytest.raises(KieUnavailable):
        await kie.upload_image(b"x", name="a.png", mime="image/png")


@pytest.mark.parametrize("behaviour", [hang, trickle])
async def test_the_time_limit_is_for_the_whole_call(
    server: ScriptedServer, impatient: KieClient, behaviour: ResponseBehaviour
) -> None:
    server.behaviour = behaviour
    ends = await asyncio.gather(
        impatient.create_task(EDIT_INPUT),
        impatient.get_credits(),
        impatient.upload_image(b"x", name="a.png", mime="image/png"),
        return_exceptions=True,
    )
    assert [type(end) for end in ends] == [OrderUncertain, KieUnavailable, KieUnavailable]


async def test_an_upload_has_its_own_time_limit(server: ScriptedServer) -> None:
    kie = make_client(server.url, timeout=30, transfer_timeout=0.05)
    server.behaviour = hang
    with pytest.raises(KieUnavailable):
        await kie.upload_image(b"x", name="a.png", mime="image/png")
    await kie.aclose()


async def test_a_closed_port_means_that_nothing_was_ordered(unused_tcp_port: int) -> None:
    kie = make_client(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(KieUnavailable):
        await kie.create_task(EDIT_INPUT)
    with pytest.raises(KieUnavailable):
        await kie.get_credits()
    await kie.aclose()


async def test_a_handshake_that_never_ends_has_carried_nothing(server: ScriptedServer) -> None:
    kie = make_client(server.url.replace("http:", "https:"), timeout=0.1)
    with pytest.raises(KieUnavailable, match="ConnectTimeout"):
        await kie.create_task(EDIT_INPUT)
    await kie.aclose()


@pytest.fixture
async def behind_proxy(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KieClient]:
    """A client that has the server as its proxy."""
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    client = make_client("https://api.example", timeout=0.45)
    yield client
    await client.aclose()


@pytest.mark.parametrize("behaviour", [respond(b"no", 407), hang, *BROKEN_CONNECTIONS])
async def test_a_proxy_that_opens_no_way_has_carried_nothing(
    server: ScriptedServer, behind_proxy: KieClient, behaviour: ResponseBehaviour
) -> None:
    server.behaviour = behaviour
    with pytest.raises(KieUnavailable):
        await behind_proxy.create_task(EDIT_INPUT)
    assert server.requests[0].line.startswith("CONNECT api.example:443")
    assert "authorization" not in server.requests[0].headers


async def test_a_gateways_page_leaves_an_order_uncertain_and_a_read_repeatable(
    server: ScriptedServer, kie: KieClient
) -> None:
    server.respond_with(HTML_PAGE, 502, Content_Type="text/html")
    with pytest.raises(OrderUncertain):
        await kie.create_task(EDIT_INPUT)
    with pytest.raises(KieUnavailable):
        await kie.get_task(TASK_ID)


async def test_a_cancelled_order_is_cancelled_and_nothing_else(server: ScriptedServer, kie: KieClient) -> None:
    server.behaviour = hang
    order = asyncio.create_task(kie.create_task(EDIT_INPUT))
    await server.arrived.wait()
    order.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order


async def test_an_idle_connection_serves_the_next_read(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(b'{"code":200,"data":1}', Set_Cookie="JSESSIONID=x; Path=/")
    assert [await kie.get_credits(), await kie.get_credits()] == [1.0, 1.0]
    assert "cookie" not in server.requests[1].headers


async def test_a_compressed_answer_is_unpacked(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(gzip.compress(CREATED_BODY), Content_Encoding="gzip")
    assert await kie.create_task(EDIT_INPUT) == TASK_ID
    assert server.requests[0].headers["accept-encoding"] == "gzip"


async def test_a_broken_compression_leaves_an_order_open(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(CREATED_BODY, Content_Encoding="gzip")
    with pytest.raises(OrderUncertain):
        await kie.create_task(EDIT_INPUT)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize(
    "behaviour",
    [stream_endlessly(b"x" * 60_000), stream_endlessly(gzip.compress(b"x" * 20_000_000), Content_Encoding="gzip")],
    ids=["plain", "compressed"],
)
@pytest.mark.usefixtures("traced")
async def test_an_endless_answer_does_not_eat_memory(
    server: ScriptedServer, kie: KieClient, behaviour: ResponseBehaviour
) -> None:
    server.behaviour = behaviour
    with pytest.raises(UnexpectedResponse):
        await kie.get_credits()
    assert tracemalloc.get_traced_memory()[1] < 10_000_000


async def test_the_key_travels_in_its_header_only(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(CREATED_BODY)
    await kie.create_task(EDIT_INPUT, CALLBACK_URL)
    [order] = server.requests
    assert order.headers.pop("authorization") == f"Bearer {KEY}"
    assert KEY not in repr(order)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_the_key_follows_no_redirect(server: ScriptedServer, kie: KieClient, status: int) -> None:
    async with open_scripted_server() as elsewhere:
        elsewhere.respond_with(CREATED_BODY)
        server.respond_with(b"", status, Location=elsewhere.url)
        with pytest.raises(OrderUncertain):
            await kie.create_task(EDIT_INPUT)
        with pytest.raises(UnexpectedResponse):
            await kie.get_task(TASK_ID)
        assert elsewhere.requests == []


async def test_uploads_go_to_their_own_address(server: ScriptedServer) -> None:
    async with open_scripted_server() as files:
        files.respond_with(json.dumps({"code": 200, "data": {"downloadUrl": RESULT_URL}}).encode())
        kie = make_client(server.url, files.url + "/")
        await kie.upload_image(b"x", name="a.png", mime="image/png")
        await kie.aclose()
    assert (len(files.requests), server.requests) == (1, [])


async def test_a_key_that_kie_quotes_is_masked(server: ScriptedServer, kie: KieClient) -> None:
    server.respond_with(json.dumps(make_failure(401, f"Invalid API Key: {KEY}")).encode())
    with pytest.raises(AccountBlocked) as caught:
        await kie.create_task(EDIT_INPUT)
    assert caught.value.text == "Invalid API Key: [key]"


async def test_errors_and_logs_carry_no_key(
    server: ScriptedServer, kie: KieClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.behaviour = close_connection
    with pytest.raises(OrderUncertain) as caught:
        await kie.create_task(EDIT_INPUT)
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    assert KEY not in repr(kie) + repr(caught.value) + caplog.text


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel", "tab\t"])
def test_a_key_that_no_header_can_carry_is_refused_unquoted(key: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII") as caught:
        KieClient(api_url="http://a", upload_url="http://b", key=key, model="google/nano-banana-edit", redact=str)
    assert not key or key not in str(caught.value)


def test_a_model_whose_inputs_are_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="nano-banana-2"):
        KieClient(api_url="http://a", upload_url="http://b", key=KEY, model="nano-banana-2", redact=str)
