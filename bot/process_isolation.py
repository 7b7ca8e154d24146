"""How a helper process shuts itself in before it touches what a stranger sent, and how the bot hides its memory.

Whoever finds a hole in a decoder gives orders to the process that decodes. So that process gives up, for ever, what
decoding does not need. Three fences stand one behind the other; with the last one, none can be taken down from inside:

- `no_new_privs`, and not being dumpable: no program can give it rights, nobody else's process can look into it, and
  no core file of it is written, not even by a collector of cores;
- resource limits: no file, socket or pipe can be opened (RLIMIT_NOFILE is 0, whatever is closed first; what is open
  goes on working), no file grows, memory and CPU time are bounded;
- seccomp on Linux, x86_64 and aarch64: the kernel carries out the system calls of _CALLS and refuses all others. Among
  these are no paths, sockets, signals, processes or memory of others, and no memory becomes code.

Refused means EPERM and not death, because a library that asks for more than it needs (how many processors there are)
then goes on without. prctl(2) and not seccomp(2), because filters of the system (systemd's, Docker's) let it pass; it
is for a process with one thread, which ours is. Threads may be started afterwards, with the flags that the C libraries
use for them and no others: libde265 decodes HEIC in one. That is why RLIMIT_NPROC is left alone, which counts the
threads of all processes of a user.

Sources: prctl(2), seccomp(2), getrlimit(2), clone(2), and of the kernel Documentation/networking/filter.rst,
include/uapi/linux/{audit,filter,sched,seccomp}.h, arch/x86/entry/syscalls/syscall_64.tbl,
include/uapi/asm-generic/unistd.h.
"""

import contextlib
import ctypes
import errno
import os
import resource
import struct
import sys
from collections.abc import Iterator

_NICENESS = 5
_STDERR = 2
#: the numbers of files that could be open when a process starts are below
_MAX_DESCRIPTORS = 1 << 16

_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_SECCOMP_MODE_FILTER = 2

#: code, jump if true, jump if false, operand
_INSTRUCTION = struct.Struct("HBBI")
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _UNKNOWN = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
#: bytes, in struct seccomp_data: of the call's number, of the machine, of the lower halves of two arguments
_SYSCALL_OFFSET, _ARCH_OFFSET, _ARG0_OFFSET, _ARG2_OFFSET = 0, 4, 16, 32
_PROT_EXEC = 4
#: on every machine
_CLONE3 = 435
#: of clone(2), as glibc and musl start a thread
_THREAD_CLONE_FLAGS = (0x3D0F00, 0x7D0F00)

#: By machine: its name for audits, the number of each call that may be made, and of those that may with some arguments.
_SYSCALLS = {
    "x86_64": (0xC000003E, {
        "read": 0, "write": 1, "readv": 19, "writev": 20, "lseek": 8, "close": 3,
        "munmap": 11, "brk": 12, "mremap": 25, "madvise": 28, "futex": 202,
        "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sigaltstack": 131, "setitimer": 38,
        "clock_gettime": 228, "gettimeofday": 96, "getrandom": 318, "getpid": 39, "gettid": 186, "sched_yield": 24,
        "set_robust_list": 273, "rseq": 334, "getcwd": 79, "restart_syscall": 219, "exit": 60, "exit_group": 231,
    }, {"mmap": 9, "mprotect": 10, "clone": 56}),
    "aarch64": (0xC00000B7, {
        "read": 63, "write": 64, "readv": 65, "writev": 66, "lseek": 62, "close": 57,
        "munmap": 215, "brk": 214, "mremap": 216, "madvise": 233, "futex": 98,
        "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "sigaltstack": 132, "setitimer": 103,
        "clock_gettime": 113, "gettimeofday": 169, "getrandom": 278, "getpid": 172, "gettid": 178, "sched_yield": 124,
        "set_robust_list": 99, "rseq": 293, "getcwd": 17, "restart_syscall": 128, "exit": 93, "exit_group": 94,
    }, {"mmap": 222, "mprotect": 226, "clone": 220}),
}  # fmt: skip


