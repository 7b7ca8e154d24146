"""`python -m bot sandbox`: the real bot on this machine, from a picture to its answer."""

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from bot.sandbox.cli import can_open_browser, main, save_answer
from bot.sandbox.samples import draw_house
from tests.sandbox.kie.api_client import make_picture

PROJECT_ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "bot", "sandbox")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a picture, and with settings that must be ignored."""
    (tmp_path / "cat.jpg").write_bytes(draw_house())
    (tmp_path / ".env").write_text("KIE_MODEL=unknown\nTELEGRAM_API_URL=http://192.0.2.1\n")
    return tmp_path


def sandbox_environment(folder: Path) -> dict[str, str]:
    wrong = {"KIE_MODEL": "unknown", "HTTP_PROXY": "http://192.0.2.1"}
    return os.environ | wrong | {"PYTHONPATH": str(PROJECT_ROOT), "TMPDIR": str(folder)}


def run_sandbox(folder: Path, *words: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--seconds", "0.2", *words],
        cwd=folder,
        env=sandbox_environment(folder),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_edit_goes_through_the_whole_bot(folder: Path) -> None:
    done = run_sandbox(folder, "--photo", "cat.jpg", "--caption", "make it snow", "--out", "answer.png")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'you sent cat.jpg: "make it snow"' in done.stdout
    with Image.open(folder / "answer.png") as answer:
        assert (answer.format, answer.size) == ("PNG", (1024, 768))


def test_a_refusal_is_shown_and_is_no_success(folder: Path) -> None:
    (folder / "notes.txt").write_text("no picture")
    done = run_sandbox(folder, "--photo", "notes.txt", "--as-file", "--caption", "make it snow")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "bot: " in done.stdout
    assert not (folder / "answer.png").exists()


def test_a_chat_answers_every_line_before_it_ends(folder: Path) -> None:
    done = run_sandbox(folder, "--terminal", typed="/help\nsample make it snow\n")
    assert done.returncode == 0, done.stdout + done.stderr
    [saved] = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("     saved ")]
    with Image.open(saved) as answer:
        assert answer.size == (1024, 768)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_chat_in_which_nobody_types_stays_open_until_it_is_stopped(folder: Path, number: int) -> None:
    with subprocess.Popen(
        [*COMMAND, "--terminal"],
        cwd=folder,
        env=sandbox_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("(Telegram is at"):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(20) == 0


@pytest.mark.parametrize("words", [[], ["--no-open"]])
def test_the_page_is_served_until_it_is_stopped_and_opened_unless_that_is_not_wanted(
    folder: Path, words: list[str]
) -> None:
    opener = folder / "opener"
    opener.write_text(f'#!/bin/sh\necho "$1" > {folder}/opened\n')
    opener.chmod(0o700)
    ours, theirs = pty.openpty()
    here = sandbox_environment(folder) | {"DISPLAY": ":0", "BROWSER": f"{opener}"}
    with subprocess.Popen([*COMMAND, *words], cwd=folder, env=here, stdin=subprocess.DEVNULL, stdout=theirs) as process:
        os.close(theirs)
        with open(ours, encoding="utf-8", closefd=False) as said:
            url = next(line.strip() for line in said if line.startswith("  http://127.0.0.1:"))
            with open_url(url) as answer:
                assert b"<title>Darkroom sandbox</title>" in answer.read()
            _wait_for_bot(url)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    os.close(ours)
    opened = folder / "opened"
    assert ([opened.read_text().strip()] if opened.exists() else []) == ([] if words else [url])


@contextmanager
def open_url(url: str) -> Iterator[HTTPResponse]:
    """Send a GET request."""
    address = urlsplit(url)
    with closing(HTTPConnection(address.netloc, timeout=20)) as connection:
        connection.request("GET", address.path)
        with connection.getresponse() as answer:
            yield answer


def _wait_for_bot(url: str) -> None:
    """Return once the page reports a running bot, which is after a browser was opened."""
    with open_url(f"{url}events") as feed:
        while b'"state": "running"' not in feed.readline():
            pass


@pytest.mark.parametrize(
    ("is_terminal", "environment", "expected"),
    [
        (True, {"DISPLAY": ":0"}, True),
        (True, {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (False, {"DISPLAY": ":0"}, False),
        (True, {}, False),
    ],
)
def test_somebody_is_there_at_a_terminal_with_a_screen(
    is_terminal: bool, environment: dict[str, str], expected: bool
) -> None:
    assert can_open_browser("linux", environment, is_terminal=is_terminal) is expected
    assert can_open_browser("darwin", {}, is_terminal=is_terminal) is is_terminal


def test_a_port_that_is_taken_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--no-open", "--port", f"{port}"]) == 2
    assert capsys.readouterr().err == f"--port {port} is in use: name another one.\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--photo", "missing.jpg"], "missing.jpg cannot be read"),
        (["--photo", "."], "cannot be read"),
        (["--photo", "notes.txt"], "no picture that can be sent as a photo"),
        (["--photo", "cat.jpg", "--out", "answer.gif"], "must end in .png"),
        (["--photo", "cat.jpg", "--out", "nowhere/answer.png"], "there is no folder nowhere"),
        (["--caption", "make it snow"], "go with --photo"),
        (["--terminal", "--live-kie"], "--live-kie goes with the page"),
        (["--live-kie"], "needs KIE_API_KEY in the environment"),
    ],
)
def test_a_mistake_in_the_command_is_told_before_anything_starts(
    folder: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "notes.txt").write_text("no picture")
    (folder / "cat.jpg").touch()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("KIE_API_KEY", raising=False)
    assert main(words) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan"])
def test_a_duration_is_a_sensible_number(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--seconds", seconds])
    assert "must be a number from 0 to 3600" in capsys.readouterr().err


def test_an_answer_in_the_wanted_format_is_kept_byte_for_byte(tmp_path: Path) -> None:
    save_answer(make_picture(kind="png"), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == make_picture(kind="png")


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP")]
)
def test_an_answer_is_converted_where_the_name_asks_for_it(tmp_path: Path, name: str, kind: str) -> None:
    save_answer(make_picture(kind="gif"), tmp_path / name)
    with Image.open(tmp_path / name) as answer:
        assert answer.format == kind
