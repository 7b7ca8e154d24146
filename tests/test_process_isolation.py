"""The fences around helper processes, attacked from inside (`prisoner`), and what the bot keeps from them."""

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
from tests.images.sample_files import encode_picture, make_exif
from tests.process_harness import KEY, TOKEN, open_process_harness

ROOT = Path(process_isolation.__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="speaks of Linux")

#: What confined code can still do where the kernel filters no calls; docs/operating.md says so.
LEFT_WITHOUT_SECCOMP = {
    "delete a file", "look at a file",
    "fork", "fork by clone", "fork by clone with a flag of threads", "start a thread",
    "ask whether the bot lives", "kill a process", "kill a thread",
    "limit the bot", "change its mind about core files", "keep a key", "share memory", "get a system of its own",
    "run from memory", "make memory runnable",
}  # fmt: skip


def successful_attacks(fences: str) -> set[str]:
    """Try every attack behind these fences, and return those that succeeded."""
    command = [sys.executable, "-m", "tests.isolation_attacks", fences]
    around = os.environ | {"CANARY": isolation_attacks.SECRET.decode()}
    return set(
        subprocess.run(command, cwd=ROOT, env=around, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    )


def test_every_attack_would_succeed() -> None:
    assert isolation_attacks.ATTACKS.keys() - successful_attacks("none") <= isolation_attacks.OFTEN_FORBIDDEN


def test_to_code_in_a_confined_process_nothing_is_left_but_threads() -> None:
    assert successful_attacks("all") == {"start a thread"}


def test_without_seccomp_it_still_opens_nothing_and_learns_no_secret() -> None:
    assert successful_attacks("no seccomp") <= LEFT_WITHOUT_SECCOMP


# The filter for the machine that this is not cannot be tried, but it can be read as the kernel would read it.

X86, ARM = 0xC000003E, 0xC00000B7


def run_filter(machine: str, audit_name: int, number: int, first: int = 0, third: int = 0) -> int:
    """Run the filter over one system call, as Documentation/networking/filter.rst has it."""
    data = struct.pack("IIQQQQ", number, audit_name, 0, first, 0, third)
    lines = list(process_isolation._bpf_program(machine))
    loaded, place = 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack("HBBI", lines[place])
        place += 1
        match code:
            case process_isolation._LOAD:
                (loaded,) = struct.unpack_from("I", data, operand)
            case process_isolation._IF_EQUAL:
                place += if_true if loaded == operand else if_false
            case process_isolation._IF_ANY_BIT:
                place += if_true if loaded & operand else if_false
            case process_isolation._RETURN:
                return int(operand)


@pytest.mark.parametrize(("machine", "audit_name", "other"), [("x86_64", X86, ARM), ("aarch64", ARM, X86)])
def test_the_filter_lets_pass_what_is_listed_and_nothing_else(machine: str, audit_name: int, other: int) -> None:
    _, allowed, judged = process_isolation._SYSCALLS[machine]
    passed = {number for number in range(600) if run_filter(machine, audit_name, number) == process_isolation._ALLOW}
    assert passed == {*allowed.values(), judged["mmap"], judged["mprotect"]}
    assert run_filter(machine, audit_name, 1 << 30) == process_isolation._REFUSE  # x32
    assert run_filter(machine, other, allowed["read"]) == process_isolation._KILL


@pytest.mark.parametrize(("machine", "audit_name"), [("x86_64", X86), ("aarch64", ARM)])
def test_the_filter_judges_some_calls_by_their_arguments(machine: str, audit_name: int) -> None:
    _, _, judged = process_isolation._SYSCALLS[machine]
    for name in ("mmap", "mprotect"):
        assert run_filter(machine, audit_name, judged[name], third=3) == process_isolation._ALLOW
        assert run_filter(machine, audit_name, judged[name], third=4) == process_isolation._REFUSE
        assert run_filter(machine, audit_name, judged[name], third=7) == process_isolation._REFUSE
    assert run_filter(machine, audit_name, judged["clone"], first=0x3D0F00) == process_isolation._ALLOW
    for flags in (0, 17, judged["mmap"], judged["mprotect"], 0x10000, 0x3D0F00 | 0x10000000):
        assert run_filter(machine, audit_name, judged["clone"], first=flags) == process_isolation._REFUSE
    assert run_filter(machine, audit_name, 435) == 0x00050000 | errno.ENOSYS


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
    turned = encode_picture("JPEG", exif=make_exif(6))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SECCOMP], cwd=ROOT, input=turned, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout.decode().split("\n")[:-1] == ["WARNING bot.images.convert", "converted", "converted"]


# What the bot keeps from everybody else on the machine.


DUMPABLE = """
import ctypes, sys
from bot.__main__ import main
main(["run"])
sys.exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_a_bot_is_not_dumpable_from_the_beginning(tmp_path: Path) -> None:
    command, around = [sys.executable, "-c", DUMPABLE], {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=around, check=False, capture_output=True)
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
    around = {"FIRST": "kept", "SECRET": "canary canary", "LAST": "kept"}
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{ERASING}"]
    done = subprocess.run(command, env=around, check=True, capture_output=True, text=True)
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
    """Return what the system shows of a process' environment, to whom it shows that at all."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return b"TELEGRAM_API_URL, which is all that could be read if anything could"
