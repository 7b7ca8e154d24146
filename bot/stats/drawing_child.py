"""The process that draws, apart from the bot: what it needs for that is slow to load, and takes memory.

Started by `drawing_process` as `python -m bot.stats.drawing_child SECONDS`. It reads sheets from its stdin, as JSON,
writes a PNG to its stdout, and ends; when that takes longer than SECONDS it ends as well, so that it never outlives
a bot that was killed.
"""

import contextlib
import json
import os
import resource
import signal
import sys
from typing import Any

from bot.stats.sheet import Column, Row, Sheet, Span

_POLITENESS = 5

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
    os.nice(_POLITENESS)
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
    with contextlib.suppress(ValueError, OSError):  # macOS knows no such bound
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sheets = [read_sheet(each) for each in json.load(sys.stdin)]
    from bot.stats.drawing import drawn  # noqa: PLC0415 - only here, within the bounds, is it worth its second

    sys.stdout.buffer.write(drawn(sheets))


if __name__ == "__main__":
    _main()
