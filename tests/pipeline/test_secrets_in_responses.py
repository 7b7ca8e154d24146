"""Secrets in responses of Kie and Telegram are neither shown nor stored, counted or logged.

Closing a harness searches its unfiltered log, its files and the chats for secrets. In these tests the other side quotes
them.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.logs import REDACTED
from bot.ops.jobs_command import run_jobs_command
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import failure
from bot.sandbox.telegram.errors import bad_request
from bot.settings import DatabaseSettings
from bot.telegram.client import Destination
from tests.bot_harness import BotHarness, open_bot_harness
from tests.inbound.metrics_scrape import scrape_metrics
from tests.process_harness import KEY, TOKEN, make_photo

ADMIN = 9009
TOKEN_SECRET = TOKEN.partition(":")[2]
IN_ADDRESS = f"https://api.telegram.org/file/bot{TOKEN}/photos/file_7.jpg"

#: Forms in which Kie's error texts may contain secrets.
TEXTS_WITH_SECRETS: dict[str, str] = {
    "the address of the picture": f"Image fetch failed: {IN_ADDRESS}",
    "escaped": f"Image fetch failed: {IN_ADDRESS.replace(':', '%3A').replace('/', '%2F')}",
    "escaped all through": "no picture at " + "".join(f"%{ord(char):02x}" for char in TOKEN),
    "in JSON": json.dumps({"url": IN_ADDRESS, "key": f"Bearer {KEY}"}),
    "by its numbers": "no picture at " + "".join(f"\\u{ord(char):04x}" for char in IN_ADDRESS),
    "in capitals": f"CANNOT FETCH {IN_ADDRESS.upper()} WITH {KEY.upper()}",
    "in part": f"the token that ends in {TOKEN_SECRET} is wrong",
    "the key": f"Invalid API key {KEY}",
    "behind so much that its end is cut off": "x" * 470 + TOKEN,
    "of somebody else": "bot987654:" + "stranger" * 5,
}


@asynccontextmanager
async def _open_observed_harness(folder: Path, **settings: Any) -> AsyncIterator[BotHarness]:
    async with open_bot_harness(folder, admin_ids=frozenset({ADMIN}), metrics_port=0, **settings) as house:
        house.telegram.person(user_id=ADMIN)
        yield house


def _has_no_secret(text: str) -> bool:
    """Say whether a text contains no usable part of a secret."""
    return not any(part in text.lower() for part in ("canary", "%63%61%6e%61%72%79", "\\u0063\\u0061", "stranger"))


async def _assert_nothing_leaks(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check everything that users, operators and their programs can see."""
    path = house.bot.settings.database_path
    rows = await house.bot.db.transact(lambda tx: "\n".join(tx._db.iterdump()))
    monkeypatch.setenv("DATABASE_PATH", path)
    assert DatabaseSettings().database_path == path
    run_jobs_command(1, house.clock.instant())
    run_jobs_command(None, house.clock.instant())
    shown = [message for chat in house.telegram.state.chats.values() for message in chat.messages.values()]
    for seen in (
        repr(shown),
        rows,
        (await scrape_metrics(house)).text,
        "\n".join(house.log_capture.lines),
        capsys.readouterr().out,
    ):
        assert _has_no_secret(seen)


@pytest.mark.parametrize(
    ("quoted", "transport"),
    [*((each, "direct") for each in TEXTS_WITH_SECRETS), ("in JSON", "upload"), ("the key", "upload")],
)
async def test_what_kie_says_of_a_failure_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quoted: str, transport: str
) -> None:
    text = TEXTS_WITH_SECRETS[quoted]
    how = {"image_transport": transport, "allow_token_in_urls": True}
    async with _open_observed_harness(tmp_path, **how) as house:
        house.kie.script_outcomes(failure(text, refunded=False), failure(f"violates the policy: {text}"))
        await house.request_edit(make_photo())
        await house.advance_time(30)
        await house.request_edit(make_photo("red"))
        await house.advance_time(30)
        assert len(house.sent_texts()) == 2
        assert "could not finish" in house.sent_texts()[0], "the person is told all the same"
        await _assert_nothing_leaks(house, monkeypatch, capsys)


