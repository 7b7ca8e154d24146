"""Report: what an admin asked for with /stats, counted and drawn when it is sent, so that it is true then.

Counting is read in short pieces and drawing done by another process. Where no picture can be had, the figures come as
text.
"""

import logging
from collections.abc import Awaitable, Callable

from bot.clock import Instant
from bot.i18n import DEFAULT_LANGUAGE
from bot.stats.aggregates import PeriodStatistics, aggregate_period
from bot.stats.build_chart_data import build_chart_data
from bot.stats.caption import render_caption
from bot.stats.chart_process import ChartError, ChartRenderer
from bot.stats.period import DEFAULT_PERIOD, parse_period
from bot.store.database import Database
from bot.telegram.client import Destination, OutgoingImage, TelegramClient
from bot.telegram.errors import InvalidDestination, Rejected

log = logging.getLogger(__name__)

#: As which file the picture comes.
FILE_NAME = "stats.png"


class StatsReport:
    """The step that sends the figures of a period."""

    def __init__(
        self, db: Database, chat: TelegramClient, drawing: ChartRenderer, *, clock: Callable[[], Instant]
    ) -> None:
        self._db = db
        self._chat = chat
        self._renderer = drawing
        self._clock = clock

    async def run(self, body: str, place: Destination, confirm: Callable[[], Awaitable[None]]) -> int:
        """Count and send the figures that `body` names, by period and language like "7d en"; return the message's id.

        `confirm` is called right before something is sent, and raises where nobody wants it any more.
        Raises a ChatError.
        """
        words, _, language = body.partition(" ")
        figures = await aggregate_period(self._db, parse_period(words) or DEFAULT_PERIOD, self._clock())
        said = render_caption(figures).translate(language)
        picture = await self._render_chart(figures, language)
        await confirm()
        if picture is None:
            return await self._chat.send_message(place, said)
        try:
            return await self._chat.send_image(place, OutgoingImage(picture, FILE_NAME, said))
        except Rejected as error:
            if isinstance(error, InvalidDestination):
                raise
            log.info("Telegram does not take the figures as a picture, so they go as text: %s", error)
        await confirm()
        return await self._chat.send_message(place, said)

    async def _render_chart(self, figures: PeriodStatistics, language: str) -> bytes | None:
        if not figures.edits:
            return None
        try:
            return await self._renderer.render(
                [build_chart_data(figures, each) for each in (language, DEFAULT_LANGUAGE)]
            )
        except ChartError as error:
            log.warning("the figures could not be drawn, so they go as text: %s", error)
            return None
