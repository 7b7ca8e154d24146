"""The process that draws charts, apart from the bot: matplotlib is slow to load and takes memory.

`chart_process` starts it as `python -m bot.stats.chart_main SECONDS`. The request is chart data as JSON, the reply is a
PNG.
"""

import json
from typing import Any

from bot.process_isolation import serve_one_request
from bot.stats import chart
from bot.stats.chart_data import ChartBar, ChartData, OutcomeRow, WaitRow


def parse_chart_data(entry: dict[str, Any]) -> ChartData:
    """Return chart data that was written as JSON."""
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


def _render(request: bytes) -> bytes:
    return chart.render_png([parse_chart_data(each) for each in json.loads(request)])


if __name__ == "__main__":
    serve_one_request(chart.preload, _render)
