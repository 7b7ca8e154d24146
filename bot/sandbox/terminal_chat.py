"""The chat in the terminal: its commands, and the loop that executes them and saves the answers."""

import asyncio
import contextlib
import io
import math
import os
import shlex
import tempfile
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from PIL import Image

from bot.sandbox.harness import SandboxHarness, open_harness, print_line
from bot.sandbox.kie.tasks import longest_duration
from bot.sandbox.samples import draw_house

#: names the sample picture
SAMPLE_NAME = "sample"

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".gif", ".tif", ".tiff", ".bmp"}


class TerminalAction(StrEnum):
    SEND = "send"
    #: press the button with this label
    PRESS = "press"
    #: reply to the latest picture with this text
    REPLY = "reply"


@dataclass(frozen=True)
class TypedLine:
    """A parsed line: pictures with their caption, or a text."""

    text: str
    pictures: tuple[str, ...] = ()
    as_file: bool = False
    action: TerminalAction = TerminalAction.SEND


def parse_line(line: str) -> TypedLine:
    """Parse a line; one that begins with neither a picture nor a command is a text."""
    first, rest = _split_first_word(line)
    if first in (TerminalAction.PRESS, TerminalAction.REPLY) and rest:
        return TypedLine(rest, action=TerminalAction(first))
    if first == "album" and (pictures := _leading_pictures(rest)):
        return TypedLine(pictures[-1][1], tuple(name for name, _ in pictures))
    if first == "file" and rest:
        name, caption = _split_first_word(rest)
        return TypedLine(caption, (name,), as_file=True)
    return TypedLine(rest, (first,)) if _is_picture_name(first) else TypedLine(line.strip())


def _leading_pictures(line: str) -> list[tuple[str, str]]:
    """Return the pictures at the beginning of a line, each with the rest of the line after it."""
    name, rest = _split_first_word(line)
    return [(name, rest), *_leading_pictures(rest)] if _is_picture_name(name) else []


def _is_picture_name(name: str) -> bool:
    # a missing file with a picture's suffix is most likely mistyped: refuse it rather than send it as text
    return name == SAMPLE_NAME or Path(name).suffix.lower() in PICTURE_SUFFIXES or (bool(name) and Path(name).is_file())


def _split_first_word(line: str) -> tuple[str, str]:
    """Return the first word, unquoted, and the rest as it was typed."""
    typed = io.StringIO(line)
    lexer = shlex.shlex(typed, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        first = lexer.get_token() or ""
    except ValueError:
        return "", line
    return first, typed.read().strip()


POLL_SECONDS = 0.1
#: how long to wait for answers after the last line, in seconds beyond the longest task
ANSWER_GRACE_SECONDS = 60.0

TERMINAL_WELCOME = """\
This is the bot, on this machine only. Type:
  sample make it snow          send a picture that is drawn for you
  cat.jpg make it snow         send a picture of yours ("my cat.jpg" in quotes, if need be)
  file cat.jpg make it snow    send it as a file
  album cat.jpg sample a duel  send several pictures together, with one caption
  reply now at night           reply to the latest picture
  press Cancel                 press a button
  /help                        anything else is sent as text
The answers go to {folder}
Ctrl-C ends it.
"""


async def run_terminal_chat(seconds: float, source: int) -> int:
    """Execute the lines of the file descriptor `source` and return 0.

    If it ends without a single line, nobody types: the sandbox then runs until it is interrupted.
    """
    folder = Path(tempfile.mkdtemp(prefix="darkroom-answers-"))
    async with open_harness(seconds, print_line) as harness:
        print_line(TERMINAL_WELCOME.format(folder=folder))
        print_line(f"(Telegram is at {harness.telegram.url}, Kie at {harness.kie.url})")
        await _chat_until_done(harness, read_lines(source), folder, longest_duration(seconds) + ANSWER_GRACE_SECONDS)
    return 0


async def _chat_until_done(
    harness: SandboxHarness, lines: "asyncio.Queue[str | None]", folder: Path, grace_seconds: float
) -> None:
    """Execute lines until they end and their answers have arrived, or `grace_seconds` seconds after the last one."""
    has_line, deadline = False, math.inf
    while not (has_line and deadline < math.inf and (harness.is_idle or time.monotonic() > deadline)):
        for message in harness.report_new_messages():
            _save_answer(harness, message, folder)
        while not lines.empty():
            line = lines.get_nowait()
            if line is None:
                deadline = time.monotonic() + grace_seconds
            elif line.strip():
                has_line = True
                execute_line(harness, parse_line(line))
        await asyncio.sleep(POLL_SECONDS)


def execute_line(harness: SandboxHarness, typed: TypedLine) -> None:
    """Execute a parsed line, or print why that is impossible."""
    try:
        harness.report_sent(_perform_action(harness, typed))
    except LookupError as error:
        print_line(f"that cannot be done: {error.args[0]}")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        print_line(f"that cannot be sent: {getattr(error, 'strerror', None) or error}")


def _perform_action(harness: SandboxHarness, typed: TypedLine) -> str:
    """Perform the action and describe it."""
    if typed.action is TerminalAction.PRESS:
        harness.person.press_button(harness.find_message_with_button(typed.text), typed.text)
        return f"a press of [{typed.text}]"
    if typed.action is TerminalAction.REPLY:
        harness.person.send_text(typed.text, reply_to=harness.find_latest_picture())
        return f'"{typed.text}" in reply to the latest picture'
    if not typed.pictures:
        harness.person.send_text(typed.text)
        return f'"{typed.text}"'
    pictures = [_read_picture(picture) for picture in typed.pictures]
    if len(pictures) > 1:
        harness.person.send_album([data for _, data in pictures], {0: typed.text})
    elif typed.as_file:
        harness.person.send_document(pictures[0][1], pictures[0][0], caption=typed.text)
    else:
        harness.person.send_photo(pictures[0][1], typed.text)
    return f'{", ".join(name for name, _ in pictures)}: "{typed.text}"'


def _read_picture(picture: str) -> tuple[str, bytes]:
    if picture == SAMPLE_NAME:
        return "sample.jpg", draw_house()
    return Path(picture).name, Path(picture).expanduser().read_bytes()


def _save_answer(harness: SandboxHarness, message: dict[str, Any], folder: Path) -> None:
    data = harness.telegram.message_photo_bytes(message)
    with Image.open(io.BytesIO(data)) as image:
        suffix = (image.format or "bin").lower()
    path = folder / f"answer-{message['message_id']}.{suffix}"
    path.write_bytes(data)
    print_line(f"     saved {path}")


def read_lines(source: int) -> "asyncio.Queue[str | None]":
    """Read a file descriptor in a daemon thread; None marks its end."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hand_over(line: str | None) -> None:
        # the loop is closed once the chat has ended
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lines.put_nowait, line)

    def read() -> None:
        # not sys.stdin: its lock, held by a waiting thread, breaks the interpreter's shutdown
        rest = b""
        while block := os.read(source, 65536):
            *complete, rest = (rest + block).split(b"\n")
            for line in complete:
                hand_over(line.decode(errors="replace"))
        if rest:
            hand_over(rest.decode(errors="replace"))
        hand_over(None)

    threading.Thread(target=read, daemon=True).start()
    return lines
