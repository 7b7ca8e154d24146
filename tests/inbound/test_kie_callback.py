"""The door for callbacks: what is let in, what is refused, and that the caller learns nothing."""

import gzip
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.clock import Instant
from bot.inbound import kie_callback
from bot.inbound.http_endpoints import HttpEndpoints
from bot.inbound.kie_callback import KieCallbackEndpoint
from bot.kie.callback_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign_callback
from bot.pipeline.callback_tracker import CallbackTracker
from bot.settings import MustRestart
from tests.bot_harness import BotHarness, open_bot_harness
from tests.inbound.raw_http import request_head, request_with_body, response_status, send_raw
from tests.process_harness import make_photo

KEY = "obviously-" + "fake"
NOW = 1_700_000_000
TASK = "0123456789abcdef" * 2
BODY = json.dumps({"code": 200, "data": {"taskId": TASK}}).encode()


class CallbackClient:
    """The endpoint, a client that plays Kie, and the callbacks that were accepted."""

    def __init__(self, session: aiohttp.ClientSession, *, key: str | None) -> None:
        self.received: list[tuple[str, str | None]] = []
        self.error: Exception | None = None
        self.now = 0.0
        self._session = session
        self.callbacks = CallbackTracker(None, b"obviously fake")
        endpoint = KieCallbackEndpoint(
            self._on_callback,
            is_own_reference=self.callbacks.is_signed_by_us,
            key=key,
            redact=str,
            clock=self._wall_clock,
            monotonic=lambda: self.now,
        )
        self.endpoints = HttpEndpoints(failed_conditions=self._missing, prove_ownership=str, kie_callback=endpoint)
        self.url = ""

    def _wall_clock(self) -> Instant:
        return NOW * 1000

    async def _missing(self) -> list[str]:
        return []

    async def _on_callback(self, reference: str, task_id: str | None) -> None:
        if self.error is not None:
            raise self.error
        self.received.append((reference, task_id))

    async def post(self, body: bytes = BODY, reference: str = "r", **headers: str) -> int:
        async with self._session.post(f"{self.url}/kie/callback/{reference}", data=body, headers=headers) as answer:
            return answer.status

    async def post_signed(self, body: bytes = BODY, *, task: str = TASK, key: str = KEY, at: int = NOW) -> int:
        return await self.post(body, **{TIMESTAMP_HEADER: f"{at}", SIGNATURE_HEADER: sign_callback(key, task, f"{at}")})


@asynccontextmanager
async def _open_client(key: str | None) -> AsyncIterator[CallbackClient]:
    async with aiohttp.ClientSession() as session:
        client = CallbackClient(session, key=key)
        client.url = await client.endpoints.open("127.0.0.1", 0)
        yield client
        await client.endpoints.close()


@pytest.fixture
async def client() -> AsyncIterator[CallbackClient]:
    """The endpoint without a key."""
    async with _open_client(None) as opened:
        yield opened


@pytest.fixture
async def keyed_client() -> AsyncIterator[CallbackClient]:
    """The endpoint with a key."""
    async with _open_client(KEY) as opened:
        yield opened


