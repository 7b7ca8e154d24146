"""A chat with the bot in the terminal: type a picture's path and a caption, or any text.

The bot's words appear as they come, its pictures as files.
"""

import asyncio
import contextlib
import io
import math
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PIL import Image

from bot.sandbox.durations import longest
from bot.sandbox.lines import SAMPLE, Gesture, Typed, understand
from bot.sandbox.samples import sample
from bot.sandbox.stage import Stage, opened, say

TICK_SECONDS = 0.1
#: how long answers are waited for after the last line
PATIENCE_SECONDS = 60.0

WELCOME = """\
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


async def chat(seconds: float, source: int) -> int:
    """Serve the lines that are read from the file descriptor `source`; 0 at the end.

    A source that ends without a single line means that nobody types: the
    stage then stays open until the process is interrupted.
    """
    folder = Path(tempfile.mkdtemp(prefix="darkroom-answers-"))
    async with opened(seconds, say) as stage:
        say(WELCOME.format(folder=folder))
        say(f"(Telegram is at {stage.telegram.url}, Kie at {stage.kie.url})")
        await _converse(stage, typed_lines(source), folder, longest(seconds) + PATIENCE_SECONDS)
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
    """Do what was typed, or say why that cannot be."""
    try:
        stage.sent(_done(stage, typed))
    except LookupError as error:
        say(f"that cannot be done: {error.args[0]}")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        say(f"that cannot be sent: {getattr(error, 'strerror', None) or error}")


def _done(stage: Stage, typed: Typed) -> str:
    """Make the gesture and return what it was."""
    if typed.gesture is Gesture.PRESS:
        stage.person.press(stage.message_with(typed.text), typed.text)
        return f"a press of [{typed.text}]"
    if typed.gesture is Gesture.REPLY:
        stage.person.send_text(typed.text, reply_to=stage.latest_picture())
        return f'"{typed.text}" in reply to the latest picture'
    if not typed.pictures:
        stage.person.send_text(typed.text)
        return f'"{typed.text}"'
    pictures = [_read(picture) for picture in typed.pictures]
    if len(pictures) > 1:
        stage.person.send_album([data for _, data in pictures], {0: typed.text})
    elif typed.as_file:
        stage.person.send_document(pictures[0][1], pictures[0][0], caption=typed.text)
    else:
        stage.person.send_photo(pictures[0][1], typed.text)
    return f'{", ".join(name for name, _ in pictures)}: "{typed.text}"'


def _read(picture: str) -> tuple[str, bytes]:
    """Return the name and the content of a picture that was named."""
    if picture == SAMPLE:
        return "sample.jpg", sample()
    return Path(picture).name, Path(picture).expanduser().read_bytes()


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
