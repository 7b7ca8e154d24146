"""/stats: an admin sees what is going on, at a glance; where no picture can be drawn, the figures come as text."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.chat.client import Place
from bot.jobs.report import Report
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram import Person
from bot.stats.drawing_process import Drawing
from bot.stats.period import DAY
from tests.house import House, a_house
from tests.world import english

ADMIN = 9009


class Desk:
    """The admin's private chat with a bot that made one edit yesterday."""

    def __init__(self, house: House, path: Path) -> None:
        self.house = house
        self.admin: Person = house.telegram.person(user_id=ADMIN)
        self._path = path

    async def asks(self, text: str) -> dict[str, Any]:
        """Let the admin say something, and return what the bot sends."""
        self.admin.send_text(text)
        await self.house.hear()
        return self.house.telegram.bot_messages(ADMIN)[-1]

    def remember_an_edit(self) -> None:
        """Have somebody had a picture edited yesterday, whose name is forgotten."""
        received = self.house.clock.instant() - DAY
        db = sqlite3.connect(self._path)
        db.execute(
            "INSERT INTO jobs (state, received_at, queued_at, finished_at, answered_at, took, chat_id, user_id, prompt,"
            " erased_at) VALUES ('succeeded', ?1, ?1, ?1, ?1 + 40000, 30000, 0, 0, '', 1)",
            (received,),
        )
        db.commit()
        db.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A bot with an admin."""
    async with a_house(tmp_path, admin_ids=frozenset({ADMIN})) as house:
        yield Desk(house, tmp_path / "darkroom.db")


async def test_an_admin_gets_a_picture_with_the_same_figures_below_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "no-backend-of-this-name")  # what draws gets nothing of the bot's environment
    desk.remember_an_edit()
    sent = await desk.asks("/stats")
    assert sent["photo"]
    assert sent["caption"].splitlines() == [
        "The last 7 days, until 2027-01-15 08:00 UTC",
        "Edits: 1",
        "made: 1 (100 %)",
        "Success: 100 %, without what people took back themselves",
        "From the request to the picture: half within 40 s, 95 % within 40 s. Kie's share of the time: 75 %",
        "Credits spent on these UTC days: 0",
        "Busiest hour: 08:00–09:00 UTC",
    ]


async def test_without_edits_an_admin_is_told_so_in_their_language(desk: Desk) -> None:
    desk.admin.user["language_code"] = "ru"
    sent = await desk.asks("/stats 30d")
    assert sent["text"].startswith("Последние 30 дней, до ")
    assert "никто не просил" in sent["text"]


async def test_who_writes_no_period_is_told_how_to(desk: Desk) -> None:
    assert (await desk.asks("/stats yesterday"))["text"] == english("stats-which", hours="72h", days="366d")


async def test_others_hear_what_they_hear_of_any_command_of_admins(desk: Desk) -> None:
    desk.house.ada.send_text("/stats")
    await desk.house.hear()
    assert desk.house.words() == [english("unknown-command")]


async def _wanted() -> None:
    """Say that it is still wanted."""


async def test_figures_that_cannot_be_drawn_come_as_text(desk: Desk) -> None:
    desk.remember_an_edit()
    bot = desk.house.bot
    report = Report(bot.db, bot.chat, Drawing(timeout=0.0), clock=desk.house.clock.instant)
    await report.run("7d en", Place(ADMIN), _wanted)
    assert desk.house.words(ADMIN)[-1].splitlines()[1] == "Edits: 1"
    assert "could not be drawn" in " ".join(desk.house.heard.lines)


async def test_where_telegram_takes_no_pictures_the_figures_come_as_text(desk: Desk) -> None:
    desk.remember_an_edit()
    body = b'{"ok": false, "error_code": 400, "description": "Bad Request: not enough rights to send photos"}'
    headers = {"Content-Type": "application/json"}
    desk.house.telegram.faults.add("sendPhoto", Fault(Kind.ANSWER, status=400, body=body, headers=headers))
    assert (await desk.asks("/stats"))["text"].splitlines()[1] == "Edits: 1"
