"""Whatever Kie and Telegram say, nobody reads a secret in it, and none is stored, counted or printed.

A house searches for secrets by itself when it is closed: its log as it was before any filter, its files, and what the
chats show. Here the other side quotes them on purpose.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.chat.client import Place
from bot.operate.lives.command import jobs
from bot.redaction import MARK
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import fail
from bot.sandbox.telegram.refusals import bad_request
from bot.settings import Stored
from tests.doors.figures import figures_of
from tests.house import House, a_house
from tests.world import KEY, TOKEN, a_photo

ADMIN = 9009
HALF = TOKEN.partition(":")[2]
IN_ADDRESS = f"https://api.telegram.org/file/bot{TOKEN}/photos/file_7.jpg"

#: How Kie may put them into words.
QUOTES: dict[str, str] = {
    "the address of the picture": f"Image fetch failed: {IN_ADDRESS}",
    "escaped": f"Image fetch failed: {IN_ADDRESS.replace(':', '%3A').replace('/', '%2F')}",
    "escaped all through": "no picture at " + "".join(f"%{ord(char):02x}" for char in TOKEN),
    "in JSON": json.dumps({"url": IN_ADDRESS, "key": f"Bearer {KEY}"}),
    "by its numbers": "no picture at " + "".join(f"\\u{ord(char):04x}" for char in IN_ADDRESS),
    "in capitals": f"CANNOT FETCH {IN_ADDRESS.upper()} WITH {KEY.upper()}",
    "in part": f"the token that ends in {HALF} is wrong",
    "the key": f"Invalid API key {KEY}",
    "behind so much that its end is cut off": "x" * 470 + TOKEN,
    "of somebody else": "bot987654:" + "stranger" * 5,
}


@asynccontextmanager
async def _overheard(folder: Path, **settings: Any) -> AsyncIterator[House]:
    async with a_house(folder, admin_ids=frozenset({ADMIN}), metrics_port=0, **settings) as house:
        house.telegram.person(user_id=ADMIN)
        yield house


def _is_clean(text: str) -> bool:
    """Say whether there is not even a part of a secret that somebody could use."""
    return not any(part in text.lower() for part in ("canary", "%63%61%6e%61%72%79", "\\u0063\\u0061", "stranger"))


async def _nobody_hears(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Look at all that people, operators and their programs can see."""
    path = house.bot.settings.database_path
    rows = await house.bot.db.unit(lambda tx: "\n".join(tx._db.iterdump()))
    monkeypatch.setenv("DATABASE_PATH", path)
    assert Stored().database_path == path
    jobs(1, house.clock.instant())
    jobs(None, house.clock.instant())
    shown = [message for chat in house.telegram.cloud.chats.values() for message in chat.messages.values()]
    for seen in (
        repr(shown),
        rows,
        (await figures_of(house)).text,
        "\n".join(house.heard.lines),
        capsys.readouterr().out,
    ):
        assert _is_clean(seen)


@pytest.mark.parametrize(
    ("quoted", "transport"), [*((each, "direct") for each in QUOTES), ("in JSON", "upload"), ("the key", "upload")]
)
async def test_what_kie_says_of_a_failure_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quoted: str, transport: str
) -> None:
    words = QUOTES[quoted]
    how = {"image_transport": transport, "allow_token_in_urls": True}
    async with _overheard(tmp_path, **how) as house:
        house.kie.script(fail(words, refunded=False), fail(f"violates the policy: {words}"))
        await house.ask(a_photo())
        await house.pass_time(30)
        await house.ask(a_photo("red"))
        await house.pass_time(30)
        assert len(house.words()) == 2
        assert "could not finish" in house.words()[0], "the person is told all the same"
        await _nobody_hears(house, monkeypatch, capsys)


async def test_what_kie_says_of_an_order_an_upload_or_a_look_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _overheard(tmp_path) as house:
        for code, what in ((422, "createTask"), (505, "upload"), (500, "createTask"), (401, "credit")):
            body = json.dumps({"code": code, "msg": f"{QUOTES['in JSON']} {TOKEN}", "data": None}).encode()
            house.kie.faults.add(what, Fault(Kind.ANSWER, status=200, body=body))
            await house.ask(a_photo())
            await house.pass_time(60)
        assert [MARK in words for words in house.words()] == [True, True]
        await _nobody_hears(house, monkeypatch, capsys)


async def test_addresses_and_ids_that_hold_a_secret_are_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _overheard(tmp_path) as house:
        answers: dict[str, Callable[[str], object]] = {
            "upload": lambda secret: {"code": 200, "data": {"downloadUrl": f"{house.kie.url}/{secret}.jpg"}},
            "createTask": lambda secret: {"code": 200, "data": {"taskId": f"task-{secret}"}},
        }
        for secret in (TOKEN, KEY):
            for what, answer in answers.items():
                body = json.dumps(answer(secret)).encode()
                house.kie.faults.add(what, Fault(Kind.ANSWER, status=200, body=body))
            await house.ask(a_photo())
            await house.pass_time(5)
        await _nobody_hears(house, monkeypatch, capsys)


async def test_a_result_at_an_address_with_a_secret_is_lost_rather_than_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _overheard(tmp_path) as house:
        await house.ask(a_photo())
        [task] = house.kie.tasks.values()
        task.result_url = f"{house.kie.url}/workers/nano/{TOKEN}.png"
        await house.pass_time(120)
        assert house.pictures() == []
        await _nobody_hears(house, monkeypatch, capsys)


async def test_a_callback_that_names_a_task_with_a_secret_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _overheard(tmp_path, is_called=True) as house:
        house.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
        await house.ask(a_photo())
        [task] = house.kie.tasks.values()
        assert task.call_back_url is not None
        await house.kie.call(task.call_back_url, {"data": {"taskId": f"task-{TOKEN}"}})
        await house.settle()
        await _nobody_hears(house, monkeypatch, capsys)


@pytest.mark.parametrize("quoted", ["escaped", "in JSON", "in capitals", "of somebody else"])
async def test_what_telegram_says_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quoted: str
) -> None:
    async with _overheard(tmp_path) as house:
        for what in ("sendPhoto", "sendDocument"):
            house.telegram.faults.add(what, bad_request(QUOTES[quoted]))
        await house.ask(a_photo())
        await house.pass_time(60)
        assert len(house.words()) == len(house.words(ADMIN)) == 1, "both are told that the picture cannot be sent"
        await _nobody_hears(house, monkeypatch, capsys)


async def test_what_telegram_says_of_a_webhook_holds_no_secret(tmp_path: Path) -> None:
    async with _overheard(tmp_path) as house:
        info = {
            "url": f"https://elsewhere.example/{TOKEN}",
            "pending_update_count": 3,
            "last_error_message": IN_ADDRESS,
        }
        body = json.dumps({"ok": True, "result": info}).encode()
        house.telegram.faults.add("getWebhookInfo", Fault(Kind.ANSWER, status=200, body=body))
        known = await house.bot.chat.webhook()
        assert _is_clean(repr(known))
        assert known.waiting == 3
        house.telegram.faults.add("sendMessage", bad_request(IN_ADDRESS))
        with pytest.raises(Exception, match="file") as caught:
            await house.bot.chat.say(Place(house.ada.id), "hello")
        assert _is_clean(f"{caught.value!r} {caught.value.__cause__!r}")
