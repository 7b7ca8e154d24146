"""The proof: shows whoever knows the token that it is this bot whose door answers at an address.

`check` asks for it by way of PUBLIC_URL, on the paths that have to be reachable anyway. Whoever does not know the
token learns nothing: the answer to a nonce is always the same, and says nothing about the answer to another one.
"""

import re
from collections.abc import Callable

from aiohttp import web

from bot.doors import webhook

#: Where it can be asked for; the first is beside the addresses that Kie calls.
PATHS = ("/kie/callback/proof", webhook.PATH)

_NONCE = re.compile(r"[0-9a-f]{32}")


class Proof:
    """Answers a GET with what `prove` makes of the nonce in it."""

    def __init__(self, prove: Callable[[str], str]) -> None:
        self._prove = prove

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a nonce; anything else is not found."""
        nonce = request.query.get("nonce", "")
        if not _NONCE.fullmatch(nonce):
            return web.Response(status=404)
        return web.Response(text=self._prove(nonce), headers={"Cache-Control": "no-store"})