async def test_what_kie_says_of_an_order_an_upload_or_a_look_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _open_observed_harness(tmp_path) as house:
        for code, what in ((422, "createTask"), (505, "upload"), (500, "createTask"), (401, "credit")):
            body = json.dumps({"code": code, "msg": f"{TEXTS_WITH_SECRETS['in JSON']} {TOKEN}", "data": None}).encode()
            house.kie.faults.add(what, Fault(FaultKind.RESPOND, status=200, body=body))
            await house.request_edit(make_photo())
            await house.advance_time(60)
        assert [REDACTED in text for text in house.sent_texts()] == [True, True]
        await _assert_nothing_leaks(house, monkeypatch, capsys)


async def test_addresses_and_ids_that_hold_a_secret_are_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _open_observed_harness(tmp_path) as house:
        answers: dict[str, Callable[[str], object]] = {
            "upload": lambda secret: {"code": 200, "data": {"downloadUrl": f"{house.kie.url}/{secret}.jpg"}},
            "createTask": lambda secret: {"code": 200, "data": {"taskId": f"task-{secret}"}},
        }
        for secret in (TOKEN, KEY):
            for what, answer in answers.items():
                body = json.dumps(answer(secret)).encode()
                house.kie.faults.add(what, Fault(FaultKind.RESPOND, status=200, body=body))
            await house.request_edit(make_photo())
            await house.advance_time(5)
        await _assert_nothing_leaks(house, monkeypatch, capsys)


async def test_a_result_at_an_address_with_a_secret_is_lost_rather_than_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _open_observed_harness(tmp_path) as house:
        await house.request_edit(make_photo())
        [task] = house.kie.tasks.values()
        task.result_url = f"{house.kie.url}/workers/nano/{TOKEN}.png"
        await house.advance_time(120)
        assert house.pictures() == []
        await _assert_nothing_leaks(house, monkeypatch, capsys)


async def test_a_callback_that_names_a_task_with_a_secret_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _open_observed_harness(tmp_path, is_called=True) as house:
        house.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
        await house.request_edit(make_photo())
        [task] = house.kie.tasks.values()
        assert task.call_back_url is not None
        await house.kie.send_callback(task.call_back_url, {"data": {"taskId": f"task-{TOKEN}"}})
        await house.settle()
        await _assert_nothing_leaks(house, monkeypatch, capsys)


@pytest.mark.parametrize("quoted", ["escaped", "in JSON", "in capitals", "of somebody else"])
async def test_what_telegram_says_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quoted: str
) -> None:
    async with _open_observed_harness(tmp_path) as house:
        for what in ("sendPhoto", "sendDocument"):
            house.telegram.faults.add(what, bad_request(TEXTS_WITH_SECRETS[quoted]))
        await house.request_edit(make_photo())
        await house.advance_time(60)
        assert len(house.sent_texts()) == len(house.sent_texts(ADMIN)) == 1, (
            "both are told that the picture cannot be sent"
        )
        await _assert_nothing_leaks(house, monkeypatch, capsys)


async def test_what_telegram_says_of_a_webhook_holds_no_secret(tmp_path: Path) -> None:
    async with _open_observed_harness(tmp_path) as house:
        info = {
            "url": f"https://elsewhere.example/{TOKEN}",
            "pending_update_count": 3,
            "last_error_message": IN_ADDRESS,
        }
        body = json.dumps({"ok": True, "result": info}).encode()
        house.telegram.faults.add("getWebhookInfo", Fault(FaultKind.RESPOND, status=200, body=body))
        known = await house.bot.telegram.get_webhook_status()
        assert _has_no_secret(repr(known))
        assert known.pending_updates == 3
        house.telegram.faults.add("sendMessage", bad_request(IN_ADDRESS))
        with pytest.raises(Exception, match="file") as caught:
            await house.bot.telegram.send_message(Destination(house.ada.id), "hello")
        assert _has_no_secret(f"{caught.value!r} {caught.value.__cause__!r}")
