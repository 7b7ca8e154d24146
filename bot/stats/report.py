"""The message that answers /stats: its caption, and the step that counts, draws and sends it.

Statistics are counted when the message is sent, so that they are up to date, and drawn in a child process. If no chart
can be drawn or sent, the caption is sent as a text.
"""

import asyncio
import json
import logging
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict

from bot.child_process import ChildProcessFailed, ChildProcessNotStarted, start_child_process
from bot.clock import Instant
from bot.i18n import DEFAULT_LANGUAGE, Sentence, SentenceList, sentence, short_duration
from bot.stats.aggregates import DEFAULT_PERIOD, EditOutcome, PeriodStatistics, aggregate_period, parse_period
from bot.stats.chart_data import build_chart_data, format_utc, outcomes_by_frequency, percentage, period_title
from bot.stats.chart_types import ChartData
from bot.store.database import Database
from bot.telegram.client import Destination, OutgoingImage, TelegramClient
from bot.telegram.errors import InvalidDestination, Rejected

log = logging.getLogger(__name__)

FILE_NAME = "stats.png"

#: Seconds for one chart, which takes one or two of CPU time; the machine may be busy.
TIMEOUT = 30.0

#: Bytes; twenty times the size of a usual chart.
_MAX_PNG_BYTES = 4 << 20

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class ChartError(Exception):
    """No chart could be drawn; the statistics go out as text."""


class ChartRenderer:
    """Draws charts, one at a time, each in its own process."""

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._lock = asyncio.Lock()

    async def render(self, alternatives: Sequence[ChartData]) -> bytes:
        """Return a PNG of the first alternative whose script the font covers. Raises ChartError."""
        request = json.dumps([asdict(each) for each in alternatives]).encode()
        async with self._lock:
            try:
                # matplotlib needs a folder for its font cache
                with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
                    png = await self._run_process(request, folder)
            except TimeoutError:
                raise ChartError(f"it took longer than {self._timeout:.0f} s") from None
            except (ChildProcessNotStarted, ChildProcessFailed) as error:
                raise ChartError(str(error)) from None
            except OSError as error:
                raise ChartError(f"no temporary folder: {error.strerror}") from None
        if not png.startswith(_PNG_SIGNATURE):
            raise ChartError("the reply is not a PNG")
        return png

    async def _run_process(self, request: bytes, folder: str) -> bytes:
        # more threads of OpenBLAS would only reserve memory
        environment = {"MPLCONFIGDIR": folder, "OPENBLAS_NUM_THREADS": "1"}
        async with start_child_process(
            "bot.stats.chart", seconds=self._timeout, environment=environment, keeps_stderr=True
        ) as child:
            return await child.request(request, max_reply_bytes=_MAX_PNG_BYTES)


class StatsReport:
    """The step that counts, draws and sends the statistics of a period."""

    def __init__(
        self, db: Database, telegram: TelegramClient, renderer: ChartRenderer, *, clock: Callable[[], Instant]
    ) -> None:
        self._db = db
        self._telegram = telegram
        self._renderer = renderer
        self._clock = clock

    async def run(self, body: str, destination: Destination, confirm: Callable[[], Awaitable[None]]) -> int:
        """Send the statistics that `body` names, a period and a language like "7d en"; return the message id.

        `confirm` is called right before each send, and raises if the message is no longer wanted.
        Raises TelegramApiError.
        """
        words, _, language = body.partition(" ")
        statistics = await aggregate_period(self._db, parse_period(words) or DEFAULT_PERIOD, self._clock())
        caption = render_caption(statistics).translate(language)
        chart = await self._render_chart(statistics, language)
        await confirm()
        if chart is not None:
            try:
                return await self._telegram.send_image(destination, OutgoingImage(chart, FILE_NAME, caption))
            except InvalidDestination:
                raise
            except Rejected as error:
                log.info("Telegram rejects the chart of /stats, so the caption is sent as a text: %s", error)
            await confirm()
        return await self._telegram.send_message(destination, caption)

    async def _render_chart(self, statistics: PeriodStatistics, language: str) -> bytes | None:
        if not statistics.edits:
            return None
        charts = [build_chart_data(statistics, each) for each in dict.fromkeys((language, DEFAULT_LANGUAGE))]
        try:
            return await self._renderer.render(charts)
        except ChartError as error:
            log.warning("the chart of /stats could not be drawn, so the caption is sent as a text: %s", error)
            return None


def render_caption(statistics: PeriodStatistics) -> SentenceList:
    """Return the caption: all numbers of the chart in words."""
    until = sentence("stats-until", time=format_utc(statistics.now))
    head = SentenceList((period_title(statistics.period), until), separator=", ")
    spent = sentence("stats-credits", credits=round(statistics.credits_spent, 1))
    if not statistics.edits:
        return SentenceList((head, sentence("stats-none"), spent))
    lines: list[Sentence | SentenceList] = [head, sentence("stats-edits", count=statistics.edits)]
    lines += [_outcome_line(statistics, outcome) for outcome in outcomes_by_frequency(statistics)]
    if statistics.success_rate is not None:
        lines.append(sentence("stats-success", share=percentage(statistics.success_rate)))
    waits = statistics.wait_times
    if waits is not None:
        half, most = short_duration(waits.median / 1000), short_duration(waits.p95 / 1000)
        lines.append(sentence("stats-waits", half=half, most=most, share=percentage(waits.kie_share)))
    hour = statistics.by_hour_of_day.index(max(statistics.by_hour_of_day))
    busiest = sentence("stats-busiest", start=f"{hour:02}:00", end=f"{hour + 1:02}:00")
    return SentenceList((*lines, spent, busiest))


def _outcome_line(statistics: PeriodStatistics, outcome: EditOutcome) -> Sentence:
    count = statistics.outcomes[outcome]
    what = sentence(outcome.sentence_name)
    return sentence("stats-end", what=what, count=count, share=percentage(count / statistics.edits))
