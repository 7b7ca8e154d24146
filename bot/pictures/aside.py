"""Inspecting without being in anybody's way: what takes long is done in a thread."""

import asyncio

from bot.pictures.inspect import Picture, inspect

#: Bytes; to inspect as many takes two milliseconds, and a thread for it most of one.
_SMALL = 2 << 20


async def inspect_aside(content: bytes) -> Picture:
    """Inspect a file that Telegram or Kie made; a stranger's of this size can be made to take far longer."""
    if len(content) <= _SMALL:
        return inspect(content)
    return await asyncio.to_thread(inspect, content)
