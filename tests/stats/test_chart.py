"""The chart is in portrait and legible, and no text is cut off or covered, in every script that the font covers."""

import io
import itertools
from collections import Counter
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from bot.stats.aggregates import (
    EditOutcome,
    Period,
    PeriodStatistics,
    PeriodUnit,
    TimeBucket,
    WaitTimes,
    aggregate_period,
)
from bot.stats.chart import DPI, HEIGHT, WIDTH, build_figure, first_renderable, render_png
from bot.stats.chart_data import build_chart_data
from bot.stats.chart_types import ChartData
from bot.store.database import Database
from tests.stats.synthetic_history import NOW

#: Height of a letter in a chart 1080 pixels wide; scaled to the 400 points of a phone, the size of small text in apps.
MIN_TEXT_PIXELS = 25


@pytest.fixture
async def charts(past: Database) -> dict[str, ChartData]:
    """Charts of 80 days in every language."""
    statistics = await aggregate_period(past, Period(80, PeriodUnit.DAYS), NOW)
    return {language: build_chart_data(statistics, language) for language in ("en", "es", "ru", "zh")}


def _text_boxes(figure: Figure) -> dict[str, Bbox]:
    renderer: Any = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # by the library
    shown = [each for each in _texts(figure) if each.get_visible()]
    return {f"{number} {each.get_text()}": each.get_window_extent(renderer) for number, each in enumerate(shown)}


def _texts(figure: Figure) -> list[Text]:
    found: list[Any] = figure.findobj(Text)
    return [each for each in found if each.get_text()]


@pytest.mark.parametrize("language", ["en", "es", "ru"])
async def test_no_word_is_cut_off_or_covers_another(charts: dict[str, ChartData], language: str) -> None:
    _assert_texts_fit(build_figure(charts[language]))


def test_a_great_deal_of_everything_fits_as_well() -> None:
    ends = Counter(dict.fromkeys(EditOutcome, 9_876_543))
    columns = (TimeBucket(NOW, 7.0, 7_000_000, 700_000, 70_000),) * 53
    waiting = WaitTimes(3_600_000, 72_000_000, 3_500_000, 70_000_000, 0.9)
    statistics = PeriodStatistics(
        Period(366, PeriodUnit.DAYS), NOW, columns, (ends.total(),) * 24, ends, waiting, 123_456_789.5
    )
    _assert_texts_fit(build_figure(build_chart_data(statistics, "ru")))


def _assert_texts_fit(figure: Figure) -> None:
    boxes = _text_boxes(figure)
    assert len(boxes) > 25
    assert [name for name, box in boxes.items() if not _is_inside(box)] == []
    assert [pair for pair in itertools.combinations(boxes, 2) if boxes[pair[0]].overlaps(boxes[pair[1]])] == []


def _is_inside(box: Bbox) -> bool:
    return bool(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= WIDTH and box.y1 <= HEIGHT)


async def test_letters_are_large_enough_for_a_phone(charts: dict[str, ChartData]) -> None:
    figure = build_figure(charts["en"])
    sizes = {float(text.get_fontsize()) for text in _texts(figure)}
    assert min(sizes) * DPI / 72 >= MIN_TEXT_PIXELS


async def test_it_is_a_light_portrait_that_telegram_takes(charts: dict[str, ChartData]) -> None:
    with Image.open(io.BytesIO(render_png([charts["en"]]))) as picture:
        assert (picture.format, picture.size) == ("PNG", (WIDTH, HEIGHT))
        assert picture.convert("L").getpixel((2, 2)) == pytest.approx(250, abs=5)


async def test_a_script_without_letters_gives_way_to_one_that_has_them(charts: dict[str, ChartData]) -> None:
    chosen = {language: first_renderable([chart_data, charts["en"]]) for language, chart_data in charts.items()}
    assert chosen == charts | {"zh": charts["en"]}
