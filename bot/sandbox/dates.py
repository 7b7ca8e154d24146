"""Dates: every answer of a server tells what time it is there."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate

from aiohttp import web


def dated(clock: Callable[[], float]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return what an application does before it answers, so that a clock that is turned shows in its answers."""

    async def date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(clock(), usegmt=True)

    return date
