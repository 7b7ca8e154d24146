"""The process that draws, apart from the bot: what it needs for that is slow to load, and takes memory.

Started by `drawing_process` as `python -m bot.stats.drawing_child SECONDS`. It loads what it draws with, shuts itself
in (`bot.confinement`), reads sheets from its stdin, as JSON, writes a PNG to its stdout, and ends. When that takes
longer than SECONDS it ends as well, so that it never outlives a bot that was killed.
"""

import json
import signal
import sys
from typing import Any

from bot.confinement import close_inherited_files, confine
from bot.stats.sheet import Column, Row, Sheet, Span

#: Bytes of address space; most of it is only reserved.
_MEMORY = 1 << 30


def read_sheet(entry: dict[str, Any]) -> Sheet:
    """Return a sheet that was written as JSON."""
    parts = {
        "tiles": tuple(map(tuple, entry["tiles"])),
        "columns": tuple(Column(**each) for each in entry["columns"]),
        "ticks": tuple(map(tuple, entry["ticks"])),
        "legend": tuple(map(tuple, entry["legend"])),
        "hours": tuple(entry["hours"]),
        "ends": tuple(Row(**each) for each in entry["ends"]),
        "waits": tuple(Span(**each) for each in entry["waits"]),
    }
    return Sheet(**(entry | parts))


def _main() -> None:
    seconds = float(sys.argv[1])
    signal.setitimer(signal.ITIMER_REAL, seconds)
    close_inherited_files()
    from bot.stats import drawing  # noqa: PLC0415 - only here, within its time, is it worth its second

    drawing.prepare()
    confine(memory=_MEMORY, seconds=seconds)
    sheets = [read_sheet(each) for each in json.load(sys.stdin)]
    sys.stdout.buffer.write(drawing.drawn(sheets))


if __name__ == "__main__":
    _main()
