"""How far a command is: on a terminal a line that is renewed, elsewhere a line every few seconds."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TextIO

from bot.store.backup import REPORT_INTERVAL, ProgressThrottle

#: Seconds after which the line of a terminal is renewed.
REFRESH_SECONDS = 0.25

_CLEAR_LINE = "\r\x1b[K"


class TerminalProgress:
    """Tells somebody who waits, and leaves nothing behind on a terminal; `end` it before anything else is written."""

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._is_shown = False
        self.report = ProgressThrottle(
            self._write, every=REFRESH_SECONDS if self._is_terminal else REPORT_INTERVAL, monotonic=monotonic
        )

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()
        self._is_shown = False

    def _write(self, words: str) -> None:
        self._is_shown = self._is_terminal
        self._stream.write(f"{_CLEAR_LINE}{words}" if self._is_terminal else f"{words}\n")
        self._stream.flush()


@asynccontextmanager
async def show_progress(progress: TerminalProgress, words: Callable[[], str]) -> AsyncIterator[None]:
    """Tell what `words` says at that moment, for as long as what is in here takes."""
    telling = asyncio.create_task(_keep_reporting(progress, words))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        progress.clear()


async def _keep_reporting(progress: TerminalProgress, words: Callable[[], str]) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        progress.report(words())
