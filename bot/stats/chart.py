"""Draws the chart: one portrait image for a phone, with large type, in a palette for colour-blind readers.

The palette is Okabe's and Ito's (https://jfly.uni-koeln.de/color/, 2008); failures are hatched as well, so that nothing
depends on colour alone. Numbers stand beside the bars, because nobody reads axes on a phone.

`report` runs it in a child process (`python -m bot.stats.chart SECONDS`), because matplotlib is slow to load and takes
memory. The request is a list of chart data as JSON, the reply is a PNG.
"""

import io
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator

from bot.process_isolation import serve_one_request
from bot.stats.chart_types import ChartBar, ChartData, OutcomeRow, WaitRow

#: Pixels; Telegram shows this shape uncropped.
WIDTH, HEIGHT, DPI = 1080, 1500, 100

#: Left and right edge of all panels, as shares of the width.
LEFT, RIGHT = 0.055, 0.9

#: Height of a row relative to those of the other panels.
ROW_HEIGHT = 0.46

FONT = "DejaVu Sans"

#: A light theme, even in a dark chat.
BACKGROUND, TEXT_COLOUR, MUTED_COLOUR, GRID_COLOUR = "#fbfaf7", "#1b1b1b", "#5a5a5a", "#dcdad3"

#: By outcome, and for a wait its total and Kie's part.
COLOURS = {"made": "#0072b2", "not_made": "#d55e00", "others": "#b5b3ac", "whole": "#56b4e9", "kie": "#e69f00"}
HATCHES = {"made": "", "not_made": "///", "others": "", "whole": "", "kie": ""}

#: Font sizes in points; integers, because `preload` opens the font at each whole size.
FIGURE_SIZE, HEADING_SIZE, LABEL_SIZE, SMALL_SIZE = 42, 25, 22, 20

STYLE: dict[Any, Any] = {
    "font.family": FONT,
    "text.color": TEXT_COLOUR,
    "axes.facecolor": BACKGROUND,
    "figure.facecolor": BACKGROUND,
    "hatch.color": BACKGROUND,
    "hatch.linewidth": 2.0,
    "xtick.color": MUTED_COLOUR,
    "ytick.color": MUTED_COLOUR,
    "text.parse_math": False,
}


def preload() -> None:
    """Load all modules and fonts that drawing needs, because an isolated process cannot open files.

    matplotlib opens a font's file at the first use of each size, so all sizes are used here.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1, 1))
        for size in range(1, FIGURE_SIZE + 1):
            for weight in ("normal", "bold"):
                figure.text(0, 0, "a", size=size, weight=weight)
        figure.add_subplot().bar([0], [1], hatch="///")
    _encode_png(figure)
    _font_codepoints()


def render_png(charts: Sequence[ChartData]) -> bytes:
    """Draw the first chart for whose script the font has glyphs, and return a PNG."""
    return _encode_png(build_figure(first_renderable(charts)))


def _encode_png(figure: Figure) -> bytes:
    png = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(png, format="png")
    return png.getvalue()


def first_renderable(charts: Sequence[ChartData]) -> ChartData:
    """Return the first chart for whose script the font has glyphs, or the last one."""
    return next((each for each in charts if _has_all_glyphs(each)), charts[-1])


def build_figure(data: ChartData) -> Figure:
    """Return the laid-out chart."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
        _draw_panels(figure, data)
        figure.draw_without_rendering()
    return figure


def _has_all_glyphs(data: ChartData) -> bool:
    known = _font_codepoints()
    return all(ord(char) in known for text in _all_texts(data) for char in text)


def _font_codepoints() -> Collection[int]:
    return get_font(findfont(FontProperties(family=FONT))).get_charmap()


def _all_texts(data: ChartData) -> Iterable[str]:
    yield from (data.title, data.until, data.bars_title, data.hours_title, data.outcomes_title)
    yield from (data.waits_title, data.kie)
    for pair in (*data.tiles, *data.legend):
        yield from pair
    for row in data.outcomes:
        yield from (row.label, row.text)
    for wait in data.waits:
        yield from (wait.label, wait.text, wait.at_kie_text)


def _draw_panels(figure: Figure, data: ChartData) -> None:
    panels = [(1.2, _draw_tiles), (3.0, _draw_bars)]
    if data.hours:
        panels.append((1.3, _draw_hours))
    panels.append((ROW_HEIGHT * len(data.outcomes), _draw_outcomes))
    if data.waits:
        panels.append((ROW_HEIGHT * len(data.waits), _draw_waits))
    figure.text(LEFT, 0.967, data.title, size=HEADING_SIZE + 7, weight="bold", va="center")
    figure.text(LEFT, 0.936, data.until, size=SMALL_SIZE, color=MUTED_COLOUR, va="center")
    # a panel's title and labels take the same space whatever its height
    between = 1.1 * len(panels) / sum(height for height, _ in panels)
    grid = GridSpec(
        len(panels), 1, figure, left=LEFT, right=RIGHT, top=0.915, bottom=0.025, hspace=between,
        height_ratios=[height for height, _ in panels],
    )  # fmt: skip
    for place, (_, draw) in enumerate(panels):
        axes = figure.add_subplot(grid[place])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=SMALL_SIZE)
        draw(axes, data)


