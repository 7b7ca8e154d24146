"""/stats: an admin gets a chart with a caption; without a chart, the caption comes as a text."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram import Person
from bot.stats.aggregates import DAY_MS
from bot.stats.report import ChartRenderer, StatsReport
from bot.telegram.client import Destination
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import render_english

ADMIN = 9009


class StatsAdminChat:
    """The admin's private chat with a bot that made one edit yesterday."""

    def __init__(self, house: BotHarness, path: Path) -> None:
        self.harness = house
        self.admin: Person = house.telegram.person(user_id=ADMIN)
        self._path = path

    async def send(self, text: str) -> dict[str, Any]:
        """Let the admin send a text, and return the bot's messages."""
        self.admin.send_text(text)
        await self.harness.process_updates()
        return self.harness.telegram.bot_messages(ADMIN)[-1]

    def insert_finished_edit(self) -> None:
        """Store an edit of yesterday, of a user who is erased."""
        received = self.harness.clock.instant() - DAY_MS
        db = sqlite3.connect(self._path)
        db.execute(
            "INSERT INTO jobs (state, received_at, queued_at, finished_at, answered_at, kie_duration_ms, chat_id,"
            " user_id, prompt,"
            " erased_at) VALUES ('succeeded', ?1, ?1, ?1, ?1 + 40000, 30000, 0, 0, '', 1)",
            (received,),
        )
        db.commit()
        db.close()


@pytest.fixture
async def admin_chat(tmp_path: Path) -> AsyncIterator[StatsAdminChat]:
    """A bot with an admin."""
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN})) as house:
        yield StatsAdminChat(house, tmp_path / "darkroom.db")


async def test_an_admin_gets_a_picture_with_the_same_figures_below_it(
    admin_chat: StatsAdminChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "no-backend-of-this-name")  # the child process inherits no environment
    admin_chat.insert_finished_edit()
    sent = await admin_chat.send("/stats")
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


async def test_without_edits_an_admin_is_told_so_in_their_language(admin_chat: StatsAdminChat) -> None:
    admin_chat.admin.user["language_code"] = "ru"
    sent = await admin_chat.send("/stats 30d")
    assert sent["text"].startswith("Последние 30 дней, до ")
    assert "никто не просил" in sent["text"]


async def test_who_writes_no_period_is_told_how_to(admin_chat: StatsAdminChat) -> None:
    assert (await admin_chat.send("/stats yesterday"))["text"] == render_english(
        "stats-which", hours="72h", days="366d"
    )


async def test_others_hear_what_they_hear_of_any_command_of_admins(admin_chat: StatsAdminChat) -> None:
    admin_chat.harness.ada.send_text("/stats")
    await admin_chat.harness.process_updates()
    assert admin_chat.harness.sent_texts() == [render_english("unknown-command")]


async def _still_wanted() -> None:
    """Confirm that the message is still wanted."""


async def test_figures_that_cannot_be_drawn_come_as_text(admin_chat: StatsAdminChat) -> None:
    admin_chat.insert_finished_edit()
    bot = admin_chat.harness.bot
    report = StatsReport(bot.db, bot.telegram, ChartRenderer(timeout=0.0), clock=admin_chat.harness.clock.instant)
    await report.run("7d en", Destination(ADMIN), _still_wanted)
    assert admin_chat.harness.sent_texts(ADMIN)[-1].splitlines()[1] == "Edits: 1"
    assert "could not be drawn" in " ".join(admin_chat.harness.log_capture.lines)


async def test_where_telegram_takes_no_pictures_the_figures_come_as_text(admin_chat: StatsAdminChat) -> None:
    admin_chat.insert_finished_edit()
    body = b'{"ok": false, "error_code": 400, "description": "Bad Request: not enough rights to send photos"}'
    headers = {"Content-Type": "application/json"}
    admin_chat.harness.telegram.faults.add(
        "sendPhoto", Fault(FaultKind.RESPOND, status=400, body=body, headers=headers)
    )
    assert (await admin_chat.send("/stats"))["text"].splitlines()[1] == "Edits: 1"
