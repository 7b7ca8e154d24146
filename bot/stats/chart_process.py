"""The bot's side of the drawing process: starts it, hands it what to draw, and ends it when it takes too long."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict

from bot import child_process
from bot.stats.chart_data import ChartData

#: Seconds for one picture, which takes one or two of a processor's; the machine may be busy.
TIMEOUT = 30.0

#: Seconds that the process waits longer than we do before it ends itself, in case that we are gone.
_GRACE = 5.0

#: Bytes; a picture has a twentieth of it.
_MAX_PNG_BYTES = 4 << 20

_PNG = b"\x89PNG\r\n\x1a\n"


class ChartError(Exception):
    """There is no picture; the figures have to do without."""


class ChartRenderer:
    """Draws sheets, one at a time, each in a process of its own."""

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._lock = asyncio.Lock()

    async def render(self, sheets: Sequence[ChartData]) -> bytes:
        """Draw the first sheet for whose script there are letters, as a PNG. Raises NotDrawn."""
        order = json.dumps([asdict(each) for each in sheets]).encode()
        async with self._lock:
            try:
                # the library wants a folder to remember the machine's fonts in, and gets one that goes again
                with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
                    return await self._run_child(order, folder)
            except OSError as error:
                raise ChartError(f"no process could be started: {error.strerror}") from None

    async def _run_child(self, order: bytes, folder: str) -> bytes:
        # a thread for each processor would only reserve memory
        environment = {"MPLCONFIGDIR": folder, "OPENBLAS_NUM_THREADS": "1"}
        words = str(self._timeout + _GRACE)
        child = await child_process.start_child_process(
            "bot.stats.chart_main", words, environment=environment, keeps_errors=True
        )
        try:
            async with asyncio.timeout(self._timeout):
                picture, said = await child.communicate(order)
        except TimeoutError:
            raise ChartError(f"it took longer than {self._timeout:.0f} s") from None
        finally:
            await child.kill_and_wait()
        if child.exit_code != 0 or not picture.startswith(_PNG) or len(picture) > _MAX_PNG_BYTES:
            raise ChartError(f"exit code {child.exit_code}: {_last_line(said)}")
        return picture


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no picture came"
