"""The bot's side of the process that converts a picture: starts it, hands the picture over, reads what became of it.

A process serves one picture and is ended: what is left in its memory is nobody else's, and what it would say late could
not be taken for the answer to somebody else's picture.
"""

import asyncio

from bot import child_process
from bot.child_process import Broken, ChildProcess
from bot.pictures.errors import ConversionFailed
from bot.pictures.inspect import MOST_BYTES
from bot.pictures.wire import PICTURE_HEAD, REPLY_HEAD, Outcome, Reply

#: seconds; on a busy machine loading the decoders takes a while
_START = 30
#: seconds that the process waits longer than we do before it ends itself, in case that we are gone
_GRACE = 5


class ConversionProcess:
    """One running process, for one picture."""

    def __init__(self, child: ChildProcess) -> None:
        self._child = child
        #: whether the kernel filters its system calls
        self.is_filtered = False

    @property
    def pid(self) -> int:
        """The number that the system knows it by."""
        return self._child.pid

    async def come_up(self) -> None:
        """Wait until it has shut itself in; raises Broken."""
        outcome = (await self._reply()).outcome
        if outcome not in {Outcome.READY, Outcome.READY_UNFILTERED}:
            raise Broken("the process did not come up")
        self.is_filtered = outcome is Outcome.READY

    async def convert(self, content: bytes) -> Reply:
        """Send the picture and wait for what became of it; raises Broken."""
        await self._child.write(PICTURE_HEAD.pack(len(content)), content)
        return await self._reply()

    async def _reply(self) -> Reply:
        try:
            kind, width, height, size = REPLY_HEAD.unpack(await self._child.read(REPLY_HEAD.size))
            outcome = Outcome(kind)
        except ValueError:
            raise Broken("the reply makes no sense") from None
        if size > MOST_BYTES:
            raise Broken("the reply is too long")
        return Reply(outcome, await self._child.read(size), width, height)

    def kill(self) -> None:
        """End it at once. Whoever waits for its reply gets Broken."""
        self._child.kill()

    async def end(self) -> None:
        """Kill it and wait until it is gone; nobody may be waiting for its reply."""
        await self._child.end()


async def start(seconds: float) -> ConversionProcess:
    """Start a process and wait until it is ready.

    It gives the picture so many seconds. Raises ConversionFailed.
    """
    try:
        child = await child_process.start("bot.pictures.conversion_child", str(seconds + _GRACE))
    except OSError as error:
        raise ConversionFailed(f"no process could be started: {error.strerror}") from None
    process = ConversionProcess(child)
    try:
        async with asyncio.timeout(_START):
            await process.come_up()
    except (TimeoutError, Broken):
        await process.end()
        raise ConversionFailed("the converting process did not come up") from None
    except BaseException:
        await process.end()
        raise
    return process
