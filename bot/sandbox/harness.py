"""A local Telegram, a local Kie, and the real bot between them, with one user in a private chat.

It reports what the bot says, each message once and in order.
"""

import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.sandbox.bot_process import (
    BOT_COMMAND,
    BotLogLine,
    BotProcess,
    ServiceEndpoints,
    build_environment,
    task_duration_setting,
)
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.kie.tasks import MEDIAN_SECONDS, TaskDurations
from bot.sandbox.telegram import LocalTelegram

START_SECONDS = 30.0
#: seconds without any activity after which the harness is idle
QUIET_SECONDS = 3.0
STARTING_CREDITS = 10_000.0
PERSON_ID = 1001


def fake_token() -> str:
    """Return a bot token that is valid in form and obviously fake."""
    return "1234567:" + "sandbox-" * 4


def fake_key() -> str:
    return "sandbox-" + "key"


class SandboxHarness:
    """The two servers, the bot and the user; `write_line` gets the reports."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie, write_line: Callable[[str], None]) -> None:
        self.telegram = telegram
        self.kie = kie
        self.person = telegram.person(PERSON_ID, "You")
        self.bot = BotProcess(self._on_log_line)
        self._write_line = write_line
        self._reported_messages: dict[int, object] = {}
        self._reported_reactions: dict[int, str] = {}
        self._reported_actions = 0
        self._last_activity = (time.monotonic(), 0)

    def report_sent(self, what: str) -> None:
        """Report what the user sent."""
        self._write_line(f"you sent {what}")
        self._note_activity()

    def _on_log_line(self, line: BotLogLine) -> None:
        if line.is_noteworthy:
            self._write_line(f"   log: {line.text}")
        self._note_activity()

    def report_new_messages(self) -> list[dict[str, Any]]:
        """Report the bot's new and edited messages; return those with a picture. Raises `BotStopped`."""
        self.bot.raise_if_stopped()
        self._report_reactions()
        pictures = []
        for message in self.telegram.bot_messages(PERSON_ID):
            content = (message.get("text"), message.get("caption"), has_picture(message))
            if self._reported_messages.get(message["message_id"]) == content:
                continue
            self._reported_messages[message["message_id"]] = content
            self._note_activity()
            self._report_message(message)
            if has_picture(message):
                pictures.append(message)
        return pictures

    def find_message_with_button(self, label: str) -> int:
        """Return the latest message with a button of this label; raises LookupError."""
        for message in reversed(self.telegram.bot_messages(PERSON_ID)):
            if label in _button_labels(message):
                return int(message["message_id"])
        raise LookupError(f"there is no button [{label}]")

    def find_latest_picture(self) -> int:
        """Return the latest message with a picture, from the user or the bot; raises LookupError."""
        for message in reversed(self.telegram.messages(PERSON_ID)):
            if has_picture(message):
                return int(message["message_id"])
        raise LookupError("there is no picture to reply to")

    def _report_reactions(self) -> None:
        """Report reactions to the user's messages, and chat actions."""
        for message in self.telegram.messages(PERSON_ID):
            emoji = "".join(self.telegram.reactions(PERSON_ID, message["message_id"]))
            if emoji and self._reported_reactions.get(message["message_id"]) != emoji:
                self._reported_reactions[message["message_id"]] = emoji
                self._write_line(f"bot: {emoji} (on your message)")
        for action in self.telegram.actions(PERSON_ID)[self._reported_actions :]:
            self._reported_actions += 1
            self._write_line(f"bot: ({action.action.replace('_', ' ')}...)")

    @property
    def is_idle(self) -> bool:
        """Whether nothing has happened for QUIET_SECONDS, and no task is running or undelivered."""
        at, calls = self._last_activity
        if len(self.kie.calls) != calls:
            self._note_activity()
            return False
        return time.monotonic() - at >= QUIET_SECONDS and not self._has_undelivered_tasks

    @property
    def _has_undelivered_tasks(self) -> bool:
        ordered = sum(task.state != "fail" for task in self.kie.tasks.values())
        return ordered > sum(has_picture(message) for message in self.telegram.bot_messages(PERSON_ID))

    def _report_message(self, message: dict[str, Any]) -> None:
        text = message.get("text") or message.get("caption") or ""
        sender = "bot (with a picture)" if has_picture(message) else "bot"
        self._write_line(f"{sender}: {text}".rstrip(": "))
        labels = "  ".join(f"[{label}]" for label in _button_labels(message))
        if labels:
            self._write_line(f"     buttons: {labels}")

    def _note_activity(self) -> None:
        self._last_activity = (time.monotonic(), len(self.kie.calls))


def print_line(text: str) -> None:
    """Print and flush."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _button_labels(message: dict[str, Any]) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


def has_picture(message: dict[str, Any]) -> bool:
    return "photo" in message or "document" in message


@asynccontextmanager
async def open_harness(
    seconds: float, write_line: Callable[[str], None], command: Sequence[str] = BOT_COMMAND
) -> AsyncIterator[SandboxHarness]:
    """Start the servers and the bot, and stop them at the end; `seconds` is the median duration of tasks.

    Raises `BotStopped` when the bot does not start, `TimeoutError` when it is not ready in time.
    """
    telegram = LocalTelegram(token=fake_token())
    kie = LocalKie(key=fake_key(), duration=TaskDurations(seconds / MEDIAN_SECONDS), credits=STARTING_CREDITS)
    harness = SandboxHarness(telegram, kie, write_line)
    with tempfile.TemporaryDirectory(prefix="darkroom-sandbox-", ignore_cleanup_errors=True) as name:
        try:
            await telegram.start()
            await kie.start()
            endpoints = ServiceEndpoints(telegram.url, fake_token(), kie.url, fake_key())
            environment = build_environment(endpoints, Path(name), os.environ) | task_duration_setting(seconds)
            await harness.bot.start(command, environment, Path(name))
            await harness.bot.wait_until_ready(START_SECONDS)
            yield harness
        finally:
            await harness.bot.stop()
            await telegram.stop()
            await kie.stop()
