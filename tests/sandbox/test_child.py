"""The sandbox's bot runs apart from everything that is set around it."""

import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.child import KEPT, BotStopped, Child, LogLine, Servers, environment, read_line
from bot.sandbox.stage import made_up_token

READY = "import sys, time; print('ready: @bot takes updates', file=sys.stderr, flush=True); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY


@pytest.fixture
async def heard() -> list[LogLine]:
    return []


@pytest.fixture
async def child(heard: list[LogLine]) -> AsyncIterator[Child]:
    child = Child(heard.append)
    yield child
    await child.stop(0.1)


async def start(child: Child, script: str, folder: Path) -> None:
    await child.start([sys.executable, "-c", script], {"PATH": os.environ["PATH"]}, folder)


def test_nothing_of_the_settings_around_reaches_the_bot(tmp_path: Path) -> None:
    names = ("TELEGRAM_BOT_TOKEN", "KIE_API_KEY", "KIE_MODEL", "ADMIN_IDS", "HTTPS_PROXY", "all_proxy", "PYTHONHOME")
    around = dict.fromkeys(names, "the operator's") | {"PATH": "/bin", "LANG": "C"}
    given = environment(Servers("http://t", "1:a", "http://k", "key"), tmp_path, around)
    assert "the operator's" not in given.values()
    assert set(given) & set(KEPT) == {"PATH", "LANG"}


def test_the_bot_is_sent_to_the_local_servers_and_nowhere_else(tmp_path: Path) -> None:
    given = environment(Servers("http://t", "1:a", "http://k", "key"), tmp_path, {})
    assert (given["TELEGRAM_API_URL"], given["TELEGRAM_BOT_TOKEN"]) == ("http://t", "1:a")
    assert (given["KIE_API_URL"], given["KIE_UPLOAD_URL"], given["KIE_API_KEY"]) == ("http://k", "http://k", "key")
    assert Path(given["DATABASE_PATH"]).parent == tmp_path


def test_the_made_up_token_has_the_form_of_one() -> None:
    assert re.fullmatch(r"\d+:[A-Za-z0-9_-]{30,}", made_up_token())


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ('{"level": "INFO", "message": "job 1: queued"}', LogLine("job 1: queued", "INFO", about_job=True)),
        ('{"level": "INFO", "message": "x", "job": 1}', LogLine("x", "INFO", about_job=True)),
        ('{"level": "ERROR", "message": "no", "error": "Trace"}', LogLine("no\nTrace", "ERROR")),
        ("Traceback (most recent call last):", LogLine("Traceback (most recent call last):")),
        ("17", LogLine("17")),
        ('{"level": "INFO"}', LogLine('{"level": "INFO"}')),
    ],
)
def test_a_line_of_the_log_is_understood(raw: str, line: LogLine) -> None:
    assert read_line(raw) == line


def test_steps_and_trouble_are_news_and_chatter_is_not() -> None:
    lines = [LogLine("x", "INFO"), LogLine("x", "INFO", about_job=True), LogLine("x", "ERROR"), LogLine("x")]
    assert [line.is_news for line in lines] == [False, True, True, True]


async def test_it_is_ready_when_its_log_says_so(child: Child, heard: list[LogLine], tmp_path: Path) -> None:
    await start(child, READY, tmp_path)
    await child.ready(20)
    assert [line.text for line in heard] == ["ready: @bot takes updates"]
    child.check()


async def test_a_bot_that_dies_leaves_its_last_words(child: Child, tmp_path: Path) -> None:
    await start(child, "raise SystemExit('KIE_API_KEY is missing')", tmp_path)
    with pytest.raises(BotStopped, match="KIE_API_KEY is missing"):
        await child.ready(20)


async def test_a_bot_that_does_not_listen_is_ended_all_the_same(child: Child, tmp_path: Path) -> None:
    await start(child, DEAF, tmp_path)
    await child.ready(20)
    await child.stop(0.1)
    with pytest.raises(BotStopped):
        child.check()


async def test_a_bot_that_never_gets_ready_is_given_up(child: Child, tmp_path: Path) -> None:
    await start(child, "import time; time.sleep(60)", tmp_path)
    with pytest.raises(TimeoutError):
        await child.ready(0.1)
