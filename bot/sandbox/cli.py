"""`sandbox`: try the real bot on this machine, with no account and at no cost.

With a photo it makes one edit and ends; without one it is a page in the browser,
or a chat in the terminal. Nothing leaves the machine, and nothing of the
operator's settings comes in, but for KIE_API_KEY where a live Kie is asked for.
"""

import argparse
import asyncio
import contextlib
import errno
import io
import logging
import os
import signal
import sys
import webbrowser
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from bot.sandbox.bot_process import BotStopped
from bot.sandbox.harness import SandboxHarness, open_harness, print_line
from bot.sandbox.kie.tasks import longest_duration
from bot.sandbox.terminal_chat import run_terminal_chat
from bot.sandbox.web.server import WebServer
from bot.sandbox.web.session import SandboxOptions, SessionManager

OUTPUT_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
DEFAULT_ANSWER_PATH = Path("answer.png")
POLL_SECONDS = 0.1
#: how long an answer may take beyond the task itself
ANSWER_GRACE_SECONDS = 90.0


class SandboxUsageError(Exception):
    """Something in the command that the person can put right."""


def main(argv: Sequence[str]) -> int:
    """Run the sandbox; 0 when all went well, 1 without a picture, 2 for a mistake in the command."""
    options = _build_parser().parse_args(argv)
    try:
        if options.photo is None:
            check_interactive_options(options)
            return _run_until_interrupted(_interactive_run(options), interrupted=0)
        picture = read_picture(options.photo, as_file=options.as_file)
        check_answer_path(options.out)
        return _run_until_interrupted(_edit_once(options, picture), interrupted=130)
    except SandboxUsageError as mistake:
        sys.stderr.write(f"{mistake}\n")
        return 2
    except BotStopped as end:
        sys.stderr.write(f"The bot stopped. Its last words:\n{end}\n")
        return 1
    except TimeoutError:
        sys.stderr.write("The bot did not get ready in time.\n")
        return 1
    except OSError as error:
        if options.photo is not None or error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"--port {options.port} is in use: name another one.\n")
        return 2


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="darkroom sandbox",
        description="Try the bot on this machine: a local Telegram, a local Kie, stand-in edits, no account.",
        epilog="Without --photo it is a page in the browser.",
    )
    parser.add_argument("--photo", type=Path, help="make one edit of this picture and end")
    parser.add_argument("--caption", default="", help='what to change, such as "make it snow"')
    parser.add_argument("--out", type=Path, default=DEFAULT_ANSWER_PATH, help="where the answer goes (answer.png)")
    parser.add_argument("--as-file", action="store_true", help="send it as a file, not as a compressed photo")
    parser.add_argument(
        "--seconds", type=_parse_seconds, default=2.0, help="what half of the local edits take at most (2)"
    )
    parser.add_argument("--port", type=_parse_port, default=0, help="where the page is served (any that is free)")
    parser.add_argument("--no-open", action="store_true", help="print the page's address, but open no browser")
    parser.add_argument("--live-kie", action="store_true", help="pictures by the real Kie, paid with KIE_API_KEY")
    parser.add_argument("--terminal", action="store_true", help="chat in the terminal instead")
    return parser


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("must be a number from 0 to 3600")
    return seconds


