"""The request guard: only the page opened by the sandbox, at the printed URL, can reach it.

Other pages in the same browser can send requests to this machine too. They know
neither the token in the path, nor do they come from our origin; DNS rebinding
shows in the Host header.
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
    # the URL contains the token
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestGuard:
    """Checks the host, the token and the origin of every request."""

    def __init__(self, token: str) -> None:
        self.token = token
        #: known once the server listens
        self.port = 0

    async def check_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle a request from our own page; raises HTTPForbidden or HTTPNotFound for any other one."""
        if request.host not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            raise web.HTTPForbidden(text="This address is not served here.\n")
        given = request.match_info.get("token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.token.encode()):
            raise web.HTTPNotFound(text="Open the address that the sandbox has printed, with all that is in it.\n")
        if request.method != "GET" and request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden(text="Only the sandbox's own page may do this.\n")
        return await handler(request)


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers that a response does not set itself."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
