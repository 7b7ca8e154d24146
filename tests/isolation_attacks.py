"""Attacks from inside an isolated process, run by `test_process_isolation`.

    python -m tests.isolation_attacks LEVEL

It plays the bot and gives up root, so that the kernel treats it as in the container. For each attack it starts a
`victim`, which stands for any other process, and a child that isolates itself and attacks. LEVEL is the isolation:
"all", "no seccomp" (as on a system without the filter) or "none". It prints the attacks that succeeded.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bot import process_isolation

NOBODY = 65534
SECRET = b"canary-in-the-memory-of-the-bot"

libc = ctypes.CDLL(None, use_errno=True)
IS_X86 = os.uname().machine == "x86_64"

victim = 0
folder = Path()


def require_success(is_done: bool) -> None:
    """Raise OSError with the current errno unless a call succeeded."""
    if not is_done:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def system_call(number: int, *arguments: object) -> int:
    """Make a system call by its number; raises OSError."""
    answer = int(libc.syscall(ctypes.c_long(number), *arguments))
    require_success(answer >= 0)
    return answer


def read_bot_proc_file(name: str) -> None:
    """Look for the secret in a /proc file of the bot."""
    content = Path(f"/proc/{os.getppid()}/{name}").read_bytes()
    require_success(SECRET in content)


def open_after_closing() -> None:
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):
            os.close(number)
    os.open("/etc/passwd", os.O_RDONLY)


def raise_the_limits_and_open() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    os.open("/etc/passwd", os.O_RDONLY)


def connect() -> None:
    with socket.socket(socket.AF_UNIX) as mine:
        mine.connect(str(folder / "socket"))


def read_bot_memory() -> None:
    """Read the secret out of the bot's memory: the bot is the parent process, so it has the same address."""
    found = ctypes.create_string_buffer(len(SECRET))
    local = struct.pack("PN", ctypes.addressof(found), len(SECRET))
    remote = struct.pack("PN", ctypes.addressof(remembered), len(SECRET))
    one = ctypes.c_ulong(1)
    require_success(libc.process_vm_readv(os.getppid(), local, one, remote, one, ctypes.c_ulong(0)) == len(SECRET))
    require_success(found.raw == SECRET)


def trace_bot() -> None:
    seize = 0x4206
    require_success(libc.ptrace(seize, os.getppid(), None, None) == 0)


def clone(flags: int) -> None:
    """Fork with clone(2), whose flags a filter might mistake for those of a thread."""
    if system_call(56 if IS_X86 else 220, ctypes.c_long(flags | signal.SIGCHLD), 0, 0, 0, 0) == 0:
        os._exit(0)


def become_another_program() -> None:
    os.execv("/bin/true", ["true"])  # noqa: S606 - no shell is wanted


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def start_a_thread() -> None:
    thread = threading.Thread(target=time.monotonic)
    thread.start()
    thread.join()


def run_from_memory() -> None:
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        pass


def make_memory_runnable() -> None:
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    require_success(libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(mmap.PAGESIZE), 5) == 0)


ATTACKS: dict[str, Callable[[], object]] = {
    "open a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "open after closing": open_after_closing,
    "write a file": lambda: (folder / "mine").write_bytes(b"x"),
    "delete a file": lambda: os.unlink(folder / "theirs"),  # noqa: PTH108 - the very call
    "look at a file": lambda: Path("/etc/passwd").stat(),
    "list a folder": lambda: os.listdir("/"),  # noqa: PTH208 - the very call
    "duplicate a file": lambda: os.dup(2),
    "make a pipe": os.pipe,
    "make a socket": socket.socket,
    "make a pair of sockets": socket.socketpair,
    "connect": connect,
    "make a file of memory": lambda: os.memfd_create("mine"),
    "read the bot's environment": lambda: read_bot_proc_file("environ"),
    "open the bot's memory": lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
    "read the bot's memory": read_bot_memory,
    "trace the bot": trace_bot,
    "fork": fork,
    "fork by clone": lambda: clone(0),
    "fork by clone with a flag of threads": lambda: clone(0x200),
    "become another program": become_another_program,
    "ask whether the bot lives": lambda: os.kill(os.getppid(), 0),
    "kill a process": lambda: os.kill(victim, signal.SIGKILL),
    "kill a thread": lambda: require_success(libc.tgkill(victim, victim, signal.SIGKILL) == 0),
    "get hold of a process": lambda: os.pidfd_open(os.getppid()),
    "raise the limits": raise_the_limits_and_open,
    "limit the bot": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
    "change its mind about core files": lambda: require_success(process_isolation._prctl(4, 1)),
    "ask the kernel by io_uring": lambda: system_call(425, 8, bytes(120)),
    "handle page faults": lambda: system_call(323 if IS_X86 else 282, 0),
    "load a program into the kernel": lambda: system_call(321 if IS_X86 else 280, 0, bytes(128), 128),
    "watch events of the processor": lambda: system_call(298 if IS_X86 else 241, bytes(128), 0, -1, -1, 0),
    "keep a key": lambda: system_call(248 if IS_X86 else 217, b"user", b"mine", b"x", 1, -3),
    "share memory": lambda: require_success(libc.shmget(0, 4096, 0o600) >= 0),
    "get a system of its own": lambda: system_call(272 if IS_X86 else 97, 0x10000000),
    "run from memory": run_from_memory,
    "make memory runnable": make_memory_runnable,
    "start a thread": start_a_thread,
}

