"""The stage: a local Telegram, a local Kie and the real bot between them.

Whoever tries the bot stands on it as one person in a private chat. What the
bot says is told once, in order, and its pictures can be picked up.
"""

import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.sandbox.child import BOT, Child, LogLine, Servers, environment, usual
from bot.sandbox.durations import MEDIAN, Durations
from bot.sandbox.kie import LocalKie
from bot.sandbox.telegram.people import Person
from bot.sandbox.telegram.server import LocalTelegram

START_SECONDS = 30.0
#: so long nothing may happen anywhere before silence counts as the end
QUIET_SECONDS = 3.0
#: enough for a long afternoon at 4 credits each
CREDITS = 10_000.0
ME = 1001


def made_up_token() -> str:
    """A token that has the form of one, and that anyone can see is none."""
    return "1234567:" + "sandbox-" * 4


def made_up_key() -> str:
    return "sandbox-" + "key"


class Stage:
    """The two servers, the bot and the person."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie, tell: Callable[[str], None]) -> None:
        self.telegram = telegram
        self.kie = kie
        self.person: Person = telegram.person(ME, "You")
        self.child = Child(self._heard)
        self._out = tell
        self._told: dict[int, object] = {}
        self._signs: dict[int, str] = {}
        self._actions = 0
        self._happened = (time.monotonic(), 0)

    def sent(self, what: str) -> None:
        """Tell what the person did."""
        self._out(f"you sent {what}")
        self._touch()

    def _heard(self, line: LogLine) -> None:
        if line.is_news:
            self._out(f"   log: {line.text}")
        self._touch()

    def news(self) -> list[dict[str, Any]]:
        """Tell what the bot said since the last call; the messages that are its pictures.

        Raises `BotStopped` when there is no bot any more.
        """
        self.child.check()
        self._tell_signs()
        pictures = []
        for message in self.telegram.bot_messages(ME):
            content = (message.get("text"), message.get("caption"), has_picture(message))
            if self._told.get(message["message_id"]) == content:
                continue
            self._told[message["message_id"]] = content
            self._touch()
            self._tell(message)
            if has_picture(message):
                pictures.append(message)
        return pictures

    def message_with(self, label: str) -> int:
        """Return the latest message that has a button of this name; raises LookupError when none has."""
        for message in reversed(self.telegram.bot_messages(ME)):
            if label in _labels(message):
                return int(message["message_id"])
        raise LookupError(f"there is no button [{label}]")

    def latest_picture(self) -> int:
        """Return the latest message with a picture, whoever sent it; raises LookupError when there is none."""
        for message in reversed(self.telegram.messages(ME)):
            if has_picture(message):
                return int(message["message_id"])
        raise LookupError("there is no picture to reply to")

    def _tell_signs(self) -> None:
        """Tell the small signs: reactions on what was sent, and "sending a photo"."""
        for message in self.telegram.messages(ME):
            emoji = "".join(self.telegram.reactions(ME, message["message_id"]))
            if emoji and self._signs.get(message["message_id"]) != emoji:
                self._signs[message["message_id"]] = emoji
                self._out(f"bot: {emoji} (on your message)")
        for action in self.telegram.actions(ME)[self._actions :]:
            self._actions += 1
            self._out(f"bot: ({action.action.replace('_', ' ')}...)")

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for: all is quiet, and no task runs or awaits delivery."""
        at, calls = self._happened
        if len(self.kie.calls) != calls:
            self._touch()
            return False
        return time.monotonic() - at >= QUIET_SECONDS and not self._owes_pictures

    @property
    def _owes_pictures(self) -> bool:
        ordered = sum(task.state != "fail" for task in self.kie.tasks.values())
        given = sum(has_picture(message) for message in self.telegram.bot_messages(ME))
        return ordered > given

    def _tell(self, message: dict[str, Any]) -> None:
        words = message.get("text") or message.get("caption") or ""
        label = "bot (with a picture)" if has_picture(message) else "bot"
        self._out(f"{label}: {words}".rstrip(": "))
        labels = "  ".join(f"[{label}]" for label in _labels(message))
        if labels:
            self._out(f"     buttons: {labels}")

    def _touch(self) -> None:
        self._happened = (time.monotonic(), len(self.kie.calls))


def say(text: str) -> None:
    """Print for the person at the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _labels(message: dict[str, Any]) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


def has_picture(message: dict[str, Any]) -> bool:
    return "photo" in message or "document" in message


@asynccontextmanager
async def opened(seconds: float, tell: Callable[[str], None], words: Sequence[str] = BOT) -> AsyncIterator[Stage]:
    """Set everything up and take it down again; half of the local tasks take less than so many seconds.

    Raises `BotStopped` when the bot does not start, `TimeoutError` when it is not ready in time.
    """
    telegram = LocalTelegram(token=made_up_token())
    kie = LocalKie(key=made_up_key(), duration=Durations(seconds / MEDIAN), credits=CREDITS)
    stage = Stage(telegram, kie, tell)
    with tempfile.TemporaryDirectory(prefix="darkroom-sandbox-", ignore_cleanup_errors=True) as name:
        try:
            await telegram.start()
            await kie.start()
            servers = Servers(telegram.url, made_up_token(), kie.url, made_up_key())
            variables = environment(servers, Path(name), os.environ) | usual(seconds)
            await stage.child.start(words, variables, Path(name))
            await stage.child.ready(START_SECONDS)
            yield stage
        finally:
            await stage.child.stop()
            await telegram.stop()
            await kie.stop()
