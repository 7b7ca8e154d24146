"""The converting process: whatever happens to it costs one picture, and it holds nothing worth stealing.

That nothing can be done from inside, `tests/test_process_isolation.py` shows.
"""

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from bot.child_process import ChildProcessExited
from bot.images import convert, limits
from bot.images.convert import CONVERSION_TIMEOUT, ImageChange, ImageConverter
from bot.images.converter_protocol import REQUEST_HEADER, ConversionOutcome, ConverterReply
from bot.images.errors import ConversionFailed, UnreadableImage
from bot.images.inspect import ImageFormat
from tests.images.sample_files import draw_picture, encode_picture, make_exif

T = TypeVar("T")

ROOT = Path(limits.__file__).parents[2]
ROTATED_JPEG = encode_picture("JPEG", exif=make_exif(6))
#: takes a while to decode
LARGE_PNG = encode_picture("PNG", draw_picture(size=(2400, 1800)), exif=make_exif(6))

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
async def own() -> AsyncIterator[ImageConverter]:
    """A converter whose processes may be ruined."""
    made = ImageConverter()
    yield made
    await made.aclose()


def running(converter: ImageConverter) -> int:
    assert converter.pid is not None
    return converter.pid


async def wait_until(happened: Callable[[], bool]) -> None:
    """Let the others run until something has happened."""
    while not happened():  # noqa: ASYNC110 - what is waited for announces itself to nobody
        await asyncio.sleep(0)


async def freeze_while_converting(converter: ImageConverter) -> asyncio.Task[ImageChange]:
    """Hand over a picture, and freeze the process that is at work on it."""

    async def how() -> ImageChange:
        return (await converter.convert(LARGE_PNG)).change

    task = asyncio.create_task(how())
    await wait_until(lambda: converter.pid is not None)
    os.kill(running(converter), signal.SIGSTOP)
    return task


def as_root(read: Callable[[], T]) -> T:
    """Look into a process that shows itself to root alone."""
    try:
        return read()
    except PermissionError:
        pytest.skip("only root can look into it")


def wait_until_gone(pid: int, seconds: float = 10) -> bool:
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


async def test_no_process_is_started_before_it_is_needed(own: ImageConverter) -> None:
    assert (await own.convert(encode_picture("JPEG"))).change is ImageChange.AS_IS
    assert own.pid is None


async def test_each_picture_has_a_process_of_its_own_one_at_a_time(own: ImageConverter) -> None:
    seen: set[int | None] = set()
    tasks = [asyncio.create_task(own.convert(ROTATED_JPEG)) for _ in range(3)]
    while not all(task.done() for task in tasks):
        seen.add(own.pid)
        await asyncio.sleep(0)
    assert {task.result().change for task in tasks} == {ImageChange.CONVERTED}
    assert len(seen - {None}) == 3