async def test_a_callback_comes_in_with_its_reference_and_its_task(client: CallbackClient) -> None:
    assert await client.post() == 200
    assert client.received == [("r", TASK)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(body=st.binary(max_size=2000))
async def test_any_body_is_taken(client: CallbackClient, body: bytes) -> None:
    client.now += 1
    assert await client.post(body) == 200


@pytest.mark.parametrize("reference", [b"%00", b"%ff", b"%F0%9F%92%A5", b"a%2Fb", b"x" * 4000, b"%20", b"a?b=c"])
async def test_any_reference_is_looked_up_and_answered_alike(tmp_path: Path, reference: bytes) -> None:
    async with open_bot_harness(tmp_path, is_called=True) as house, aiohttp.ClientSession() as session:
        client = CallbackClient(session, key=None)
        client.url = house.reverse_proxy.upstream or ""
        request = request_with_body(b"POST /kie/callback/" + reference + b" HTTP/1.1", body=BODY)
        assert response_status(await send_raw(client.url, request)) == 200


async def test_64_kilobytes_are_enough(client: CallbackClient) -> None:
    assert await client.post(BODY.ljust(64 * 1024)) == 200
    assert await client.post(BODY.ljust(64 * 1024 + 1)) == 413
    assert len(client.received) == 1


async def test_a_body_without_a_length_is_bounded_as_well(client: CallbackClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 1024

    url = f"{client.url}/kie/callback/r"
    async with client._session.post(url, data=endless()) as answer:
        assert answer.status == 413
    assert client.received == []


async def test_a_small_body_cannot_unpack_to_a_large_one(client: CallbackClient) -> None:
    packed = gzip.compress(BODY.ljust(40_000_000))
    assert len(packed) < 64 * 1024
    assert await client.post(packed, **{"Content-Encoding": "gzip"}) == 200
    assert client.received == [("r", None)]


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 50\r\n\r\nbroken off",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
async def test_what_breaks_off_leaves_no_trace(
    client: CallbackClient, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await send_raw(client.url, b"POST /kie/callback/r HTTP/1.1\r\nHost: x\r\n" + rest, breaks_off=True)
        assert await client.post() == 200
    assert client.received == [("r", TASK)]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_who_dawdles_is_not_waited_for(client: CallbackClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kie_callback, "BODY_TIMEOUT", 0.05)
    request = request_head(b"POST /kie/callback/r HTTP/1.1", b"Content-Length: 50") + b"slow"
    assert response_status(await send_raw(client.url, request)) == 408


async def test_only_a_post_is_a_callback(client: CallbackClient) -> None:
    async with client._session.get(f"{client.url}/kie/callback/r") as answer:
        assert answer.status == 405


async def test_a_caller_who_comes_too_often_is_held_back_for_a_while(client: CallbackClient) -> None:
    statuses = [await client.post(b"") for _ in range(205)]
    assert statuses == [200] * 200 + [429] * 5
    client.now += 1
    assert await client.post(b"") == 200


async def test_strangers_do_not_use_up_what_is_kept_for_orders(client: CallbackClient) -> None:
    for _ in range(25 * 10):  # for ten seconds, 25 a second, through the same proxy as Kie
        await client.post(b"", reference="made-up")
        client.now += 0.04
    while await client.post(b"", reference="made-up") != 429:
        pass
    orders = [client.callbacks.new_reference() for _ in range(6)]
    assert [await client.post(reference=each) for each in orders] == [200] * 6
    assert [each for each in client.received if each[0] != "made-up"] == [(each, TASK) for each in orders]
    assert await client.post(b"", reference="made-up") == 429


async def test_who_knows_one_address_cannot_call_it_without_end(client: CallbackClient) -> None:
    known, other = client.callbacks.new_reference(), client.callbacks.new_reference()
    statuses = [await client.post(reference=known) for _ in range(300)]
    assert statuses == [200] * 210 + [429] * 90
    assert await client.post(reference=other) == 200
    client.now += 1
    assert await client.post(reference=known) == 200


@pytest.mark.parametrize(
    "change", [str.swapcase, lambda known: known[:-1], lambda known: known + "A", lambda _: "\udcff"]
)
def test_a_reference_that_was_changed_is_not_ours(change: Callable[[str], str]) -> None:
    ours, others = CallbackTracker(None, b"obviously fake"), CallbackTracker(None, b"another")
    known = ours.new_reference()
    assert ours.is_signed_by_us(known)
    assert not others.is_signed_by_us(known)
    assert not ours.is_signed_by_us(change(known))
    assert ours.new_reference() != known


async def test_what_could_not_be_stored_is_not_acknowledged(client: CallbackClient) -> None:
    client.error = MustRestart("disk full")
    assert await client.post() == 503


# -- with a key


async def test_with_a_key_only_what_it_signed_comes_in(keyed_client: CallbackClient) -> None:
    assert await keyed_client.post_signed() == 200
    assert keyed_client.received == [("r", TASK)]


async def test_with_a_key_everything_else_is_refused(keyed_client: CallbackClient) -> None:
    assert await keyed_client.post() == 401
    assert await keyed_client.post(b"") == 401
    assert await keyed_client.post_signed(b"") == 401
    assert await keyed_client.post_signed(key="another") == 403
    assert await keyed_client.post_signed(task="another") == 403
    assert await keyed_client.post_signed(at=NOW - 301) == 403
    assert await keyed_client.post_signed(at=NOW + 301) == 403
    assert keyed_client.received == []


async def test_a_refusal_is_told_to_the_operator_but_not_over_and_over(
    keyed_client: CallbackClient, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        await keyed_client.post()
        await keyed_client.post_signed(key="another")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert any("KIE_WEBHOOK_KEY" in line for line in warnings)
    assert KEY not in caplog.text


# -- what the caller learns


async def _answer(house: BotHarness, path: str, body: bytes, **headers: str) -> tuple[int, bytes, list[str]]:
    url = f"{house.reverse_proxy.upstream}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.read(), [name for name in answer.headers if name != "Date"]


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("body", [BODY, b"", b"\xff", b" " * 70_000])
async def test_known_and_unknown_references_are_answered_alike(tmp_path: Path, key: str | None, body: bytes) -> None:
    async with open_bot_harness(tmp_path, is_called=True, kie_webhook_key=key) as house:
        await house.request_edit(make_photo())
        attempt = await house.bot.db.transact(lambda tx: tx.attempts.get_latest(1))
        assert attempt is not None
        paths = [f"/kie/callback/{reference}" for reference in (attempt.reference, "x" * 32, "%FF", attempt.reference)]
        answers = [await _answer(house, path, body) for path in paths]
        assert answers == [answers[0]] * 4


async def test_the_address_that_kie_was_given_is_let_in_whatever_strangers_do(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, is_called=True) as house:
        await house.request_edit(make_photo())
        [task] = house.kie.tasks.values()
        known = f"{task.call_back_url}".removeprefix(house.reverse_proxy.url)
        while (await _answer(house, "/kie/callback/made-up", b""))[0] != 429:
            pass
        assert (await _answer(house, known, BODY))[0] == 200
        assert (await _answer(house, "/kie/callback/made-up", b""))[0] == 429


async def test_without_a_public_address_there_is_no_such_door(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.reverse_proxy.upstream = await house.bot.http_server.open("127.0.0.1", 0)
        assert (await _answer(house, "/kie/callback/r", BODY))[0] == 404


async def test_kies_own_signature_is_accepted_end_to_end(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, is_called=True, kie={"webhook_key": KEY}, kie_webhook_key=KEY) as house:
        await house.request_edit(make_photo())
        await house.advance_time(21)
        assert house.reverse_proxy.statuses == [200]
        assert len(house.pictures()) == 1
        assert len(house.kie.calls_named("recordInfo")) == 1


async def test_with_another_key_than_kies_the_picture_comes_by_looking(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, is_called=True, kie={"webhook_key": "another"}, kie_webhook_key=KEY) as house:
        await house.request_edit(make_photo())
        await house.advance_time(32)
        assert house.reverse_proxy.statuses[0] == 403
        assert len(house.pictures()) == 1
