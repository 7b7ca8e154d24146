"""Drawing a sheet: one portrait picture for a phone, with large type, in colours that everybody can tell apart.

The colours are Okabe's and Ito's (https://jfly.uni-koeln.de/color/, 2008); what failed is hatched as well, so that
nothing is said by colour alone. Numbers stand beside what they measure, because nobody reads axes on a phone.
"""

import io
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator

from bot.stats.chart_data import ChartData

#: Pixels; a shape that Telegram shows as a whole.
WIDTH, HEIGHT, DPI = 1080, 1500, 100

#: Parts of the width: where everything begins and ends.
LEFT, RIGHT = 0.055, 0.9

#: Inches, compared with those of the other panels.
ROW_HEIGHT = 0.46

FONT = "DejaVu Sans"

#: A sheet of paper also where the chat around it is dark.
BACKGROUND, TEXT_COLOUR, MUTED_COLOUR, GRID_COLOUR = "#fbfaf7", "#1b1b1b", "#5a5a5a", "#dcdad3"

#: By what is shown: the ends of edits, and of a wait the whole and Kie's part.
COLOURS = {"made": "#0072b2", "not_made": "#d55e00", "others": "#b5b3ac", "whole": "#56b4e9", "kie": "#e69f00"}
HATCHES = {"made": "", "not_made": "///", "others": "", "whole": "", "kie": ""}

#: Whole points: of the largest figures, of headings, of what stands beside things, and of what matters least.
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
    """Load all that drawing needs, and open the fonts: once the process is shut in, nothing can be opened.

    The library looks for a font's file whenever it meets a size for the first time, so it meets them all here.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1, 1))
        for size in range(1, FIGURE_SIZE + 1):
            for weight in ("normal", "bold"):
                figure.text(0, 0, "a", size=size, weight=weight)
        figure.add_subplot().bar([0], [1], hatch="///")
    _encode_png(figure)
    _font_codepoints()


def render_png(sheets: Sequence[ChartData]) -> bytes:
    """Draw the first sheet that can be written, and return a PNG."""
    return _encode_png(build_figure(first_renderable(sheets)))


def _encode_png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(picture, format="png")
    return picture.getvalue()


def first_renderable(sheets: Sequence[ChartData]) -> ChartData:
    """Return the first sheet for whose script there are letters, or the last one."""
    return next((each for each in sheets if _has_all_glyphs(each)), sheets[-1])


def build_figure(sheet: ChartData) -> Figure:
    """Put everything that stands on a sheet in its place."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
        _draw_panels(figure, sheet)
        figure.draw_without_rendering()
    return figure


def _has_all_glyphs(sheet: ChartData) -> bool:
    letters = _font_codepoints()
    return all(ord(char) in letters for words in _all_texts(sheet) for char in words)


def _font_codepoints() -> Collection[int]:
    """Return the letters that there are, by their numbers."""
    return get_font(findfont(FontProperties(family=FONT))).get_charmap()


def _all_texts(sheet: ChartData) -> Iterable[str]:
    yield from (sheet.title, sheet.until, sheet.columns_title, sheet.hours_title, sheet.ends_title)
    yield from (sheet.waits_title, sheet.kie)
    for pair in (*sheet.tiles, *sheet.legend):
        yield from pair
    for row in sheet.ends:
        yield from (row.label, row.text)
    for span in sheet.waits:
        yield from (span.label, span.text, span.at_kie_text)


def _draw_panels(figure: Figure, sheet: ChartData) -> None:
    panels = [(1.2, _draw_tiles), (3.0, _draw_bars)]
    if sheet.hours:
        panels.append((1.3, _draw_hours))
    panels.append((ROW_HEIGHT * len(sheet.ends), _draw_outcomes))
    if sheet.waits:
        panels.append((ROW_HEIGHT * len(sheet.waits), _draw_waits))
    figure.text(LEFT, 0.967, sheet.title, size=HEADING_SIZE + 7, weight="bold", va="center")
    figure.text(LEFT, 0.936, sheet.until, size=SMALL_SIZE, color=MUTED_COLOUR, va="center")
    # what stands above and below a panel takes as much room whatever its height
    between = 1.1 * len(panels) / sum(height for height, _ in panels)
    grid = GridSpec(
        len(panels), 1, figure, left=LEFT, right=RIGHT, top=0.915, bottom=0.025, hspace=between,
        height_ratios=[height for height, _ in panels],
    )  # fmt: skip
    for place, (_, draw) in enumerate(panels):
        axes = figure.add_subplot(grid[place])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=SMALL_SIZE)
        draw(axes, sheet)


