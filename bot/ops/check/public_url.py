"""The bot's door, and whether PUBLIC_URL leads to it.

Where no bot runs, the door is opened for the moment, so that what stands in front of it can be tried before the first
start. That it is really this bot's door is proved by what it makes of a nonce, which only the token's owner can.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from urllib.parse import urlsplit

from bot.http_paths import OWNERSHIP_PROOF_PATH, TELEGRAM_WEBHOOK_PATH
from bot.ops.check.findings import Finding, FindingStatus, failure, finding_from_message, ok, skipped, warning
from bot.ops.check.http_probe import HttpProbe, ProbeError
from bot.settings import CannotRun, Settings

HTTP_SERVER_SUBJECT, CALLBACKS_SUBJECT, WEBHOOK_SUBJECT = "door", "callbacks", "webhook"

#: Opens the door of a bot that does not run, and gives its address; raises CannotRun.
OpenHttpServer = Callable[[Settings], AbstractAsyncContextManager[str]]

#: What a proxy says when there is nothing behind it.
BAD_GATEWAY_STATUSES = (502, 503, 504)


async def check_public_url(
    settings: Settings, reach: HttpProbe, open_door: OpenHttpServer, *, is_running: bool
) -> list[Finding]:
    """Look at the door from inside, and then from outside where there is a PUBLIC_URL."""
    async with AsyncExitStack() as stack:
        door = await _check_http_server(settings, reach, open_door, stack, is_running=is_running)
        if settings.public_url is None:
            return [door]
        paths = {CALLBACKS_SUBJECT: OWNERSHIP_PROOF_PATH} | (
            {WEBHOOK_SUBJECT: TELEGRAM_WEBHOOK_PATH} if settings.telegram_updates == "webhook" else {}
        )
        if door.status is FindingStatus.FAILURE:
            return [door, *(skipped(name, "there is no door that PUBLIC_URL could lead to") for name in paths)]
        found = [_check_from_outside(settings, reach, name, path) for name, path in paths.items()]
        return [door, *await asyncio.gather(*found)]


async def _check_http_server(
    settings: Settings, reach: HttpProbe, open_door: OpenHttpServer, stack: AsyncExitStack, *, is_running: bool
) -> Finding:
    if is_running:
        return await _check_running_bot(settings, reach)
    try:
        address = await stack.enter_async_context(open_door(settings))
    except CannotRun as error:
        if settings.port and await _is_this_bot(settings, reach, _local_url(settings)):
            found = f"a bot with this token has PORT {settings.port}, and does not seem to use this DATABASE_PATH"
            return failure(HTTP_SERVER_SUBJECT, found, "stop it, or give check its DATABASE_PATH and its user")
        return finding_from_message(HTTP_SERVER_SUBJECT, FindingStatus.FAILURE, str(error))
    return ok(HTTP_SERVER_SUBJECT, f"{address} can be had")


async def _check_running_bot(settings: Settings, reach: HttpProbe) -> Finding:
    if not settings.port:
        return skipped(HTTP_SERVER_SUBJECT, "PORT=0 does not tell where the door of the bot that runs is")
    address = _local_url(settings)
    if await _is_this_bot(settings, reach, address):
        return ok(HTTP_SERVER_SUBJECT, f"the bot that runs answers at {address}")
    found = f"a bot runs, but its door does not answer at {address}"
    return warning(
        HTTP_SERVER_SUBJECT, found, "give check the HOST and PORT that the bot has; if it has these, restart it"
    )


def _local_url(settings: Settings) -> str:
    """Return the door's address as it is seen from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - read, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def _is_this_bot(settings: Settings, reach: HttpProbe, address: str) -> bool:
    nonce = secrets.token_hex(16)
    try:
        answer = await reach.get(f"{address}{OWNERSHIP_PROOF_PATH}?nonce={nonce}", is_near=True)
    except ProbeError:
        return False
    return answer.status == 200 and answer.body == settings.ownership_proof(nonce)


async def _check_from_outside(settings: Settings, reach: HttpProbe, name: str, path: str) -> Finding:
    nonce = secrets.token_hex(16)
    url = f"{settings.public_url}{path}"
    is_near = urlsplit(url).scheme == "http"  # which only addresses of this machine may be
    try:
        answer = await reach.get(f"{url}?nonce={nonce}", is_near=is_near)
    except ProbeError as error:
        return failure(name, f"PUBLIC_URL cannot be reached: {error.found}", _UNREACHABLE_REMEDY)
    if answer.status == 200 and answer.body == settings.ownership_proof(nonce):
        return ok(name, f"{url} leads to this bot")
    return failure(name, *_describe_wrong_target(settings, url, answer.status))


_UNREACHABLE_REMEDY = (
    "let its name and what stands in front of the bot be reached from the internet; "
    "if they are, and only not from here, that is no harm"
)


def _describe_wrong_target(settings: Settings, url: str, status: int) -> tuple[str, str]:
    """Say where an address leads that does not lead to us, and what to do."""
    onward = (
        f"let it hand on to {_local_url(settings)}"
        if settings.port
        else "give PORT a number, and let it hand on to that"
    )
    if status in BAD_GATEWAY_STATUSES:
        return f"what answers at {url} finds nothing behind it (HTTP {status})", onward
    if 300 <= status < 400:
        return f"{url} redirects (HTTP {status}), which is not followed", "set PUBLIC_URL to where it leads"
    if status == 200:
        return f"{url} leads to something else, or to a bot with another token", onward
    return f"{url} does not lead to this bot (HTTP {status})", f"{onward}, with the path as it is"