async def test_no_process_is_left_when_nothing_is_to_be_done(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    pid = running(own)
    os.kill(pid, signal.SIGCONT)
    assert await task is ImageChange.CONVERTED
    assert own.pid is None
    assert wait_until_gone(pid, seconds=0)


async def test_a_process_that_is_killed_once_costs_nothing(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    first = running(own)
    os.kill(first, signal.SIGKILL)
    assert await task is ImageChange.CONVERTED
    assert own.pid != first


async def test_a_picture_that_kills_twice_is_to_blame_and_the_next_is_served(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    first = running(own)
    waiting = asyncio.create_task(own.convert(ROTATED_JPEG))
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: own.pid not in {None, first})
    os.kill(running(own), signal.SIGKILL)
    with pytest.raises(UnreadableImage):
        await task
    assert (await waiting).change is ImageChange.CONVERTED


async def test_a_process_that_hangs_is_ended(own: ImageConverter) -> None:
    own._timeout = 0.1
    task = await freeze_while_converting(own)
    first = running(own)
    with pytest.raises(UnreadableImage):
        await task
    assert wait_until_gone(first)
    own._timeout = 60
    assert (await own.convert(ROTATED_JPEG)).change is ImageChange.CONVERTED


async def test_nobody_gets_the_answer_to_a_picture_that_was_given_up(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    first = running(own)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wait_until_gone(first)
    assert (await own.convert(ROTATED_JPEG)).format is ImageFormat.JPEG


async def test_no_process_is_left_after_closing(own: ImageConverter) -> None:
    await own.convert(ROTATED_JPEG)
    await own.aclose()
    assert own.pid is None


async def test_closing_does_not_wait_for_pictures(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    pid = running(own)
    await own.aclose()
    with pytest.raises(ConversionFailed):
        await task
    assert wait_until_gone(pid, seconds=0)


async def test_a_closed_converter_starts_nothing(own: ImageConverter) -> None:
    await own.aclose()
    with pytest.raises(ConversionFailed):
        await own.convert(ROTATED_JPEG)
    assert (await own.convert(encode_picture("JPEG"))).change is ImageChange.AS_IS


@linux
async def test_the_process_knows_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch, own: ImageConverter
) -> None:
    monkeypatch.setenv("KIE_API_KEY", "canary")
    task = await freeze_while_converting(own)
    environment = as_root(lambda: Path(f"/proc/{own.pid}/environ").read_bytes())
    assert b"canary" not in environment
    assert {entry.split(b"=")[0] for entry in environment.split(b"\0") if entry} == {b"PYTHONPATH", b"MALLOC_ARENA_MAX"}
    task.cancel()


@linux
async def test_the_process_is_bounded_and_can_open_nothing(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    bounds = Path(f"/proc/{own.pid}/limits").read_text()
    status = Path(f"/proc/{own.pid}/status").read_text()
    assert re.search(rf"Max address space +{limits.CONVERTER_MEMORY_BYTES} +{limits.CONVERTER_MEMORY_BYTES} ", bounds)
    for bound in ("open files", "file size", "core file size"):
        assert re.search(rf"Max {bound} +0 +0 ", bounds)
    assert re.search(rf"Max cpu time +{CONVERSION_TIMEOUT + 6:.0f} +{CONVERSION_TIMEOUT + 6:.0f} ", bounds)
    assert re.search(r"^Threads:\s+1$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    task.cancel()


@linux
async def test_the_process_holds_none_of_our_files(tmp_path: Path, own: ImageConverter) -> None:
    with (tmp_path / "ours").open("w") as ours:
        ours_too = os.dup2(ours.fileno(), 200)  # which any process of ours gets, unless it is closed
        task = await freeze_while_converting(own)
        os.close(ours_too)
    held = as_root(lambda: [str(entry.readlink()) for entry in Path(f"/proc/{own.pid}/fd").iterdir()])
    assert sorted(each.partition(":")[0] for each in held) == ["/dev/null", "/dev/null", "pipe", "pipe"]
    task.cancel()


async def test_a_process_that_has_ended_says_so_whenever_it_is_asked() -> None:
    process = await convert.start_converter_process(30)
    process.kill()
    await wait_until(lambda: process._child.exit_code is not None)
    for _ in range(2):
        with pytest.raises(ChildProcessExited):
            await process.convert(ROTATED_JPEG)
    await process.end()


BOT = """
import asyncio, sys
from bot.images.convert import ImageConverter

async def main():
    converter = ImageConverter()
    task = asyncio.create_task(converter.convert(sys.stdin.buffer.read()))
    while converter.pid is None:
        await asyncio.sleep(0)
    print(converter.pid, flush=True)
    await task

asyncio.run(main())
"""


@linux
def test_the_process_does_not_outlive_a_bot_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", BOT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bot:
        assert bot.stdin is not None
        assert bot.stdout is not None
        bot.stdin.write(LARGE_PNG)
        bot.stdin.close()
        pid = int(bot.stdout.readline())
        bot.kill()
        assert wait_until_gone(pid)


def run_converter_by_hand(content: bytes, seconds: str = "30") -> subprocess.CompletedProcess[bytes]:
    """Run the process by hand, with this one picture."""
    command = [sys.executable, "-m", "bot.images.converter_main", seconds]
    frame = REQUEST_HEADER.pack(len(content)) + content
    return subprocess.run(command, input=frame, cwd=ROOT, capture_output=True, check=False)


def test_the_process_ends_when_there_is_nothing_more_to_do() -> None:
    done = run_converter_by_hand(b"hello")
    assert done.returncode == 0
    assert done.stdout.startswith(ConverterReply(ConversionOutcome.READY).pack() + ConversionOutcome.UNREADABLE.value)


def test_the_process_ends_itself_over_a_picture_that_nobody_waits_for() -> None:
    done = run_converter_by_hand(LARGE_PNG, seconds="0.02")
    assert done.returncode == -signal.SIGALRM
    assert done.stdout == ConverterReply(ConversionOutcome.READY).pack()


async def test_a_process_that_cannot_start_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    converter = ImageConverter()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConversionFailed):
        await converter.convert(ROTATED_JPEG)
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(ConversionFailed):
        await converter.convert(ROTATED_JPEG)
    await converter.aclose()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_group_does_not_end_a_picture_at_work(
    own: ImageConverter, number: signal.Signals
) -> None:
    task = await freeze_while_converting(own)
    first = running(own)
    os.kill(first, number)
    os.kill(first, signal.SIGCONT)
    await wait_until(lambda: own.pid != first)
    assert task.done() or own.pid is None  # it was not tried again
    assert await task is ImageChange.CONVERTED


@linux
async def test_what_libraries_print_does_not_get_between_the_replies(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    assert as_root(lambda: str(Path(f"/proc/{own.pid}/fd/1").readlink())) == "/dev/null"
    task.cancel()


@linux
async def test_the_process_is_in_a_group_of_its_own(own: ImageConverter) -> None:
    task = await freeze_while_converting(own)
    assert os.getpgid(running(own)) == running(own)
    task.cancel()


READY = ConverterReply(ConversionOutcome.READY).pack()
UNTRUE_REPLIES = {
    "no picture": ConverterReply(ConversionOutcome.CONVERTED, b"hello").pack(),
    "a picture that tells": ConverterReply(
        ConversionOutcome.CONVERTED, encode_picture("JPEG", exif=make_exif(1, camera="canary"))
    ).pack(),
    "a picture that lies": ConverterReply(ConversionOutcome.DOWNSCALED, ROTATED_JPEG).pack(),
    "no known outcome": b"?" + ConverterReply(ConversionOutcome.CONVERTED).pack()[1:],
    "an endless picture": ConverterReply(ConversionOutcome.CONVERTED).pack()[:-4] + b"\xff\xff\xff\xff" + bytes(100),
    "half a picture": ConverterReply(ConversionOutcome.CONVERTED, encode_picture("JPEG")).pack()[:-100],
    "ready again": READY,
}


@pytest.mark.parametrize("reply", UNTRUE_REPLIES.values(), ids=UNTRUE_REPLIES.keys())
async def test_the_process_is_not_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reply: bytes) -> None:
    (tmp_path / "said").write_bytes(READY + reply)
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\n/bin/cat {tmp_path}/said\nexec /usr/bin/head -c {4 + len(ROTATED_JPEG)} >/dev/null\n")
    liar.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(liar))
    converter = ImageConverter(timeout=20)
    with pytest.raises(UnreadableImage):
        await converter.convert(ROTATED_JPEG)
    await converter.aclose()
