"""The process that draws, apart from the bot: what it needs for that is slow to load, and takes memory.

Started by `drawing_process` as `python -m bot.stats.chart_main SECONDS`. It loads what it draws with, shuts
itself in (`bot.process_isolation`), reads sheets from its stdin, as JSON, writes a PNG to its
stdout, and ends. When that takes longer than SECONDS it ends as well, so that it never outlives a bot that was killed.
"""

import json
import signal
import sys
from typing import Any

from bot.process_isolation import close_inherited_files, isolate_process
from bot.stats.chart_data import ChartBar, ChartData, OutcomeRow, WaitRow

#: Bytes of address space; most of it is only reserved.
_MAX_MEMORY = 1 << 30


def parse_chart_data(entry: dict[str, Any]) -> ChartData:
    """Return a sheet that was written as JSON."""
    parts = {
        "tiles": tuple(map(tuple, entry["tiles"])),
        "bars": tuple(ChartBar(**each) for each in entry["bars"]),
        "ticks": tuple(map(tuple, entry["ticks"])),
        "legend": tuple(map(tuple, entry["legend"])),
        "hours": tuple(entry["hours"]),
        "outcomes": tuple(OutcomeRow(**each) for each in entry["outcomes"]),
        "waits": tuple(WaitRow(**each) for each in entry["waits"]),
    }
    return ChartData(**(entry | parts))


def _main() -> None:
    seconds = float(sys.argv[1])
    signal.setitimer(signal.ITIMER_REAL, seconds)
    close_inherited_files()
    from bot.stats import chart  # noqa: PLC0415 - only here, within its time, is it worth its second

    chart.preload()
    isolate_process(memory=_MAX_MEMORY, seconds=seconds)
    sheets = [parse_chart_data(each) for each in json.load(sys.stdin)]
    sys.stdout.buffer.write(chart.render_png(sheets))


if __name__ == "__main__":
    _main()
