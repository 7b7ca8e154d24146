"""The `sandbox` command: try the real bot on this machine, without accounts or costs.

With --photo it makes one edit and exits; otherwise it serves a web page, or a chat in
the terminal. Nothing leaves the machine, and no settings of the operator are used,
except KIE_API_KEY with --live-kie.
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
#: how long an answer may take beyond the longest task, in seconds
ANSWER_GRACE_SECONDS = 90.0


class SandboxUsageError(Exception):
    """A mistake in the command line."""


def main(argv: Sequence[str]) -> int:
    """Run the sandbox; return 0 on success, 1 without a picture, 2 for a mistake in the command line."""
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
        sys.stderr.write(f"The bot stopped. The end of its log:\n{end}\n")
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
    """Read the picture to send; raises `SandboxUsageError` for what no app could send."""
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
    """Raise `SandboxUsageError` for options that need --photo or the page."""
    if options.caption or options.as_file or options.out != DEFAULT_ANSWER_PATH:
        raise SandboxUsageError("--caption, --out and --as-file go with --photo: which picture is it to be?")
    if options.terminal and options.live_kie:
        raise SandboxUsageError("--live-kie goes with the page, not with --terminal.")


def read_live_key(options: argparse.Namespace) -> str | None:
    """Return the API key with --live-kie; raises `SandboxUsageError` when there is none."""
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
    """Check in advance that the answer can be saved there; raises `SandboxUsageError`."""
    if path.suffix.lower() not in OUTPUT_FORMATS:
        raise SandboxUsageError(f"--out {path}: the name must end in {', '.join(OUTPUT_FORMATS)}.")
    if not path.parent.is_dir():
        raise SandboxUsageError(f"--out {path}: there is no folder {path.parent}.")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SandboxUsageError(f"--out {path}: nothing can be written there.")


def save_answer(data: bytes, path: Path) -> None:
    """Save a picture, converted if the file name asks for another format."""
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


def _run_until_interrupted(coroutine: Coroutine[Any, Any, int], *, interrupted: int) -> int:
    """Run a coroutine; cancel it on SIGINT, SIGTERM and SIGHUP, and then return `interrupted`."""

    async def run() -> int:
        task = asyncio.ensure_future(coroutine)
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
{notice} Ctrl-C ends it.
"""
LOCAL_NOTICE = "It is the real bot, on this machine only; nothing leaves it."
LIVE_NOTICE = "The pictures you send there go to Kie, and each edit is paid from the account of KIE_API_KEY."


async def serve_web_page(options: SandboxOptions, port: int, *, may_open: bool) -> int:
    """Serve the page until cancelled; raises OSError when the port is taken."""
    # hides the broken connections of a bot that is killed
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    sessions = SessionManager(options)
    server = WebServer(sessions)
    try:
        async with server.open(port):
            notice = LOCAL_NOTICE if options.live_key is None else LIVE_NOTICE
            print_line(WEB_WELCOME.format(url=server.url, notice=notice))
            await sessions.reset()
            if may_open and can_open_browser(sys.platform, os.environ, is_terminal=sys.stdout.isatty()):
                await asyncio.to_thread(webbrowser.open, server.url)
            await asyncio.Event().wait()
    finally:
        await sessions.close()
    return 0


def can_open_browser(platform: str, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Return whether somebody can see the output in a terminal, and a browser on a display."""
    has_display = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return is_terminal and (platform in {"darwin", "win32"} or bool(has_display))
