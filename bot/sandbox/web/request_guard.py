"""The guard: only the page that was opened here, at the address that was printed, reaches the sandbox.

Every other page in the same browser can send requests to this machine, too. It
knows neither the token in the path, nor can it come from our origin; a name of
its own that it makes lead here (DNS rebinding) shows in the Host header.
"""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # the token is part of the address
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestGuard:
    """Judges every request before anything else looks at it."""

    def __init__(self, token: str) -> None:
        self.token = token
        #: known once the door is open
        self.port = 0

    async def check_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or refuse it without saying what is behind."""
        if request.host not in self._hosts:
            raise web.HTTPForbidden(text="This address is not served here.\n")
        given = request.match_info.get("token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.token.encode()):
            raise web.HTTPNotFound(text="Open the address that the sandbox has printed, with all that is in it.\n")
        if request.method != "GET" and request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden(text="Only the sandbox's own page may do this.\n")
        return await handler(request)

    @property
    def _hosts(self) -> tuple[str, str]:
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Give an answer the headers that keep it to this page; one that has a policy of its own keeps that."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
