"""Isolation of child processes before they read untrusted bytes, and protection of the bot's own memory.

A malicious file may exploit a decoder and take over its process. So the process first gives up, for good, what decoding
does not need. It does so in three layers; the last one keeps the process from undoing the others:

- `no_new_privs`, and not dumpable: no program can gain privileges, no other process of this user can look into it, and
  no core file is written, not even by a core collector;
- resource limits: no file, socket or pipe can be opened (RLIMIT_NOFILE is 0; what is already open keeps working, and
  closing it makes no room), no file can grow, memory and CPU time are limited;
- seccomp on Linux, x86_64 and aarch64: the kernel carries out the system calls in _SYSCALLS and refuses all others.
  The list has no paths, sockets, signals or processes, no memory of others, and no way to make memory executable.

A refused call returns EPERM instead of killing the process, because libraries that ask for more than they need (the
number of processors, say) go on without it. The filter is installed with prctl(2), not seccomp(2), because the filters
of systemd and Docker allow prctl; it applies to the calling thread, and the process has only one by then. Threads may
be started later, but only with the clone flags of the C libraries: libde265 decodes HEIC in a thread. RLIMIT_NPROC is
left alone because it counts the threads of all processes of a user.

Sources: prctl(2), seccomp(2), getrlimit(2), clone(2); in the kernel, Documentation/networking/filter.rst,
include/uapi/linux/{audit,filter,sched,seccomp}.h, arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h.
"""

import contextlib
import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator

#: Length of the request and of the reply (bytes), in front of each.
FRAME_HEADER = struct.Struct(">I")
#: What an isolated process sends first, with and without the seccomp filter.
FILTERED, UNFILTERED = b"F", b"U"

#: Bytes of address space of a child process; most of what it reserves is never used.
MAX_MEMORY_BYTES = 1 << 30

_STDIN, _STDOUT, _STDERR = 0, 1, 2
#: File descriptors that a process inherits are below this number.
_MAX_DESCRIPTORS = 1 << 16

_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_SECCOMP_MODE_FILTER = 2

#: BPF: code, jump if true, jump if false, operand
_INSTRUCTION = struct.Struct("HBBI")
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _UNKNOWN = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
#: Byte offsets in struct seccomp_data: call number, architecture, lower halves of arguments 0 and 2.
_SYSCALL_OFFSET, _ARCH_OFFSET, _ARG0_OFFSET, _ARG2_OFFSET = 0, 4, 16, 32
_PROT_EXEC = 4
#: The same number on every machine.
_CLONE3 = 435
#: With these, glibc and musl start a thread.
_THREAD_CLONE_FLAGS = (0x3D0F00, 0x7D0F00)

#: By machine: its audit architecture, the calls that are allowed, and those whose arguments decide.
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


def serve_one_request(prepare: Callable[[], object], handle: Callable[[bytes], bytes]) -> None:
    """Isolate this process, then answer one request: the child's side of `child_process`.

    `prepare` loads and opens everything that `handle` needs. The process then sends FILTERED or UNFILTERED, reads one
    framed request from stdin, and sends the framed reply. It ends after that, when the bot closes its stdin, and after
    the seconds in its first argument, so it never outlives a bot that was killed.

    SIGINT and SIGTERM are ignored: the bot ends its children itself. What libraries print goes to stderr.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(_STDERR + 1, _MAX_DESCRIPTORS)  # in case it was given copies of the bot's own
    replies = os.fdopen(os.dup(_STDOUT), "wb")
    os.dup2(_STDERR, _STDOUT)
    requests = os.fdopen(_STDIN, "rb", closefd=False)
    prepare()
    seconds = float(sys.argv[1])
    replies.write(FILTERED if isolate_process(seconds) else UNFILTERED)
    replies.flush()
    header = requests.read(FRAME_HEADER.size)
    if len(header) < FRAME_HEADER.size:
        return
    (size,) = FRAME_HEADER.unpack(header)
    content = requests.read(size)
    if len(content) < size:
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    reply = handle(content)
    replies.write(FRAME_HEADER.pack(len(reply)) + reply)
    replies.flush()


def isolate_process(seconds: float) -> bool:
    """Give up for good what decoding and drawing do not need; `seconds` limits the CPU time.

    Returns whether the kernel filters system calls too. Skips limits that the system does not know (macOS has none for
    memory).
    """
    os.nice(5)
    hide_memory()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    for limit, value in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    return _install_seccomp_filter()


def hide_memory() -> None:
    """Keep other processes of this user from looking into this one, and prevent core files.

    The kernel then gives /proc/PID (environ, mem, maps, fd) to root, and refuses ptrace and process_vm_readv. Root may
    still do all of that.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def erase_environment_variable(name: str) -> None:
    """Remove a variable from the environment, and its value from /proc/PID/environ.

    That file shows the memory that the process was started with; unsetting a variable leaves its bytes there.
    """
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    if (value := getenv(name.encode())) is not None:
        ctypes.memset(value, 0, len(ctypes.string_at(value)))
    os.environ.pop(name, None)


