"""How far a command is: on a terminal a line that is renewed, elsewhere a line every few seconds."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TextIO

from bot.store.pulse import EVERY, Pulse

#: Seconds after which the line of a terminal is renewed.
RENEWED = 0.25

_NEW_LINE = "\r\x1b[K"


class Progress:
    """Tells somebody who waits, and leaves nothing behind on a terminal; `end` it before anything else is written."""

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._is_shown = False
        self.tell = Pulse(self._say, every=RENEWED if self._is_terminal else EVERY, monotonic=monotonic)

    def end(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._stream.write(_NEW_LINE)
            self._stream.flush()
        self._is_shown = False

    def _say(self, words: str) -> None:
        self._is_shown = self._is_terminal
        self._stream.write(f"{_NEW_LINE}{words}" if self._is_terminal else f"{words}\n")
        self._stream.flush()


@asynccontextmanager
async def told(progress: Progress, words: Callable[[], str]) -> AsyncIterator[None]:
    """Tell what `words` says at that moment, for as long as what is in here takes."""
    telling = asyncio.create_task(_tell(progress, words))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        progress.end()


async def _tell(progress: Progress, words: Callable[[], str]) -> None:
    while True:
        await asyncio.sleep(RENEWED)
        progress.tell(words())