def close_inherited_files() -> None:
    """Close all but stdin, stdout and stderr: the loop leaves copies of the bot's, and what that was started with."""
    os.closerange(_STDERR + 1, _MAX_DESCRIPTORS)


def isolate_process(*, memory: int, seconds: float) -> bool:
    """Give up for ever what decoding and drawing do not need; open and load everything before.

    `memory` is in bytes of address space, `seconds` of CPU time. Returns whether the kernel filters system calls as
    well. A system that does not know one of the bounds (macOS knows none for memory) goes without it.
    """
    os.nice(_NICENESS)
    hide_memory()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    for bound, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(bound, (most, most))
    return _install_seccomp_filter()


def hide_memory() -> None:
    """Make that other processes of this user cannot look into this one, and that no core file of it is written.

    The kernel then takes /proc/PID of it for root's (environ, mem, maps, fd), and refuses ptrace and
    process_vm_readv. Root may still do all of that.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def erase_environment_variable(name: str) -> None:
    """Take a variable out of the environment, and its value out of what /proc/PID/environ shows.

    That is the memory in which the process was started, and unsetting a variable leaves its bytes there.
    """
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    if (value := getenv(name.encode())) is not None:
        ctypes.memset(value, 0, len(ctypes.string_at(value)))
    os.environ.pop(name, None)


def _install_seccomp_filter() -> bool:
    machine = os.uname().machine
    is_known = machine in _SYSCALLS and sys.byteorder == "little" and sys.maxsize > 1 << 32  # not 32 bits on 64
    if sys.platform != "linux" or not is_known:
        return False
    program = b"".join(_bpf_program(machine))
    lines = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // _INSTRUCTION.size, ctypes.addressof(lines))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header)


def _bpf_program(machine: str) -> Iterator[bytes]:
    """Write the filter, in the instructions of the classic BPF; jumps count the instructions that are left out."""
    audit_name, allowed, judged = _SYSCALLS[machine]
    yield _bpf_instruction(_LOAD, _ARCH_OFFSET)
    yield _bpf_instruction(_IF_EQUAL, audit_name, if_true=1)
    yield _bpf_instruction(_RETURN, _KILL)  # by another table of calls (32 bits), numbers mean something else
    yield _bpf_instruction(_LOAD, _SYSCALL_OFFSET)
    for number in allowed.values():
        yield from _bpf_case(number, [_bpf_instruction(_RETURN, _ALLOW)])
    # the flags of clone3 are out of a filter's sight, and C libraries use clone where they are told that it is unknown
    yield from _bpf_case(_CLONE3, [_bpf_instruction(_RETURN, _UNKNOWN)])
    threads = [line for flags in _THREAD_CLONE_FLAGS for line in _bpf_case(flags, [_bpf_instruction(_RETURN, _ALLOW)])]
    yield from _bpf_case(
        judged["clone"], [_bpf_instruction(_LOAD, _ARG0_OFFSET), *threads, _bpf_instruction(_RETURN, _REFUSE)]
    )
    no_code = [
        _bpf_instruction(_LOAD, _ARG2_OFFSET),
        _bpf_instruction(_IF_ANY_BIT, _PROT_EXEC, if_true=1),
        _bpf_instruction(_RETURN, _ALLOW),
    ]
    for name in ("mmap", "mprotect"):
        yield from _bpf_case(judged[name], [*no_code, _bpf_instruction(_RETURN, _REFUSE)])
    yield _bpf_instruction(_RETURN, _REFUSE)


def _bpf_case(value: int, lines: list[bytes]) -> Iterator[bytes]:
    """Run these lines, which end with an answer, if what was loaded last is this value."""
    yield _bpf_instruction(_IF_EQUAL, value, if_false=len(lines))
    yield from lines


def _bpf_instruction(code: int, operand: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, operand)


def _prctl(option: int, value: int, more: bytes | int = 0) -> bool:
    """Call prctl(2), where there is one; tell whether it did what it was asked for."""
    if sys.platform != "linux":
        return False
    prctl = ctypes.CDLL(None).prctl
    last = more if isinstance(more, bytes) else ctypes.c_ulong(more)
    return bool(prctl(option, ctypes.c_ulong(value), last, ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0)