def _install_seccomp_filter() -> bool:
    machine = os.uname().machine
    is_known = machine in _SYSCALLS and sys.byteorder == "little" and sys.maxsize > 1 << 32  # no 32-bit Python
    if sys.platform != "linux" or not is_known:
        return False
    program = b"".join(_bpf_program(machine))
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header)


def _bpf_program(machine: str) -> Iterator[bytes]:
    """Yield the filter in classic BPF; a jump counts the instructions that it skips."""
    architecture, allowed, conditional = _SYSCALLS[machine]
    yield _bpf_instruction(_LOAD, _ARCH_OFFSET)
    yield _bpf_instruction(_IF_EQUAL, architecture, if_true=1)
    yield _bpf_instruction(_RETURN, _KILL)  # in another (32-bit) table, the numbers mean other calls
    yield _bpf_instruction(_LOAD, _SYSCALL_OFFSET)
    for number in allowed.values():
        yield from _bpf_case(number, [_bpf_instruction(_RETURN, _ALLOW)])
    # a filter cannot see the flags of clone3; C libraries fall back to clone when it is unknown
    yield from _bpf_case(_CLONE3, [_bpf_instruction(_RETURN, _UNKNOWN)])
    threads = [each for flags in _THREAD_CLONE_FLAGS for each in _bpf_case(flags, [_bpf_instruction(_RETURN, _ALLOW)])]
    yield from _bpf_case(
        conditional["clone"], [_bpf_instruction(_LOAD, _ARG0_OFFSET), *threads, _bpf_instruction(_RETURN, _REFUSE)]
    )
    not_executable = [
        _bpf_instruction(_LOAD, _ARG2_OFFSET),
        _bpf_instruction(_IF_ANY_BIT, _PROT_EXEC, if_true=1),
        _bpf_instruction(_RETURN, _ALLOW),
    ]
    for name in ("mmap", "mprotect"):
        yield from _bpf_case(conditional[name], [*not_executable, _bpf_instruction(_RETURN, _REFUSE)])
    yield _bpf_instruction(_RETURN, _REFUSE)


def _bpf_case(value: int, then: list[bytes]) -> Iterator[bytes]:
    """Run these instructions, which end with a return, if the loaded value is this one."""
    yield _bpf_instruction(_IF_EQUAL, value, if_false=len(then))
    yield from then


def _bpf_instruction(code: int, operand: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, operand)


def _prctl(option: int, value: int, more: bytes | int = 0) -> bool:
    """Call prctl(2) on Linux; return whether it succeeded."""
    if sys.platform != "linux":
        return False
    prctl = ctypes.CDLL(None).prctl
    last = more if isinstance(more, bytes) else ctypes.c_ulong(more)
    return bool(prctl(option, ctypes.c_ulong(value), last, ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0)
