"""Draws the chart that docs/operating.md shows, from a synthetic history."""

import asyncio
import io
import tempfile
from pathlib import Path

from PIL import Image

from bot.stats.aggregates import Period, PeriodUnit, aggregate_period
from bot.stats.chart import render_png
from bot.stats.chart_data import build_chart_data
from bot.store.database import Database
from tests.stats.synthetic_history import NOW, insert_history

TARGET_FILE = Path(__file__).parents[2] / "docs" / "images" / "stats.png"

#: Colours: enough for flat areas and anti-aliased text.
PALETTE_SIZE = 64

#: Long enough to include the outage.
SHOWN_PERIOD = Period(30, PeriodUnit.DAYS)


async def draw() -> None:
    """Draw the chart and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "darkroom.db"
        db = await Database.open(str(path))
        insert_history(path, NOW, days=365, edits=20_000)
        statistics = await aggregate_period(db, SHOWN_PERIOD, NOW)
        await db.close()
    with Image.open(io.BytesIO(render_png([build_chart_data(statistics, "en")]))) as image:
        image.convert("RGB").quantize(PALETTE_SIZE, dither=Image.Dither.NONE).save(TARGET_FILE, optimize=True)


if __name__ == "__main__":
    asyncio.run(draw())
