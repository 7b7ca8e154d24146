"""Serve the page until the process is stopped."""

import asyncio
import logging
import os
import sys
import webbrowser
from collections.abc import Mapping

from bot.sandbox.page.house import House
from bot.sandbox.page.scene import Options
from bot.sandbox.page.server import Server
from bot.sandbox.stage import say

WELCOME = """\
The sandbox is open at
  {url}
{where} Ctrl-C ends it.
"""
LOCAL = "It is the real bot, on this machine only; nothing leaves it."
LIVE = "The pictures you send there go to Kie, and each edit is paid from the account of KIE_API_KEY."


async def serve(options: Options, port: int, *, may_open: bool) -> int:
    """Open everything, print the address, and go on until cancelled; raises OSError when the port is taken."""
    # a bot that is killed breaks off its calls: nothing that anybody has to read about
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    house = House(options)
    server = Server(house)
    try:
        async with server.open(port):
            say(WELCOME.format(url=server.url, where=LOCAL if options.live_key is None else LIVE))
            await house.reset()
            if may_open and is_somebody_there(sys.platform, os.environ, is_terminal=sys.stdout.isatty()):
                await asyncio.to_thread(webbrowser.open, server.url)
            await asyncio.Event().wait()
    finally:
        await house.close()
    return 0


def is_somebody_there(platform: str, around: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether there is a person at a screen: a terminal to read, and a display for a browser."""
    has_display = platform in {"darwin", "win32"} or bool(around.get("DISPLAY") or around.get("WAYLAND_DISPLAY"))
    return is_terminal and has_display
