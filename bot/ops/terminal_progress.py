"""Progress of a command, throttled: on a terminal one line that is updated, elsewhere a line every few seconds."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TextIO

from bot.store.backup import REPORT_INTERVAL, ProgressThrottle

#: Seconds between two updates of the line on a terminal.
REFRESH_SECONDS = 0.25

_CLEAR_LINE = "\r\x1b[K"


class TerminalProgress:
    """Shows progress on a stream; `clear` it before writing anything else."""

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._is_shown = False
        self.report = ProgressThrottle(
            self._write, every=REFRESH_SECONDS if self._is_terminal else REPORT_INTERVAL, monotonic=monotonic
        )

    def clear(self) -> None:
        """Remove the line from a terminal."""
        if self._is_shown:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()
        self._is_shown = False

    def _write(self, text: str) -> None:
        self._is_shown = self._is_terminal
        self._stream.write(f"{_CLEAR_LINE}{text}" if self._is_terminal else f"{text}\n")
        self._stream.flush()


@asynccontextmanager
async def show_progress(progress: TerminalProgress, describe: Callable[[], str]) -> AsyncIterator[None]:
    """Keep showing what `describe` returns while the body runs."""
    reporting = asyncio.create_task(_keep_reporting(progress, describe))
    try:
        yield
    finally:
        reporting.cancel()
        await asyncio.wait([reporting])
        progress.clear()


async def _keep_reporting(progress: TerminalProgress, describe: Callable[[], str]) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        progress.report(describe())
