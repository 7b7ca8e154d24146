"""The sandbox's bot is isolated from the settings of its surroundings."""

import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.bot_process import (
    INHERITED_VARIABLES,
    BotLogLine,
    BotProcess,
    BotStopped,
    ServiceEndpoints,
    build_environment,
    parse_log_line,
)
from bot.sandbox.harness import fake_token

READY_SCRIPT = "import sys, time; print('ready: @bot takes updates', file=sys.stderr, flush=True); time.sleep(60)"
DEAF_SCRIPT = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY_SCRIPT


@pytest.fixture
async def log_lines() -> list[BotLogLine]:
    return []


@pytest.fixture
async def process(log_lines: list[BotLogLine]) -> AsyncIterator[BotProcess]:
    process = BotProcess(log_lines.append)
    yield process
    await process.stop(0.1)


async def start_script(process: BotProcess, script: str, folder: Path) -> None:
    await process.start([sys.executable, "-c", script], {"PATH": os.environ["PATH"]}, folder)


def test_nothing_of_the_settings_around_reaches_the_bot(tmp_path: Path) -> None:
    names = ("TELEGRAM_BOT_TOKEN", "KIE_API_KEY", "KIE_MODEL", "ADMIN_IDS", "HTTPS_PROXY", "all_proxy", "PYTHONHOME")
    surroundings = dict.fromkeys(names, "the operator's") | {"PATH": "/bin", "LANG": "C"}
    given = build_environment(ServiceEndpoints("http://t", "1:a", "http://k", "key"), tmp_path, surroundings)
    assert "the operator's" not in given.values()
    assert set(given) & set(INHERITED_VARIABLES) == {"PATH", "LANG"}


def test_the_bot_is_sent_to_the_local_servers_and_nowhere_else(tmp_path: Path) -> None:
    given = build_environment(ServiceEndpoints("http://t", "1:a", "http://k", "key"), tmp_path, {})
    assert (given["TELEGRAM_API_URL"], given["TELEGRAM_BOT_TOKEN"]) == ("http://t", "1:a")
    assert (given["KIE_API_URL"], given["KIE_UPLOAD_URL"], given["KIE_API_KEY"]) == ("http://k", "http://k", "key")
    assert Path(given["DATABASE_PATH"]).parent == tmp_path


def test_the_made_up_token_has_the_form_of_one() -> None:
    assert re.fullmatch(r"\d+:[A-Za-z0-9_-]{30,}", fake_token())


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ('{"level": "INFO", "message": "job 1: queued"}', BotLogLine("job 1: queued", "INFO", is_about_job=True)),
        ('{"level": "INFO", "message": "x", "job": 1}', BotLogLine("x", "INFO", is_about_job=True)),
        ('{"level": "ERROR", "message": "no", "error": "Trace"}', BotLogLine("no\nTrace", "ERROR")),
        ("Traceback (most recent call last):", BotLogLine("Traceback (most recent call last):")),
        ("17", BotLogLine("17")),
        ('{"level": "INFO"}', BotLogLine('{"level": "INFO"}')),
    ],
)
def test_a_line_of_the_log_is_understood(raw: str, line: BotLogLine) -> None:
    assert parse_log_line(raw) == line


def test_steps_and_trouble_are_news_and_chatter_is_not() -> None:
    lines = [
        BotLogLine("x", "INFO"),
        BotLogLine("x", "INFO", is_about_job=True),
        BotLogLine("x", "ERROR"),
        BotLogLine("x"),
    ]
    assert [line.is_noteworthy for line in lines] == [False, True, True, True]


async def test_it_is_ready_when_its_log_says_so(
    process: BotProcess, log_lines: list[BotLogLine], tmp_path: Path
) -> None:
    await start_script(process, READY_SCRIPT, tmp_path)
    await process.wait_until_ready(20)
    assert [line.text for line in log_lines] == ["ready: @bot takes updates"]
    process.raise_if_stopped()


async def test_a_bot_that_dies_leaves_its_last_words(process: BotProcess, tmp_path: Path) -> None:
    await start_script(process, "raise SystemExit('KIE_API_KEY is missing')", tmp_path)
    with pytest.raises(BotStopped, match="KIE_API_KEY is missing"):
        await process.wait_until_ready(20)


async def test_a_bot_that_does_not_listen_is_ended_all_the_same(process: BotProcess, tmp_path: Path) -> None:
    await start_script(process, DEAF_SCRIPT, tmp_path)
    await process.wait_until_ready(20)
    await process.stop(0.1)
    with pytest.raises(BotStopped):
        process.raise_if_stopped()


async def test_a_bot_that_never_gets_ready_is_given_up(process: BotProcess, tmp_path: Path) -> None:
    await start_script(process, "import time; time.sleep(60)", tmp_path)
    with pytest.raises(TimeoutError):
        await process.wait_until_ready(0.1)
