"""Helper processes: started apart from the bot, with nothing of what it holds, and ended when they take too long.

What they do to themselves before they touch a stranger's bytes is in `confinement`.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path

#: The folder that holds the package: an installed bot and a checkout are found alike.
_ROOT = Path(__file__).parents[1]

#: All that a helper knows of our environment, which may hold the keys. One memory arena, because each further one
#: reserves memory that counts although it is not used.
_ENVIRONMENT = {"PYTHONPATH": str(_ROOT), "MALLOC_ARENA_MAX": "1"}


class ChildProcessExited(Exception):
    """The process ended before it did what it was asked for."""


class ChildProcess:
    """One running process. Its stdin and stdout are ours."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The number that the system knows it by."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None as long as it has not ended, as far as is known: it may end at any moment."""
        return self._process.returncode

    async def write(self, *parts: bytes) -> None:
        """Send bytes; raises Broken."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - we asked for the pipe
        if stdin.is_closing():  # the loop takes it for a mistake to write to it then
            raise ChildProcessExited("the process ended")
        try:
            for part in parts:
                stdin.write(part)
            await stdin.drain()
        except ConnectionError:
            await self._ignore_unsent()
            raise ChildProcessExited("the process ended") from None

    async def read(self, size: int) -> bytes:
        """Wait for so many bytes; raises Broken."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - we asked for the pipe
        try:
            return await stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ChildProcessExited("the process ended") from None

    async def communicate(self, sent: bytes) -> tuple[bytes, bytes]:
        """Send all there is, wait for its end, and return its output and what it said to stderr."""
        output, said = await self._process.communicate(sent)
        return output, said or b""

    def kill(self) -> None:
        """End it at once: it holds nothing that could be lost. Whoever waits for its output gets Broken."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def kill_and_wait(self) -> None:
        """Kill it and wait until it is gone; nobody may be waiting for its output."""
        self.kill()
        await self._process.communicate()
        await self._ignore_unsent()

    async def _ignore_unsent(self) -> None:
        """Look at the error of a pipe that broke: else Python 3.11 logs that nobody did."""
        assert self._process.stdin is not None  # noqa: S101 - we asked for the pipe
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.wait_closed()


async def start_child_process(
    module: str, *words: str, environment: Mapping[str, str] | None = None, keeps_errors: bool = False
) -> ChildProcess:
    """Start a module of ours with these words; raises OSError.

    It gets a session of its own, so that a signal to our whole group is not meant for it, and `environment` beside
    what each helper has. What it says to stderr is kept for `communicate` on demand.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module, *words,
        stdin=PIPE, stdout=PIPE, stderr=PIPE if keeps_errors else DEVNULL,
        env=_ENVIRONMENT | dict(environment or {}), cwd="/", start_new_session=True,
    )  # fmt: skip
    return ChildProcess(process)
