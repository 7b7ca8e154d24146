"""The bot's side of the process that draws charts."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict

from bot.child_process import ChildProcessFailed, ChildProcessNotStarted, start_child_process
from bot.stats.chart_data import ChartData

#: Seconds for one chart, which takes one or two of CPU time; the machine may be busy.
TIMEOUT = 30.0

#: Bytes; a chart has a twentieth of it.
_MAX_PNG_BYTES = 4 << 20

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class ChartError(Exception):
    """No chart could be drawn; the statistics go out as text."""


class ChartRenderer:
    """Draws charts, one at a time, each in its own process."""

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._lock = asyncio.Lock()

    async def render(self, alternatives: Sequence[ChartData]) -> bytes:
        """Return a PNG of the first alternative whose script the font covers. Raises ChartError."""
        request = json.dumps([asdict(each) for each in alternatives]).encode()
        async with self._lock:
            try:
                # matplotlib wants a folder for its font cache
                with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
                    png = await self._run_process(request, folder)
            except TimeoutError:
                raise ChartError(f"it took longer than {self._timeout:.0f} s") from None
            except (ChildProcessNotStarted, ChildProcessFailed) as error:
                raise ChartError(str(error)) from None
            except OSError as error:
                raise ChartError(f"no temporary folder: {error.strerror}") from None
        if not png.startswith(_PNG_SIGNATURE):
            raise ChartError("the reply is not a PNG")
        return png

    async def _run_process(self, request: bytes, folder: str) -> bytes:
        # more threads of OpenBLAS would only reserve memory
        environment = {"MPLCONFIGDIR": folder, "OPENBLAS_NUM_THREADS": "1"}
        async with start_child_process(
            "bot.stats.chart_main", seconds=self._timeout, environment=environment, keeps_stderr=True
        ) as child:
            return await child.request(request, max_reply_bytes=_MAX_PNG_BYTES)
