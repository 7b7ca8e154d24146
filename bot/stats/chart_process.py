"""Starts the child process that draws a chart, and ends it when it takes too long."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict

from bot import child_process
from bot.stats.chart_data import ChartData

#: Seconds for one chart, which takes one or two of CPU time; the machine may be busy.
TIMEOUT = 30.0

#: Seconds after `TIMEOUT` at which the child ends itself, in case the bot is gone.
_GRACE = 5.0

#: Bytes; a chart has a twentieth of it.
_MAX_PNG_BYTES = 4 << 20


class ChartError(Exception):
    """The chart could not be drawn."""


class ChartRenderer:
    """Draws one chart at a time, each in a process of its own."""

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._lock = asyncio.Lock()

    async def render(self, charts: Sequence[ChartData]) -> bytes:
        """Draw the first chart for whose script the font has glyphs, as a PNG. Raises ChartError."""
        request = json.dumps([asdict(each) for each in charts]).encode()
        async with self._lock:
            try:
                # the library caches the machine's fonts in a folder
                with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
                    return await self._run_child(request, folder)
            except OSError as error:
                raise ChartError(f"no process could be started: {error.strerror}") from None

    async def _run_child(self, request: bytes, folder: str) -> bytes:
        # a thread per CPU would only reserve memory
        environment = {"MPLCONFIGDIR": folder, "OPENBLAS_NUM_THREADS": "1"}
        seconds = str(self._timeout + _GRACE)
        child = await child_process.start_child_process(
            "bot.stats.chart_main", seconds, environment=environment, keeps_errors=True
        )
        try:
            async with asyncio.timeout(self._timeout):
                png, stderr = await child.communicate(request)
        except TimeoutError:
            raise ChartError(f"it took longer than {self._timeout:.0f} s") from None
        finally:
            await child.kill_and_wait()
        if child.exit_code != 0 or not png.startswith(b"\x89PNG\r\n\x1a\n") or len(png) > _MAX_PNG_BYTES:
            lines = stderr.decode(errors="replace").strip().splitlines()
            raise ChartError(f"exit code {child.exit_code}: {lines[-1][:200] if lines else 'no image came'}")
        return png
