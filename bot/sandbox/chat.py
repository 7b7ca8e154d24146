"""A chat with the bot in the terminal: type a picture's path and a caption, or any text.

The bot's words appear as they come, its pictures as files.
"""

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
from pathlib import Path
from typing import Any

from PIL import Image

from bot.sandbox.samples import sample
from bot.sandbox.stage import Stage, opened, say

TICK_SECONDS = 0.1
#: how long answers are waited for after the last line
PATIENCE_SECONDS = 60.0
SAMPLE = "sample"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".gif", ".tif", ".tiff", ".bmp"}

WELCOME = """\
This is the bot, on this machine only. Type:
  sample make it snow          send a picture that is drawn for you
  cat.jpg make it snow         send a picture of yours ("my cat.jpg" in quotes, if need be)
  file cat.jpg make it snow    send it as a file
  /help                        anything else is sent as text
The answers go to {folder}
Ctrl-C ends it.
"""


@dataclass(frozen=True)
class Typed:
    """A line, understood: a picture with its caption, or (no picture) a text."""

    text: str
    picture: str | None = None
    as_file: bool = False


def understand(line: str) -> Typed:
    """Read one line; what does not begin with the name of a picture is a text."""
    first, rest = _split(line)
    if first == "file" and rest:
        name, caption = _split(rest)
        return Typed(caption, name, as_file=True)
    # A name that only looks like a picture's is most likely mistyped, and better refused than sent as text.
    if first == SAMPLE or Path(first).suffix.lower() in SUFFIXES or (first and Path(first).is_file()):
        return Typed(rest, first)
    return Typed(line.strip())


def _split(line: str) -> tuple[str, str]:
    """The first word, with its quotes taken off, and the rest exactly as it was typed."""
    typed = io.StringIO(line)
    words = shlex.shlex(typed, posix=True)
    words.whitespace_split = True
    words.commenters = ""
    try:
        first = words.get_token() or ""
    except ValueError:
        return "", line
    return first, typed.read().strip()


async def chat(seconds: float, source: int) -> int:
    """Serve the lines that are read from the file descriptor `source`; 0 at the end.

    A source that ends without a single line means that nobody types: the
    stage then stays open until the process is interrupted.
    """
    folder = Path(tempfile.mkdtemp(prefix="darkroom-answers-"))
    async with opened(seconds, say) as stage:
        say(WELCOME.format(folder=folder))
        say(f"(Telegram is at {stage.telegram.url}, Kie at {stage.kie.url})")
        await _converse(stage, typed_lines(source), folder, seconds + PATIENCE_SECONDS)
    return 0


async def _converse(stage: Stage, lines: "asyncio.Queue[str | None]", folder: Path, patience: float) -> None:
    """Go on until the lines have ended and their answers have come, or `patience` seconds later."""
    some, until = False, math.inf
    while not (some and until < math.inf and (stage.is_over or time.monotonic() > until)):
        for message in stage.news():
            _keep(stage, message, folder)
        while not lines.empty():
            line = lines.get_nowait()
            if line is None:
                until = time.monotonic() + patience
            elif line.strip():
                some = True
                pass_on(stage, understand(line))
        await asyncio.sleep(TICK_SECONDS)


def pass_on(stage: Stage, typed: Typed) -> None:
    """Send what was typed, or say why that cannot be."""
    try:
        if typed.picture is None:
            stage.person.send_text(typed.text)
            stage.sent(f'"{typed.text}"')
            return
        data = sample() if typed.picture == SAMPLE else Path(typed.picture).expanduser().read_bytes()
        name = "sample.jpg" if typed.picture == SAMPLE else Path(typed.picture).name
        if typed.as_file:
            stage.person.send_document(data, name, caption=typed.text)
        else:
            stage.person.send_photo(data, typed.text)
        stage.sent(f'{name}: "{typed.text}"')
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        say(f"that cannot be sent: {getattr(error, 'strerror', None) or error}")


def _keep(stage: Stage, message: dict[str, Any], folder: Path) -> None:
    data = stage.telegram.message_photo_bytes(message)
    with Image.open(io.BytesIO(data)) as image:
        suffix = (image.format or "bin").lower()
    path = folder / f"answer-{message['message_id']}.{suffix}"
    path.write_bytes(data)
    say(f"     saved {path}")


def typed_lines(source: int) -> "asyncio.Queue[str | None]":
    """Read a file descriptor in a thread that nothing has to wait for; None stands for its end."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hand_over(line: str | None) -> None:
        # The loop is closed once the chat has ended, and then nobody listens.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lines.put_nowait, line)

    def read() -> None:
        # Not through sys.stdin: its lock, held by a waiting thread, upsets the interpreter at its end.
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
