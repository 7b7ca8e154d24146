"""The picture of docs/operating.md: what /stats shows, of a past that is made up."""

import asyncio
import io
import tempfile
from pathlib import Path

from PIL import Image

from bot.stats.drawing import drawn
from bot.stats.figures import count
from bot.stats.period import Period, Unit
from bot.stats.writing import written
from bot.store.connection import Database
from tests.stats.past import NOW, fill

TARGET = Path(__file__).parents[2] / "docs" / "images" / "stats.png"

#: Enough for flat colours and the edges of letters.
COLOURS = 64

#: So far back that the outage is in it.
SHOWN = Period(30, Unit.DAYS)


async def take() -> None:
    """Draw it anew."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "darkroom.db"
        db = await Database.open(str(path))
        fill(path, NOW, days=365, edits=20_000)
        figures = await count(db, SHOWN, NOW)
        await db.close()
    with Image.open(io.BytesIO(drawn([written(figures, "en")]))) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(TARGET, optimize=True)


if __name__ == "__main__":
    asyncio.run(take())
