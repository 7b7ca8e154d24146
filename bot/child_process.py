"""Isolated child processes, one for each request: decoding an untrusted image, or drawing a chart.

The child isolates itself before it reads the request (`process_isolation.serve_one_request`, which describes the
protocol). It inherits neither the bot's files nor its environment, and is always killed at the end.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from bot.process_isolation import FILTERED, FRAME_HEADER, UNFILTERED

#: Seconds. On a busy machine, loading a decoder takes a while.
_START_TIMEOUT = 30
#: Seconds after its deadline at which the child ends itself, in case the bot was killed.
_GRACE_PERIOD = 5

#: The child's environment, since the bot's own may hold keys. Each malloc arena reserves some of the limited address
#: space.
_ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[1]), "MALLOC_ARENA_MAX": "1"}


class ChildProcessNotStarted(Exception):
    """No child process could be started, or it ended before it had read a request."""


class ChildProcessFailed(Exception):
    """The child process ended without a reply, or sent an invalid one."""


class ChildProcess:
    """A running child process that waits for its request."""

    def __init__(self, process: Process, seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        #: whether the kernel filters its system calls
        self.is_filtered = False

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the process is not known to have ended."""
        return self._process.returncode

    async def wait_until_isolated(self) -> None:
        """Wait until the child has isolated itself. Raises ChildProcessFailed."""
        answer = await self._read(1)
        if answer not in (FILTERED, UNFILTERED):
            raise ChildProcessFailed("the process did not say that it is isolated")
        self.is_filtered = answer == FILTERED

    async def request(self, content: bytes, *, max_reply_bytes: int) -> bytes:
        """Send the request and return the reply. Raises ChildProcessFailed, and TimeoutError at the time limit."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it is a pipe
        async with asyncio.timeout(self._seconds):
            if stdin.is_closing():  # asyncio counts and logs writes to a closed pipe
                raise ChildProcessFailed("the process has ended")
            try:
                stdin.write(FRAME_HEADER.pack(len(content)))
                stdin.write(content)
                await stdin.drain()
            except ConnectionError:
                raise ChildProcessFailed(await self._describe_exit()) from None
            (size,) = FRAME_HEADER.unpack(await self._read(FRAME_HEADER.size))
            if size > max_reply_bytes:
                raise ChildProcessFailed("the reply is too long")
            return await self._read(size)

    async def _read(self, size: int) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it is a pipe
        try:
            return await stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ChildProcessFailed(await self._describe_exit()) from None

    async def _describe_exit(self) -> str:
        if self._process.stderr is None:
            return "no reply"
        lines = (await self._process.stderr.read()).decode(errors="replace").strip().splitlines()
        exit_code = await self._process.wait()
        return f"exit code {exit_code}: {lines[-1][:200] if lines else 'no reply'}"

    def kill(self) -> None:
        """Kill the process; a pending request then fails."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


@contextlib.asynccontextmanager
async def start_child_process(
    module: str, *, seconds: float, environment: Mapping[str, str] | None = None, keeps_stderr: bool = False
) -> AsyncIterator[ChildProcess]:
    """Run a module of the bot in a child process, and wait until it is isolated; kill it at the end.

    `seconds` is the time limit of its request. With `keeps_stderr`, ChildProcessFailed quotes the last line of stderr.
    Raises ChildProcessNotStarted.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", module, str(seconds + _GRACE_PERIOD),
            stdin=PIPE, stdout=PIPE, stderr=PIPE if keeps_stderr else DEVNULL,
            # its own session, so that signals to the bot's process group do not reach it
            env=_ENVIRONMENT | dict(environment or {}), cwd="/", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ChildProcessNotStarted(f"no process could be started: {error.strerror}") from None
    child = ChildProcess(process, seconds)
    try:
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await child.wait_until_isolated()
        except TimeoutError:
            raise ChildProcessNotStarted(f"the process was not ready within {_START_TIMEOUT} s") from None
        except ChildProcessFailed as error:
            raise ChildProcessNotStarted(f"the process did not start: {error}") from None
        yield child
    finally:
        child.kill()
        await process.communicate()
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(ConnectionError):  # Python 3.11 logs the error of a broken pipe that nobody reads
            await process.stdin.wait_closed()
