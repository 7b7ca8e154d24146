"""Report: what an admin asked for with /stats, counted and drawn when it is sent, so that it is true then.

Counting is read in short pieces and drawing done by another process. Where no picture can be had, the figures come as
text.
"""

import logging
from collections.abc import Awaitable, Callable

from bot.chat.client import Chat, Media, Place
from bot.chat.errors import Misplaced, Rejected
from bot.job import Instant
from bot.stats.caption import caption
from bot.stats.drawing_process import Drawing, NotDrawn
from bot.stats.figures import Figures, count
from bot.stats.period import USUAL, read_period
from bot.stats.writing import written
from bot.store.connection import Database
from bot.texts import DEFAULT

log = logging.getLogger(__name__)

#: As which file the picture comes.
NAME = "stats.png"


class Report:
    """The step that sends the figures of a period."""

    def __init__(self, db: Database, chat: Chat, drawing: Drawing, *, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._chat = chat
        self._drawing = drawing
        self._clock = clock

    async def run(self, body: str, place: Place, confirm: Callable[[], Awaitable[None]]) -> int:
        """Count and send the figures that `body` names, by period and language like "7d en"; return the message's id.

        `confirm` is called right before something is sent, and raises where nobody wants it any more.
        Raises a ChatError.
        """
        words, _, language = body.partition(" ")
        figures = await count(self._db, read_period(words) or USUAL, self._clock())
        said = caption(figures).into(language)
        picture = await self._picture(figures, language)
        await confirm()
        if picture is None:
            return await self._chat.say(place, said)
        try:
            return await self._chat.send(place, Media(picture, NAME, said))
        except Rejected as error:
            if isinstance(error, Misplaced):
                raise
            log.info("Telegram does not take the figures as a picture, so they go as text: %s", error)
        await confirm()
        return await self._chat.say(place, said)

    async def _picture(self, figures: Figures, language: str) -> bytes | None:
        if not figures.edits:
            return None
        try:
            return await self._drawing.draw([written(figures, each) for each in (language, DEFAULT)])
        except NotDrawn as error:
            log.warning("the figures could not be drawn, so they go as text: %s", error)
            return None
