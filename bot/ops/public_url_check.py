"""Checks the bot's HTTP server, and whether PUBLIC_URL leads to it.

If no bot runs, the server is opened for the check, so that a reverse proxy can be tried before the first start. The
server proves that it is this bot's by answering a nonce with its HMAC, keyed with the token (challenge-response).
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from urllib.parse import urlsplit

from bot.ops.checks import Finding, FindingStatus, failure, finding_from_message, ok, skipped, warning
from bot.ops.http_probe import HttpProbe, ProbeError
from bot.settings import OWNERSHIP_PROOF_PATH, TELEGRAM_WEBHOOK_PATH, CannotRun, Settings

HTTP_SERVER_SUBJECT, CALLBACKS_SUBJECT, WEBHOOK_SUBJECT = "door", "callbacks", "webhook"

#: Opens the HTTP server of a bot that does not run, and yields its URL; raises CannotRun.
OpenHttpServer = Callable[[Settings], AbstractAsyncContextManager[str]]

#: What a reverse proxy answers when the bot behind it does not.
BAD_GATEWAY_STATUSES = (502, 503, 504)


async def check_public_url(
    settings: Settings, probe: HttpProbe, open_http_server: OpenHttpServer, *, is_running: bool
) -> list[Finding]:
    """Check the server locally and, if there is a PUBLIC_URL, through that."""
    async with AsyncExitStack() as stack:
        server = await _check_http_server(settings, probe, open_http_server, stack, is_running=is_running)
        if settings.public_url is None:
            return [server]
        paths = {CALLBACKS_SUBJECT: OWNERSHIP_PROOF_PATH} | (
            {WEBHOOK_SUBJECT: TELEGRAM_WEBHOOK_PATH} if settings.telegram_updates == "webhook" else {}
        )
        if server.status is FindingStatus.FAILURE:
            return [server, *(skipped(name, "there is no HTTP server that PUBLIC_URL could lead to") for name in paths)]
        checks = [_check_from_outside(settings, probe, name, path) for name, path in paths.items()]
        return [server, *await asyncio.gather(*checks)]


async def _check_http_server(
    settings: Settings, probe: HttpProbe, open_http_server: OpenHttpServer, stack: AsyncExitStack, *, is_running: bool
) -> Finding:
    if is_running:
        return await _check_running_bot(settings, probe)
    try:
        address = await stack.enter_async_context(open_http_server(settings))
    except CannotRun as error:
        if settings.port and await _is_this_bot(settings, probe, _local_url(settings)):
            found = f"a bot with this token has PORT {settings.port}, and does not seem to use this DATABASE_PATH"
            return failure(HTTP_SERVER_SUBJECT, found, "stop it, or run check with its DATABASE_PATH and as its user")
        return finding_from_message(HTTP_SERVER_SUBJECT, FindingStatus.FAILURE, str(error))
    return ok(HTTP_SERVER_SUBJECT, f"{address} is free")


async def _check_running_bot(settings: Settings, probe: HttpProbe) -> Finding:
    if not settings.port:
        return skipped(HTTP_SERVER_SUBJECT, "with PORT=0 the port of the running bot is not known")
    address = _local_url(settings)
    if await _is_this_bot(settings, probe, address):
        return ok(HTTP_SERVER_SUBJECT, f"the running bot answers at {address}")
    found = f"a bot runs, but its HTTP server does not answer at {address}"
    return warning(
        HTTP_SERVER_SUBJECT, found, "run check with the HOST and PORT of the bot; if it has these, restart it"
    )


def _local_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - read, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def _is_this_bot(settings: Settings, probe: HttpProbe, address: str) -> bool:
    nonce = secrets.token_hex(16)
    try:
        answer = await probe.get(f"{address}{OWNERSHIP_PROOF_PATH}?nonce={nonce}", is_local=True)
    except ProbeError:
        return False
    return answer.status == 200 and answer.body == settings.ownership_proof(nonce)


async def _check_from_outside(settings: Settings, probe: HttpProbe, name: str, path: str) -> Finding:
    nonce = secrets.token_hex(16)
    url = f"{settings.public_url}{path}"
    is_local = urlsplit(url).scheme == "http"  # allowed for addresses of this machine only
    try:
        answer = await probe.get(f"{url}?nonce={nonce}", is_local=is_local)
    except ProbeError as error:
        return failure(name, f"PUBLIC_URL cannot be reached: {error.found}", _UNREACHABLE_REMEDY)
    if answer.status == 200 and answer.body == settings.ownership_proof(nonce):
        return ok(name, f"{url} leads to this bot")
    return failure(name, *_describe_wrong_target(settings, url, answer.status))


_UNREACHABLE_REMEDY = (
    "make its host name and the reverse proxy reachable from the internet; "
    "if only this machine cannot reach them, that is harmless"
)


def _describe_wrong_target(settings: Settings, url: str, status: int) -> tuple[str, str]:
    """Return where an address leads instead of to this bot, and the remedy."""
    onward = (
        f"let it forward to {_local_url(settings)}"
        if settings.port
        else "give PORT a number, and let it forward to that"
    )
    if status in BAD_GATEWAY_STATUSES:
        return f"the reverse proxy at {url} reaches nothing behind it (HTTP {status})", onward
    if 300 <= status < 400:
        return f"{url} redirects (HTTP {status}), which is not followed", "set PUBLIC_URL to where it leads"
    if status == 200:
        return f"{url} leads to something else, or to a bot with another token", onward
    return f"{url} does not lead to this bot (HTTP {status})", f"{onward}, with an unchanged path"