#: Attacks that some systems allow only to root: because of Yama, a container, or the kernel's configuration.
OFTEN_FORBIDDEN = {
    "open the bot's memory", "read the bot's memory", "trace the bot", "ask the kernel by io_uring",
    "handle page faults", "load a program into the kernel", "watch events of the processor", "keep a key",
    "share memory", "get a system of its own",
}  # fmt: skip


def refuse_seccomp() -> None:
    """Install a filter that makes prctl(2) answer as on a kernel without seccomp."""
    instruction, load, if_equal, end = (
        process_isolation._bpf_instruction,
        process_isolation._LOAD,
        process_isolation._IF_EQUAL,
        process_isolation._RETURN,
    )
    prctl, no_filters = 157 if IS_X86 else 167, 0x00050000 | errno.EINVAL
    program = b"".join([
        instruction(load, 0), instruction(if_equal, prctl, if_false=3),
        instruction(load, 16), instruction(if_equal, 22, if_false=1), instruction(end, no_filters),
        instruction(end, 0x7FFF0000),
    ])  # fmt: skip
    buffer = ctypes.create_string_buffer(program, len(program))
    process_isolation._prctl(38, 1)
    require_success(process_isolation._prctl(22, 2, struct.pack("HP", len(program) // 8, ctypes.addressof(buffer))))


def attack_succeeds(attack: Callable[[], object], level: str) -> bool:
    """Attack in a child process; return whether it exits with 0, as does the program that an attack may execute."""
    global victim  # noqa: PLW0603 - each attack gets a new one
    victim = _fork_child(signal.pause)
    child = _fork_child(lambda: _attack(attack, level))
    _, status = os.waitpid(child, 0)
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    return status == 0


def _fork_child(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        work()
        os._exit(1)
    return child


def _attack(attack: Callable[[], object], level: str) -> None:
    if level == "no seccomp":
        refuse_seccomp()
    if level != "none":
        is_filtered = process_isolation.isolate_process(20)
        if is_filtered is not (level == "all"):
            os.kill(os.getppid(), signal.SIGKILL)  # the results would be meaningless
    try:
        attack()
    except (OSError, RuntimeError, ValueError):
        os._exit(1)
    os._exit(0)


def main(level: str) -> None:
    """Play the bot, which hides its memory unless `level` is "none", and try every attack."""
    global folder, remembered  # noqa: PLW0603 - the attacks use them
    remembered = ctypes.create_string_buffer(SECRET, len(SECRET))
    with tempfile.TemporaryDirectory() as made, socket.socket(socket.AF_UNIX) as theirs:
        folder = Path(made)
        (folder / "theirs").write_bytes(b"x")
        theirs.bind(made + "/socket")
        theirs.listen()
        if os.getuid() == 0:
            for path in (folder, folder / "theirs", folder / "socket"):
                os.chown(path, NOBODY, NOBODY)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        process_isolation._prctl(4, 1)  # giving up root cleared the dumpable flag, which would hide the secret
        if level != "none":
            process_isolation.hide_memory()
        for name, attack in ATTACKS.items():
            if attack_succeeds(attack, level):
                print(name, flush=True)  # noqa: T201 - its output


remembered = ctypes.create_string_buffer(0)

if __name__ == "__main__":
    main(sys.argv[1])
