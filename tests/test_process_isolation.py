"""Attacks on the isolation of child processes from inside (`isolation_attacks`), and on the bot's secrets."""

import asyncio
import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from bot import process_isolation
from tests import isolation_attacks
from tests.images.sample_files import encode_image, make_exif
from tests.process_harness import KEY, TOKEN, open_process_harness

ROOT = Path(process_isolation.__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tests Linux")

#: What isolated code can still do without the seccomp filter (SECURITY.md).
LEFT_WITHOUT_SECCOMP = {
    "delete a file", "look at a file",
    "fork", "fork by clone", "fork by clone with a flag of threads", "start a thread",
    "ask whether the bot lives", "kill a process", "kill a thread",
    "limit the bot", "change its mind about core files", "keep a key", "share memory", "get a system of its own",
    "run from memory", "make memory runnable",
}  # fmt: skip


def successful_attacks(level: str) -> set[str]:
    """Try every attack at this level of isolation, and return those that succeeded."""
    command = [sys.executable, "-m", "tests.isolation_attacks", level]
    environment = os.environ | {"CANARY": isolation_attacks.SECRET.decode()}
    return set(
        subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.splitlines()
    )


def test_every_attack_would_succeed() -> None:
    assert isolation_attacks.ATTACKS.keys() - successful_attacks("none") <= isolation_attacks.OFTEN_FORBIDDEN


def test_to_code_in_a_confined_process_nothing_is_left_but_threads() -> None:
    assert successful_attacks("all") == {"start a thread"}


def test_without_seccomp_it_still_opens_nothing_and_learns_no_secret() -> None:
    assert successful_attacks("no seccomp") <= LEFT_WITHOUT_SECCOMP


# The filter for other machines cannot be installed here, but it can be interpreted as the kernel would.

X86, ARM = 0xC000003E, 0xC00000B7


def run_filter(machine: str, architecture: int, number: int, first: int = 0, third: int = 0) -> int:
    """Interpret the filter for one system call (Documentation/networking/filter.rst)."""
    data = struct.pack("IIQQQQ", number, architecture, 0, first, 0, third)
    program = list(process_isolation._bpf_program(machine))
    loaded, position = 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack("HBBI", program[position])
        position += 1
        match code:
            case process_isolation._LOAD:
                (loaded,) = struct.unpack_from("I", data, operand)
            case process_isolation._IF_EQUAL:
                position += if_true if loaded == operand else if_false
            case process_isolation._IF_ANY_BIT:
                position += if_true if loaded & operand else if_false
            case process_isolation._RETURN:
                return int(operand)


@pytest.mark.parametrize(("machine", "architecture", "other"), [("x86_64", X86, ARM), ("aarch64", ARM, X86)])
def test_the_filter_lets_pass_what_is_listed_and_nothing_else(machine: str, architecture: int, other: int) -> None:
    _, allowed, conditional = process_isolation._SYSCALLS[machine]
    passed = {number for number in range(600) if run_filter(machine, architecture, number) == process_isolation._ALLOW}
    assert passed == {*allowed.values(), conditional["mmap"], conditional["mprotect"]}
    assert run_filter(machine, architecture, 1 << 30) == process_isolation._REFUSE  # x32
    assert run_filter(machine, other, allowed["read"]) == process_isolation._KILL


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", X86), ("aarch64", ARM)])
def test_the_filter_judges_some_calls_by_their_arguments(machine: str, architecture: int) -> None:
    _, _, conditional = process_isolation._SYSCALLS[machine]
    for name in ("mmap", "mprotect"):
        assert run_filter(machine, architecture, conditional[name], third=3) == process_isolation._ALLOW
        assert run_filter(machine, architecture, conditional[name], third=4) == process_isolation._REFUSE
        assert run_filter(machine, architecture, conditional[name], third=7) == process_isolation._REFUSE
    assert run_filter(machine, architecture, conditional["clone"], first=0x3D0F00) == process_isolation._ALLOW
    for flags in (0, 17, conditional["mmap"], conditional["mprotect"], 0x10000, 0x3D0F00 | 0x10000000):
        assert run_filter(machine, architecture, conditional["clone"], first=flags) == process_isolation._REFUSE
    assert run_filter(machine, architecture, 435) == 0x00050000 | errno.ENOSYS


WITHOUT_SECCOMP = """
import asyncio, logging, sys
from bot.images.convert import ImageConverter
from tests.isolation_attacks import refuse_seccomp

async def main():
    logging.basicConfig(format="%(levelname)s %(name)s", stream=sys.stdout)
    refuse_seccomp()
    converter, content = ImageConverter(), sys.stdin.buffer.read()
    for _ in range(2):
        print((await converter.convert(content)).change, flush=True)

asyncio.run(main())
"""


def test_where_calls_are_not_filtered_pictures_are_converted_and_the_log_says_so_once() -> None:
    turned = encode_image("JPEG", exif=make_exif(6))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SECCOMP], cwd=ROOT, input=turned, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout.decode().split("\n")[:-1] == ["WARNING bot.images.convert", "converted", "converted"]


# What the bot hides from other processes.


DUMPABLE = """
import ctypes, sys
from bot.__main__ import main
main(["run"])
sys.exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_a_bot_is_not_dumpable_from_the_beginning(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-c", DUMPABLE], {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True)
    assert b"TELEGRAM_BOT_TOKEN is missing" in done.stderr
    assert done.returncode == 0


ERASING = """
import os
from bot.process_isolation import erase_environment_variable
os.environ["LATER"] = "canary"
for name in ("SECRET", "LATER", "NEVER"):
    print(open("/proc/self/environ", "rb").read().count(b"canary"))
    erase_environment_variable(name)
print(*({"FIRST", "SECRET", "LATER", "LAST"} & os.environ.keys()), os.getenv("SECRET"))
"""


def test_a_variable_that_is_erased_is_in_the_environment_no_more() -> None:
    environment = {"FIRST": "kept", "SECRET": "canary canary", "LAST": "kept"}
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{ERASING}"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    *counts, left = done.stdout.splitlines()
    assert counts == ["2", "0", "0"]
    assert sorted(left.split()) == ["FIRST", "LAST", "None"]


async def test_a_running_bot_has_no_secret_in_its_environment(tmp_path: Path) -> None:
    async with open_process_harness(tmp_path) as world:
        bot = world.create_bot()
        await bot.start_until_ready()
        environment = await asyncio.to_thread(read_process_environment, bot.pid)
    assert b"TELEGRAM_API_URL" in environment
    assert TOKEN.encode() not in environment
    assert KEY.encode() not in environment


def read_process_environment(pid: int) -> bytes:
    """Return the environment of a process as /proc shows it, if it may be read."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return b"TELEGRAM_API_URL"  # nothing at all could be read