def _parse_port(text: str) -> int:
    if not (text.isdecimal() and 0 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def read_picture(path: Path, *, as_file: bool) -> bytes:
    """The bytes to send; raises `Mistake` for what no app could send."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SandboxUsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    if as_file:
        return data
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SandboxUsageError(
            f"{path} is no picture that can be sent as a photo; --as-file sends any file."
        ) from error
    return data


def check_interactive_options(options: argparse.Namespace) -> None:
    """Refuse what only makes sense with a picture, or without the terminal; raises `Mistake`."""
    if options.caption or options.as_file or options.out != DEFAULT_ANSWER_PATH:
        raise SandboxUsageError("--caption, --out and --as-file go with --photo: which picture is it to be?")
    if options.terminal and options.live_kie:
        raise SandboxUsageError("--live-kie goes with the page, not with --terminal.")


def read_live_key(options: argparse.Namespace) -> str | None:
    """The key for the real Kie if that is asked for; raises `Mistake` when there is none."""
    if not options.live_kie:
        return None
    key = os.environ.get("KIE_API_KEY", "").strip()
    if not key:
        raise SandboxUsageError("--live-kie needs KIE_API_KEY in the environment: a key from https://kie.ai/api-key.")
    return key


def _interactive_run(options: argparse.Namespace) -> Coroutine[Any, Any, int]:
    if options.terminal:
        return run_terminal_chat(options.seconds, sys.stdin.fileno())
    return serve_web_page(
        SandboxOptions(options.seconds, read_live_key(options)), options.port, may_open=not options.no_open
    )


def check_answer_path(path: Path) -> None:
    """Find out before the work that the answer can be put there; raises `Mistake`."""
    if path.suffix.lower() not in OUTPUT_FORMATS:
        raise SandboxUsageError(f"--out {path}: the name must end in {', '.join(OUTPUT_FORMATS)}.")
    if not path.parent.is_dir():
        raise SandboxUsageError(f"--out {path}: there is no folder {path.parent}.")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SandboxUsageError(f"--out {path}: nothing can be written there.")


def save_answer(data: bytes, path: Path) -> None:
    """Write a picture as it is, or converted where the name asks for another format."""
    wanted = OUTPUT_FORMATS[path.suffix.lower()]
    with Image.open(io.BytesIO(data)) as image:
        if image.format != wanted:
            out = io.BytesIO()
            image.convert("RGB").save(out, wanted)
            data = out.getvalue()
    path.write_bytes(data)


async def _edit_once(options: argparse.Namespace, picture: bytes) -> int:
    async with open_harness(options.seconds, print_line) as harness:
        if options.as_file:
            harness.person.send_document(picture, options.photo.name, caption=options.caption)
        else:
            harness.person.send_photo(picture, options.caption)
        harness.report_sent(f'{options.photo.name}: "{options.caption}"')
        try:
            return await asyncio.wait_for(
                _wait_for_answer(harness, options.out), longest_duration(options.seconds) + ANSWER_GRACE_SECONDS
            )
        except TimeoutError:
            print_line("No answer came.")
            return 1


async def _wait_for_answer(harness: SandboxHarness, out: Path) -> int:
    while not harness.is_idle:
        for message in harness.report_new_messages():
            save_answer(harness.telegram.message_photo_bytes(message), out)
            print_line(f"saved {out}")
            return 0
        await asyncio.sleep(POLL_SECONDS)
    print_line("The bot gave no picture.")
    return 1


def _run_until_interrupted(work: Coroutine[Any, Any, int], *, interrupted: int) -> int:
    """Run to the end, or in good order to an early one: Ctrl-C, SIGTERM, or the terminal is closed."""

    async def run() -> int:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return interrupted

    return asyncio.run(run())


WEB_WELCOME = """\
The sandbox is open at
  {url}
{where} Ctrl-C ends it.
"""
LOCAL_NOTICE = "It is the real bot, on this machine only; nothing leaves it."
LIVE_NOTICE = "The pictures you send there go to Kie, and each edit is paid from the account of KIE_API_KEY."


async def serve_web_page(options: SandboxOptions, port: int, *, may_open: bool) -> int:
    """Open everything, print the address, and go on until cancelled; raises OSError when the port is taken."""
    # a bot that is killed breaks off its calls: nothing that anybody has to read about
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    house = SessionManager(options)
    server = WebServer(house)
    try:
        async with server.open(port):
            print_line(
                WEB_WELCOME.format(url=server.url, where=LOCAL_NOTICE if options.live_key is None else LIVE_NOTICE)
            )
            await house.reset()
            if may_open and can_open_browser(sys.platform, os.environ, is_terminal=sys.stdout.isatty()):
                await asyncio.to_thread(webbrowser.open, server.url)
            await asyncio.Event().wait()
    finally:
        await house.close()
    return 0


def can_open_browser(platform: str, outer_environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether there is a person at a screen: a terminal to read, and a display for a browser."""
    has_display = platform in {"darwin", "win32"} or bool(
        outer_environment.get("DISPLAY") or outer_environment.get("WAYLAND_DISPLAY")
    )
    return is_terminal and has_display
