"""Arriving: reads what a caller sends, bounded in size and in time."""

import asyncio

from aiohttp import web


async def body_of(request: web.Request, *, most: int, within: float) -> bytes | None:
    """Return what was sent; None if it broke off or took more than `within` seconds.

    Raises aiohttp's answer to what has more than `most` bytes, however many it claims to have.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.content.iter_any():
                content += chunk
                if len(content) > most:
                    raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(content))
    except (TimeoutError, web.RequestPayloadError, ConnectionError):
        return None
    return bytes(content)