def _draw_heading(axes: Axes, title: str, legend: Sequence[tuple[str, str]] = ()) -> None:
    axes.set_title(title, loc="left", size=HEADING_SIZE, weight="bold", pad=12)
    if legend:
        axes.legend(
            [Patch(facecolor=COLOURS[kind], hatch=HATCHES[kind], linewidth=0) for kind, _ in legend],
            [label for _, label in legend],
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(legend), frameon=False, fontsize=SMALL_SIZE,
            handlelength=1.0, handletextpad=0.4, columnspacing=1.0, borderaxespad=0.1,
        )  # fmt: skip


def _draw_tiles(axes: Axes, data: ChartData) -> None:
    axes.set_axis_off()
    for place, (value, label) in enumerate(data.tiles):
        left = place / len(data.tiles)
        axes.text(
            left, 0.66, value, size=_fitting_font_size(value), weight="bold", va="center", transform=axes.transAxes
        )
        axes.text(left, 0.08, label, size=SMALL_SIZE, color=MUTED_COLOUR, va="center", transform=axes.transAxes)


def _fitting_font_size(value: str) -> int:
    """Return the font size in points at which a number fits into a quarter of the width."""
    return max(1, min(FIGURE_SIZE, int(FIGURE_SIZE * 4.9 / len(value))))


def _draw_bars(axes: Axes, data: ChartData) -> None:
    _draw_heading(axes, data.bars_title, data.legend)
    numbers = range(len(data.bars))
    floor = [0.0] * len(data.bars)
    for kind, _ in data.legend:
        heights = [float(getattr(bar, kind)) for bar in data.bars]
        axes.bar(numbers, heights, 0.86, floor, color=COLOURS[kind], hatch=HATCHES[kind], linewidth=0)
        floor = [below + height for below, height in zip(floor, heights, strict=True)]
    axes.set_xticks([number for number, _ in data.ticks], [label for _, label in data.ticks])
    axes.set_xlim(-0.6, len(data.bars) - 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, prune="lower"))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.tick_right()
    axes.tick_params(length=0)
    axes.grid(axis="y", color=GRID_COLOUR, linewidth=1.5)
    axes.set_axisbelow(True)


def _draw_hours(axes: Axes, data: ChartData) -> None:
    _draw_heading(axes, data.hours_title)
    axes.bar(range(24), data.hours, 0.86, color=COLOURS["made"], linewidth=0)
    axes.set_xticks(range(0, 24, 6), [f"{hour:02}:00" for hour in range(0, 24, 6)])
    axes.set_xlim(-0.6, 23.6)
    axes.set_yticks([])


def _draw_outcomes(axes: Axes, data: ChartData) -> None:
    _draw_heading(axes, data.outcomes_title)
    for place, row in enumerate(data.outcomes):
        axes.barh(place, row.count, 0.62, color=COLOURS[row.kind], hatch=HATCHES[row.kind], linewidth=0)
    _label_rows(axes, [(row.count, row.label, row.text) for row in data.outcomes])


def _draw_waits(axes: Axes, data: ChartData) -> None:
    _draw_heading(axes, data.waits_title, [("kie", data.kie)])
    for place, row in enumerate(data.waits):
        axes.barh(place, row.total, 0.62, color=COLOURS["whole"], linewidth=0)
        axes.barh(place, row.at_kie, 0.62, color=COLOURS["kie"], hatch=HATCHES["kie"], linewidth=0)
    _label_rows(axes, [(row.total, row.label, f"{row.text} · {data.kie} {row.at_kie_text}") for row in data.waits])


def _label_rows(axes: Axes, rows: Sequence[tuple[float, str, str]]) -> None:
    """Label each bar: its name on the left, its value on the right."""
    most = max(1e-3, *(value for value, _, _ in rows))
    axes.set_xlim(-0.52 * most, 1.62 * most)
    for place, (value, label, text) in enumerate(rows):
        axes.text(-0.52 * most, place, label, size=LABEL_SIZE, va="center")
        axes.text(value + 0.03 * most, place, text, size=LABEL_SIZE, va="center")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])


def parse_chart_data(entry: dict[str, Any]) -> ChartData:
    """Return the chart data of a decoded JSON object."""
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
    return render_png([parse_chart_data(each) for each in json.loads(request)])


if __name__ == "__main__":
    serve_one_request(preload, _render)
