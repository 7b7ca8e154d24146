"""The converter process: its failure costs one image, and it holds no secret.

`tests/test_process_isolation.py` attacks from inside such a process.
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

from bot.child_process import ChildProcessFailed, start_child_process
from bot.images import limits
from bot.images.convert import ImageChange, ImageConverter
from bot.images.errors import CONVERTED, DOWNSCALED, ConverterUnavailable, UnreadableImage
from bot.images.format_detection import ImageFormat
from bot.images.limits import CONVERSION_TIMEOUT
from bot.process_isolation import FILTERED, FRAME_HEADER, MAX_MEMORY_BYTES
from tests.images.sample_files import draw_image, encode_image, make_exif

T = TypeVar("T")

ROOT = Path(limits.__file__).parents[2]
ROTATED_JPEG = encode_image("JPEG", exif=make_exif(6))
#: slow to decode
LARGE_PNG = encode_image("PNG", draw_image(size=(2400, 1800)), exif=make_exif(6))

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
async def fresh_converter() -> AsyncIterator[ImageConverter]:
    """A converter for one test, which may kill its processes."""
    made = ImageConverter()
    yield made
    await made.aclose()


def running(converter: ImageConverter) -> int:
    assert converter.pid is not None
    return converter.pid


async def wait_until(happened: Callable[[], bool]) -> None:
    """Run the event loop until something has happened."""
    while not happened():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


async def freeze_while_converting(converter: ImageConverter) -> asyncio.Task[ImageChange]:
    """Start to convert an image, and freeze the process at work on it."""

    async def convert() -> ImageChange:
        return (await converter.convert(LARGE_PNG)).change

    task = asyncio.create_task(convert())
    await wait_until(lambda: converter.pid is not None)
    os.kill(running(converter), signal.SIGSTOP)
    return task


def as_root(read: Callable[[], T]) -> T:
    """Read what a process shows to root alone."""
    try:
        return read()
    except PermissionError:
        pytest.skip("only root can look into it")


def wait_until_gone(pid: int, seconds: float = 10) -> bool:
    """Wait until a process has ended; tell whether it has."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


async def test_no_process_is_started_before_it_is_needed(fresh_converter: ImageConverter) -> None:
    assert (await fresh_converter.convert(encode_image("JPEG"))).change is ImageChange.AS_IS
    assert fresh_converter.pid is None


async def test_each_picture_has_a_process_of_its_own_one_at_a_time(fresh_converter: ImageConverter) -> None:
    seen: set[int | None] = set()
    tasks = [asyncio.create_task(fresh_converter.convert(ROTATED_JPEG)) for _ in range(3)]
    while not all(task.done() for task in tasks):
        seen.add(fresh_converter.pid)
        await asyncio.sleep(0)
    assert {task.result().change for task in tasks} == {ImageChange.CONVERTED}
    assert len(seen - {None}) == 3


