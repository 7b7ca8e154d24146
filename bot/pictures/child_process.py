"""The bot's side of the converting process: starts it, asks it, and ends it when it does not answer.

A process serves one picture at a time. Whoever does not get a proper answer
(it crashed, it hung, it was not waited for) ends it, because what it would say
later could be taken for the answer to somebody else's picture.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

from bot.pictures.errors import ConversionFailed
from bot.pictures.inspect import MOST_BYTES
from bot.pictures.wire import PICTURE_HEAD, REPLY_HEAD, Outcome, Reply

#: seconds; on a busy machine loading the decoders takes a while
_START = 30
#: seconds that the process waits longer than we do before it ends itself, in case that we are gone
_GRACE = 5
#: the folder that holds the package: an installed bot and a checkout are found alike
_ROOT = Path(__file__).parents[2]

#: All that the process knows of our environment. Ours holds the keys. One memory arena, because each
#: further one reserves memory that counts although it is not used.
_ENVIRONMENT = {"PYTHONPATH": str(_ROOT), "MALLOC_ARENA_MAX": "1"}


class Broken(Exception):
    """The process ended, or said something that makes no sense."""


class ChildProcess:
    """One running process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The number that the system knows it by."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet, as far as is known: it may end at any moment."""
        return self._process.returncode is None

    async def convert(self, content: bytes) -> Reply:
        """Send a picture and wait for what became of it; raises Broken."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - we asked for the pipe
        if stdin.is_closing():  # the loop takes it for a mistake to write to it then
            raise Broken("the process ended")
        try:
            stdin.write(PICTURE_HEAD.pack(len(content)))
            stdin.write(content)
            await stdin.drain()
        except ConnectionError:
            raise Broken("the process ended") from None
        return await self.reply()

    async def reply(self) -> Reply:
        """Read one reply; raises Broken."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - we asked for the pipe
        try:
            head = await stdout.readexactly(REPLY_HEAD.size)
            kind, width, height, size = REPLY_HEAD.unpack(head)
            if size > MOST_BYTES:
                raise Broken("the reply is too long")
            return Reply(Outcome(kind), await stdout.readexactly(size), width, height)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Broken("the process ended") from None
        except ValueError:
            raise Broken("the reply makes no sense") from None

    def kill(self) -> None:
        """End it at once: it holds nothing that could be lost. Whoever waits for its reply gets Broken."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Kill it and wait until it is gone; nobody may be waiting for its reply."""
        self.kill()
        await self._process.communicate()


async def start(seconds: float, idle: float) -> ChildProcess:
    """Start a process and wait until it is ready.

    It gives each picture so many seconds at most, and ends after so many idle
    ones. Raises ConversionFailed.
    """
    command = [sys.executable, "-P", "-m", "bot.pictures.conversion_child", str(seconds + _GRACE), str(idle)]
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_ENVIRONMENT, cwd="/", start_new_session=True
        )
    except OSError as error:
        raise ConversionFailed(f"no process could be started: {error.strerror}") from None
    child = ChildProcess(process)
    try:
        async with asyncio.timeout(_START):
            first = await child.reply()
    except (TimeoutError, Broken):
        await child.end()
        raise ConversionFailed("the converting process did not come up") from None
    except BaseException:
        await child.end()
        raise
    if first.outcome is not Outcome.READY:
        await child.end()
        raise ConversionFailed("the converting process did not come up")
    return child
