"""The feed: what changed on the scene, told to a browser as server-sent events.

Every event says what is new or different and what is gone, by name, since the
last one; the first of a connection says everything. So a browser that was away
has the whole truth again as soon as it is back.
"""

import json
from collections.abc import Mapping

from aiohttp import web

from bot.sandbox.web.page_state import page_items
from bot.sandbox.web.session import SessionManager


class BrowserState:
    """What one browser knows."""

    def __init__(self) -> None:
        self._known: dict[str, str] | None = None

    def next_event(self, current: Mapping[str, object]) -> bytes:
        """Return the event that makes it know what there is, nothing when it does already."""
        known = self._known
        now = {name: json.dumps(content, ensure_ascii=False) for name, content in current.items()}
        self._known = now
        if known == now:
            return b""
        before = known or {}
        fresh = [f"{json.dumps(name)}:{text}" for name, text in now.items() if before.get(name) != text]
        gone = [name for name in before if name not in now]
        whole = json.dumps(known is None)
        return f'data: {{"whole":{whole},"set":{{{",".join(fresh)}}},"gone":{json.dumps(gone)}}}\n\n'.encode()


async def stream_events(house: SessionManager, request: web.Request) -> web.StreamResponse:
    """Tell a browser what changes until it goes away or the house is closed."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    told = BrowserState()
    while not house.closing.is_set() and not _is_disconnected(request):
        try:
            current = page_items(house.session)
        except LookupError:
            current = {"bot": {"life": "starting", "live": False}}
        news = told.next_event(current)
        if news:
            await response.write(news)
        await house.wait_for_change()
    return response


def _is_disconnected(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