async def test_no_process_is_left_when_nothing_is_to_be_done(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    pid = running(fresh_converter)
    os.kill(pid, signal.SIGCONT)
    assert await task is ImageChange.CONVERTED
    assert fresh_converter.pid is None
    assert wait_until_gone(pid, seconds=0)


async def test_a_process_that_is_killed_once_costs_nothing(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    first = running(fresh_converter)
    os.kill(first, signal.SIGKILL)
    assert await task is ImageChange.CONVERTED
    assert fresh_converter.pid != first


async def test_a_picture_that_kills_twice_is_to_blame_and_the_next_is_served(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    first = running(fresh_converter)
    waiting = asyncio.create_task(fresh_converter.convert(ROTATED_JPEG))
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: fresh_converter.pid not in {None, first})
    os.kill(running(fresh_converter), signal.SIGKILL)
    with pytest.raises(UnreadableImage):
        await task
    assert (await waiting).change is ImageChange.CONVERTED


async def test_a_process_that_hangs_is_ended(fresh_converter: ImageConverter) -> None:
    fresh_converter._timeout = 0.1
    task = await freeze_while_converting(fresh_converter)
    first = running(fresh_converter)
    with pytest.raises(UnreadableImage):
        await task
    assert wait_until_gone(first)
    fresh_converter._timeout = 60
    assert (await fresh_converter.convert(ROTATED_JPEG)).change is ImageChange.CONVERTED


async def test_nobody_gets_the_answer_to_a_picture_that_was_given_up(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    first = running(fresh_converter)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wait_until_gone(first)
    assert (await fresh_converter.convert(ROTATED_JPEG)).format is ImageFormat.JPEG


async def test_no_process_is_left_after_closing(fresh_converter: ImageConverter) -> None:
    await fresh_converter.convert(ROTATED_JPEG)
    await fresh_converter.aclose()
    assert fresh_converter.pid is None


async def test_closing_does_not_wait_for_pictures(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    pid = running(fresh_converter)
    await fresh_converter.aclose()
    with pytest.raises(ConverterUnavailable):
        await task
    assert wait_until_gone(pid, seconds=0)


async def test_a_closed_converter_starts_nothing(fresh_converter: ImageConverter) -> None:
    await fresh_converter.aclose()
    with pytest.raises(ConverterUnavailable):
        await fresh_converter.convert(ROTATED_JPEG)
    assert (await fresh_converter.convert(encode_image("JPEG"))).change is ImageChange.AS_IS


@linux
async def test_the_process_knows_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch, fresh_converter: ImageConverter
) -> None:
    monkeypatch.setenv("KIE_API_KEY", "canary")
    task = await freeze_while_converting(fresh_converter)
    environment = as_root(lambda: Path(f"/proc/{fresh_converter.pid}/environ").read_bytes())
    assert b"canary" not in environment
    assert {entry.split(b"=")[0] for entry in environment.split(b"\0") if entry} == {b"PYTHONPATH", b"MALLOC_ARENA_MAX"}
    task.cancel()


@linux
async def test_the_process_is_bounded_and_can_open_nothing(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    bounds = Path(f"/proc/{fresh_converter.pid}/limits").read_text()
    status = Path(f"/proc/{fresh_converter.pid}/status").read_text()
    assert re.search(rf"Max address space +{MAX_MEMORY_BYTES} +{MAX_MEMORY_BYTES} ", bounds)
    for bound in ("open files", "file size", "core file size"):
        assert re.search(rf"Max {bound} +0 +0 ", bounds)
    assert re.search(rf"Max cpu time +{CONVERSION_TIMEOUT + 6:.0f} +{CONVERSION_TIMEOUT + 6:.0f} ", bounds)
    assert re.search(r"^Threads:\s+1$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    task.cancel()


@linux
async def test_the_process_holds_none_of_our_files(tmp_path: Path, fresh_converter: ImageConverter) -> None:
    with (tmp_path / "ours").open("w") as ours:
        ours_too = os.dup2(ours.fileno(), 200)  # inheritable, unlike the first
        task = await freeze_while_converting(fresh_converter)
        os.close(ours_too)
    held = as_root(lambda: [str(entry.readlink()) for entry in Path(f"/proc/{fresh_converter.pid}/fd").iterdir()])
    *null_devices, request, reply = sorted(each.partition(":")[0] for each in held)
    assert null_devices == ["/dev/null", "/dev/null"]
    assert {request, reply} <= {"pipe", "socket"}
    task.cancel()


async def test_a_process_that_has_ended_says_so_whenever_it_is_asked() -> None:
    async with start_child_process("bot.images.converter_process", seconds=30) as process:
        process.kill()
        await wait_until(lambda: process.exit_code is not None)
        for _ in range(2):
            with pytest.raises(ChildProcessFailed):
                await process.request(ROTATED_JPEG, max_reply_bytes=1000)


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


def frame(content: bytes) -> bytes:
    """Return a request or a reply as it is sent."""
    return FRAME_HEADER.pack(len(content)) + content


def run_converter_by_hand(content: bytes, seconds: str = "30") -> subprocess.CompletedProcess[bytes]:
    """Run the converter process with one request."""
    command = [sys.executable, "-m", "bot.images.converter_process", seconds]
    return subprocess.run(command, input=frame(content), cwd=ROOT, capture_output=True, check=False)


def test_the_process_ends_when_there_is_nothing_more_to_do() -> None:
    done = run_converter_by_hand(b"hello")
    assert done.returncode == 0
    assert done.stdout.startswith(FILTERED)
    assert done.stdout[len(FILTERED) + FRAME_HEADER.size :].startswith(b"U")  # unreadable


def test_the_process_ends_itself_over_a_picture_that_nobody_waits_for() -> None:
    done = run_converter_by_hand(LARGE_PNG, seconds="0.02")
    assert done.returncode == -signal.SIGALRM
    assert done.stdout == FILTERED


async def test_a_process_that_cannot_start_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    converter = ImageConverter()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConverterUnavailable):
        await converter.convert(ROTATED_JPEG)
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(ConverterUnavailable):
        await converter.convert(ROTATED_JPEG)
    await converter.aclose()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_group_does_not_end_a_picture_at_work(
    fresh_converter: ImageConverter, number: signal.Signals
) -> None:
    task = await freeze_while_converting(fresh_converter)
    first = running(fresh_converter)
    os.kill(first, number)
    os.kill(first, signal.SIGCONT)
    await wait_until(lambda: fresh_converter.pid != first)
    assert task.done() or fresh_converter.pid is None  # it was not tried again
    assert await task is ImageChange.CONVERTED


@linux
async def test_what_libraries_print_does_not_get_between_the_replies(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    assert as_root(lambda: str(Path(f"/proc/{fresh_converter.pid}/fd/1").readlink())) == "/dev/null"
    task.cancel()


@linux
async def test_the_process_is_in_a_group_of_its_own(fresh_converter: ImageConverter) -> None:
    task = await freeze_while_converting(fresh_converter)
    assert os.getpgid(running(fresh_converter)) == running(fresh_converter)
    task.cancel()


UNTRUE_REPLIES = {
    "no image": frame(CONVERTED + b"hello"),
    "an image that tells": frame(CONVERTED + encode_image("JPEG", exif=make_exif(1, camera="canary"))),
    "an image that lies": frame(DOWNSCALED + ROTATED_JPEG),
    "no known outcome": frame(b"?" + encode_image("JPEG")),
    "dimensions that are none": frame(b"Phuge"),
    "nothing": frame(b""),
    "an endless image": b"\xff\xff\xff\xff" + CONVERTED + bytes(100),
    "half an image": frame(CONVERTED + encode_image("JPEG"))[:-100],
    "ready again": FILTERED,
}


@pytest.fixture
def hostile_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Replaces the converter process by a shell script."""

    def replace(script: str) -> None:
        file = tmp_path / "hostile"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(file))

    return replace


@pytest.mark.parametrize("reply", UNTRUE_REPLIES.values(), ids=UNTRUE_REPLIES.keys())
async def test_the_process_is_not_believed(
    hostile_process: Callable[[str], None], tmp_path: Path, reply: bytes
) -> None:
    (tmp_path / "reply").write_bytes(FILTERED + reply)
    hostile_process(f"/bin/cat {tmp_path}/reply\nexec /usr/bin/head -c {4 + len(ROTATED_JPEG)} >/dev/null")
    converter = ImageConverter(timeout=20)
    with pytest.raises(UnreadableImage):
        await converter.convert(ROTATED_JPEG)
    await converter.aclose()


async def test_a_process_that_reads_nothing_and_writes_without_an_end_is_killed(
    hostile_process: Callable[[str], None], fresh_converter: ImageConverter
) -> None:
    hostile_process("exec 0<&-\nprintf F\nexec /usr/bin/yes")
    with pytest.raises(UnreadableImage, match="crashes"):
        await fresh_converter.convert(LARGE_PNG)
