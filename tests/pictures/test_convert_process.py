"""The converting process: whatever happens to it costs one picture, and it holds nothing worth stealing."""

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.pictures import bounds, child_process
from bot.pictures.convert import Converter, How
from bot.pictures.errors import ConversionFailed, Unreadable
from bot.pictures.inspect import Kind
from bot.pictures.wire import PICTURE_HEAD, Outcome, Reply
from tests.pictures.files import drawn, exif, saved

ROOT = Path(bounds.__file__).parents[2]
TURNED = saved("JPEG", exif=exif(6))
#: takes a while to decode
LARGE = saved("PNG", drawn(size=(4000, 3000)), exif=exif(6))

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
async def own() -> AsyncIterator[Converter]:
    """A converter whose process is up and may be ruined."""
    made = Converter()
    await made.fit(TURNED)
    yield made
    await made.aclose()


def running(converter: Converter) -> int:
    assert converter.pid is not None
    return converter.pid


async def until(happened: Callable[[], bool]) -> None:
    """Let the others run until something has happened."""
    while not happened():  # noqa: ASYNC110 - what is waited for announces itself to nobody
        await asyncio.sleep(0)


async def stopped_over_a_picture(converter: Converter) -> asyncio.Task[How]:
    """Freeze the process, then hand it a picture, so that it is certainly at work on one."""

    async def how() -> How:
        return (await converter.fit(LARGE)).how

    os.kill(running(converter), signal.SIGSTOP)
    task = asyncio.create_task(how())
    await until(converter._turn.locked)
    return task


def gone(pid: int, seconds: float = 10) -> bool:
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


async def test_no_process_is_started_before_it_is_needed() -> None:
    converter = Converter()
    await converter.fit(saved("JPEG"))
    assert converter.pid is None
    await converter.aclose()


async def test_one_process_serves_many_pictures(own: Converter) -> None:
    first = own.pid
    done = await asyncio.gather(*(own.fit(TURNED) for _ in range(5)))
    assert {fitted.how for fitted in done} == {How.CONVERTED}
    assert own.pid == first


async def test_a_process_that_is_killed_once_costs_nothing(own: Converter) -> None:
    task = await stopped_over_a_picture(own)
    first = running(own)
    os.kill(first, signal.SIGKILL)
    assert await task is How.CONVERTED
    assert own.pid != first


async def test_a_picture_that_kills_twice_is_to_blame_and_the_next_is_served(own: Converter) -> None:
    task = await stopped_over_a_picture(own)
    first = running(own)
    waiting = asyncio.create_task(own.fit(TURNED))
    os.kill(first, signal.SIGKILL)
    await until(lambda: own.pid not in {None, first})
    os.kill(running(own), signal.SIGKILL)
    with pytest.raises(Unreadable):
        await task
    assert (await waiting).how is How.CONVERTED


async def test_a_process_that_hangs_is_replaced(own: Converter) -> None:
    first = running(own)
    own._timeout = 0.1
    task = await stopped_over_a_picture(own)
    with pytest.raises(Unreadable):
        await task
    assert gone(first)
    own._timeout = 60
    assert (await own.fit(TURNED)).how is How.CONVERTED


async def test_nobody_gets_the_answer_to_a_picture_that_was_given_up(own: Converter) -> None:
    task = await stopped_over_a_picture(own)
    first = running(own)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(first)
    assert (await own.fit(TURNED)).kind is Kind.JPEG


async def test_no_process_is_left_after_closing(own: Converter) -> None:
    pid = running(own)
    await own.aclose()
    assert gone(pid, seconds=0)
    assert own.pid is None


async def test_closing_does_not_wait_for_pictures(own: Converter) -> None:
    pid = running(own)
    task = await stopped_over_a_picture(own)
    await own.aclose()
    with pytest.raises(ConversionFailed):
        await task
    assert gone(pid, seconds=0)


async def test_a_closed_converter_starts_nothing(own: Converter) -> None:
    await own.aclose()
    with pytest.raises(ConversionFailed):
        await own.fit(TURNED)
    assert (await own.fit(saved("JPEG"))).how is How.AS_IS


@linux
async def test_an_idle_process_ends_and_is_replaced_when_needed() -> None:
    converter = Converter(idle=0.05)
    await converter.fit(TURNED)
    if (pid := converter.pid) is not None:
        assert await asyncio.to_thread(gone, pid)
    assert (await converter.fit(TURNED)).how is How.CONVERTED
    await converter.aclose()


@linux
async def test_the_process_knows_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIE_API_KEY", "canary")
    converter = Converter()
    await converter.fit(TURNED)
    environment = Path(f"/proc/{converter.pid}/environ").read_bytes()
    await converter.aclose()
    assert b"canary" not in environment
    assert {entry.split(b"=")[0] for entry in environment.split(b"\0") if entry} == {b"PYTHONPATH", b"MALLOC_ARENA_MAX"}