def _draw_heading(axes: Axes, words: str, legend: Sequence[tuple[str, str]] = ()) -> None:
    """Write what a panel shows, and at the right which colour stands for what."""
    axes.set_title(words, loc="left", size=HEADING_SIZE, weight="bold", pad=12)
    if legend:
        axes.legend(
            [Patch(facecolor=COLOURS[kind], hatch=HATCHES[kind], linewidth=0) for kind, _ in legend],
            [label for _, label in legend],
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(legend), frameon=False, fontsize=SMALL_SIZE,
            handlelength=1.0, handletextpad=0.4, columnspacing=1.0, borderaxespad=0.1,
        )  # fmt: skip


def _draw_tiles(axes: Axes, sheet: ChartData) -> None:
    axes.set_axis_off()
    for place, (value, label) in enumerate(sheet.tiles):
        left = place / len(sheet.tiles)
        axes.text(
            left, 0.66, value, size=_fitting_font_size(value), weight="bold", va="center", transform=axes.transAxes
        )
        axes.text(left, 0.08, label, size=SMALL_SIZE, color=MUTED_COLOUR, va="center", transform=axes.transAxes)


def _fitting_font_size(value: str) -> int:
    """Return the size, in whole points, in which a figure fits into a quarter of the width."""
    return max(1, min(FIGURE_SIZE, int(FIGURE_SIZE * 4.9 / len(value))))


def _draw_bars(axes: Axes, sheet: ChartData) -> None:
    _draw_heading(axes, sheet.columns_title, sheet.legend)
    numbers = range(len(sheet.columns))
    floor = [0.0] * len(sheet.columns)
    for kind, _ in sheet.legend:
        heights = [float(getattr(column, kind)) for column in sheet.columns]
        axes.bar(numbers, heights, 0.86, floor, color=COLOURS[kind], hatch=HATCHES[kind], linewidth=0)
        floor = [below + height for below, height in zip(floor, heights, strict=True)]
    axes.set_xticks([number for number, _ in sheet.ticks], [label for _, label in sheet.ticks])
    axes.set_xlim(-0.6, len(sheet.columns) - 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, prune="lower"))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.tick_right()
    axes.tick_params(length=0)
    axes.grid(axis="y", color=GRID_COLOUR, linewidth=1.5)
    axes.set_axisbelow(True)


def _draw_hours(axes: Axes, sheet: ChartData) -> None:
    _draw_heading(axes, sheet.hours_title)
    axes.bar(range(24), sheet.hours, 0.86, color=COLOURS["made"], linewidth=0)
    axes.set_xticks(range(0, 24, 6), [f"{hour:02}:00" for hour in range(0, 24, 6)])
    axes.set_xlim(-0.6, 23.6)
    axes.set_yticks([])


def _draw_outcomes(axes: Axes, sheet: ChartData) -> None:
    _draw_heading(axes, sheet.ends_title)
    for place, row in enumerate(sheet.ends):
        axes.barh(place, row.count, 0.62, color=COLOURS[row.kind], hatch=HATCHES[row.kind], linewidth=0)
    _label_rows(axes, [(row.count, row.label, row.text) for row in sheet.ends])


def _draw_waits(axes: Axes, sheet: ChartData) -> None:
    _draw_heading(axes, sheet.waits_title, [("kie", sheet.kie)])
    for place, span in enumerate(sheet.waits):
        axes.barh(place, span.whole, 0.62, color=COLOURS["whole"], linewidth=0)
        axes.barh(place, span.at_kie, 0.62, color=COLOURS["kie"], hatch=HATCHES["kie"], linewidth=0)
    _label_rows(
        axes, [(span.whole, span.label, f"{span.text} · {sheet.kie} {span.at_kie_text}") for span in sheet.waits]
    )


def _label_rows(axes: Axes, rows: Sequence[tuple[float, str, str]]) -> None:
    """Write before what lies what it is, and behind it how much: the most is as long as there is room for the words."""
    most = max(1e-3, *(value for value, _, _ in rows))
    axes.set_xlim(-0.52 * most, 1.62 * most)
    for place, (value, label, text) in enumerate(rows):
        axes.text(-0.52 * most, place, label, size=LABEL_SIZE, va="center")
        axes.text(value + 0.03 * most, place, text, size=LABEL_SIZE, va="center")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