@linux
async def test_the_process_is_bounded_and_can_open_nothing(own: Converter) -> None:
    limits = Path(f"/proc/{own.pid}/limits").read_text()
    opened = len(list(Path(f"/proc/{own.pid}/fd").iterdir()))
    assert re.search(rf"Max address space +{bounds.CHILD_MEMORY} +{bounds.CHILD_MEMORY} ", limits)
    assert re.search(rf"Max open files +{opened} +{opened} ", limits)
    assert re.search(r"Max file size +0 +0 ", limits)


@linux
async def test_the_process_holds_none_of_our_files(tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w") as ours:
        ours_too = os.dup2(ours.fileno(), 200)  # which any process of ours gets, unless it is closed
        converter = Converter()
        await converter.fit(TURNED)
        held = [str(entry.readlink()) for entry in Path(f"/proc/{converter.pid}/fd").iterdir()]
        await converter.aclose()
        os.close(ours_too)
    assert sorted(each.partition(":")[0] for each in held) == ["/dev/null", "/dev/null", "socket", "socket"]


async def test_a_process_that_has_ended_says_so_whenever_it_is_asked() -> None:
    child = await child_process.start(30, 30)
    child.kill()
    await until(lambda: not child.is_alive)
    for _ in range(2):
        with pytest.raises(child_process.Broken):
            await child.convert(TURNED)
    await child.end()


BOT = """
import asyncio, sys, uvloop
from bot.pictures.convert import Converter

async def main():
    converter = Converter()
    await converter.fit(sys.stdin.buffer.read())
    print(converter.pid, flush=True)
    await asyncio.Event().wait()

uvloop.run(main())
"""


@linux
def test_the_process_does_not_outlive_a_bot_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", BOT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bot:
        assert bot.stdin is not None
        assert bot.stdout is not None
        bot.stdin.write(TURNED)
        bot.stdin.close()
        pid = int(bot.stdout.readline())
        bot.kill()
        assert gone(pid)


def child(content: bytes, seconds: str = "30") -> subprocess.CompletedProcess[bytes]:
    """Run the process by hand, with this one picture."""
    command = [sys.executable, "-m", "bot.pictures.conversion_child", seconds, "30"]
    frame = PICTURE_HEAD.pack(len(content)) + content
    return subprocess.run(command, input=frame, cwd=ROOT, capture_output=True, check=False)


def test_the_process_ends_when_there_is_nothing_more_to_do() -> None:
    done = child(b"hello")
    assert done.returncode == 0
    assert done.stdout.startswith(Reply(Outcome.READY).packed() + Outcome.UNREADABLE.value)


def test_the_process_ends_itself_over_a_picture_that_nobody_waits_for() -> None:
    done = child(LARGE, seconds="0.02")
    assert done.returncode == -signal.SIGALRM
    assert done.stdout == Reply(Outcome.READY).packed()


async def test_a_process_that_cannot_start_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    converter = Converter()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConversionFailed):
        await converter.fit(TURNED)
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(ConversionFailed):
        await converter.fit(TURNED)
    await converter.aclose()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_group_does_not_end_a_picture_at_work(
    own: Converter, number: signal.Signals
) -> None:
    first = running(own)
    os.kill(first, number)
    await own.fit(TURNED)
    assert own.pid == first


@linux
async def test_what_libraries_print_does_not_get_between_the_replies(own: Converter) -> None:
    assert str(Path(f"/proc/{own.pid}/fd/1").readlink()) == "/dev/null"


@linux
async def test_the_process_is_in_a_group_of_its_own(own: Converter) -> None:
    assert os.getpgid(running(own)) == running(own)


READY = Reply(Outcome.READY).packed()
LIES = {
    "no picture": Reply(Outcome.CONVERTED, b"hello").packed(),
    "a picture that tells": Reply(Outcome.CONVERTED, saved("JPEG", exif=exif(1, camera="canary"))).packed(),
    "a picture that lies": Reply(Outcome.SHRUNK, TURNED).packed(),
    "no known outcome": b"?" + Reply(Outcome.CONVERTED).packed()[1:],
    "an endless picture": Reply(Outcome.CONVERTED).packed()[:-4] + b"\xff\xff\xff\xff" + bytes(100),
    "half a picture": Reply(Outcome.CONVERTED, saved("JPEG")).packed()[:-100],
    "ready again": READY,
}


@pytest.mark.parametrize("reply", LIES.values(), ids=LIES.keys())
async def test_the_process_is_not_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reply: bytes) -> None:
    (tmp_path / "said").write_bytes(READY + reply)
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\n/bin/cat {tmp_path}/said\nexec /usr/bin/head -c {4 + len(TURNED)} >/dev/null\n")
    liar.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(liar))
    converter = Converter(timeout=20)
    with pytest.raises(Unreadable):
        await converter.fit(TURNED)
    await converter.aclose()
