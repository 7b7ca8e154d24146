"""The bot's door, and whether PUBLIC_URL leads to it.

Where no bot runs, the door is opened for the moment, so that what stands in front of it can be tried before the first
start. That it is really this bot's door is proved by what it makes of a nonce, which only the token's owner can.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from urllib.parse import urlsplit

from bot.operate.check.finding import Finding, Status, failure, ok, sentence, skipped, warning
from bot.operate.check.reach import NotReached, Reach
from bot.settings import CannotRun, Settings

NAME, CALLBACKS, WEBHOOK = "door", "callbacks", "webhook"

#: Opens the door of a bot that does not run, and gives its address; raises CannotRun.
OpenDoor = Callable[[Settings], AbstractAsyncContextManager[str]]

#: Where what can be reached of the door proves whose it is.
PROOF, HOOK = "/kie/callback/proof", "/telegram/webhook"

#: What a proxy says when there is nothing behind it.
NOTHING_BEHIND = (502, 503, 504)


async def look(settings: Settings, reach: Reach, open_door: OpenDoor, *, is_running: bool) -> list[Finding]:
    """Look at the door from inside, and then from outside where there is a PUBLIC_URL."""
    async with AsyncExitStack() as stack:
        door = await _door(settings, reach, open_door, stack, is_running=is_running)
        if settings.public_url is None:
            return [door]
        paths = {CALLBACKS: PROOF} | ({WEBHOOK: HOOK} if settings.telegram_updates == "webhook" else {})
        if door.status is Status.FAILURE:
            return [door, *(skipped(name, "there is no door that PUBLIC_URL could lead to") for name in paths)]
        found = [_from_outside(settings, reach, name, path) for name, path in paths.items()]
        return [door, *await asyncio.gather(*found)]


async def _door(
    settings: Settings, reach: Reach, open_door: OpenDoor, stack: AsyncExitStack, *, is_running: bool
) -> Finding:
    if is_running:
        return await _of_the_bot_that_runs(settings, reach)
    try:
        address = await stack.enter_async_context(open_door(settings))
    except CannotRun as error:
        if settings.port and await _is_ours(settings, reach, _near(settings)):
            found = f"a bot with this token has PORT {settings.port}, and does not seem to use this DATABASE_PATH"
            return failure(NAME, found, "stop it, or give check its DATABASE_PATH and its user")
        return sentence(NAME, Status.FAILURE, str(error))
    return ok(NAME, f"{address} can be had")


async def _of_the_bot_that_runs(settings: Settings, reach: Reach) -> Finding:
    if not settings.port:
        return skipped(NAME, "PORT=0 does not tell where the door of the bot that runs is")
    address = _near(settings)
    if await _is_ours(settings, reach, address):
        return ok(NAME, f"the bot that runs answers at {address}")
    found = f"a bot runs, but its door does not answer at {address}"
    return warning(NAME, found, "give check the HOST and PORT that the bot has; if it has these, restart it")


def _near(settings: Settings) -> str:
    """Return the door's address as it is seen from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - read, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def _is_ours(settings: Settings, reach: Reach, address: str) -> bool:
    nonce = secrets.token_hex(16)
    try:
        answer = await reach.ask(f"{address}{PROOF}?nonce={nonce}", is_near=True)
    except NotReached:
        return False
    return answer.status == 200 and answer.body == settings.proof(nonce)


async def _from_outside(settings: Settings, reach: Reach, name: str, path: str) -> Finding:
    nonce = secrets.token_hex(16)
    url = f"{settings.public_url}{path}"
    is_near = urlsplit(url).scheme == "http"  # which only addresses of this machine may be
    try:
        answer = await reach.ask(f"{url}?nonce={nonce}", is_near=is_near)
    except NotReached as error:
        return failure(name, f"PUBLIC_URL cannot be reached: {error.found}", _REMEDY_AWAY)
    if answer.status == 200 and answer.body == settings.proof(nonce):
        return ok(name, f"{url} leads to this bot")
    return failure(name, *_elsewhere(settings, url, answer.status))


_REMEDY_AWAY = (
    "let its name and what stands in front of the bot be reached from the internet; "
    "if they are, and only not from here, that is no harm"
)


def _elsewhere(settings: Settings, url: str, status: int) -> tuple[str, str]:
    """Say where an address leads that does not lead to us, and what to do."""
    onward = (
        f"let it hand on to {_near(settings)}" if settings.port else "give PORT a number, and let it hand on to that"
    )
    if status in NOTHING_BEHIND:
        return f"what answers at {url} finds nothing behind it (HTTP {status})", onward
    if 300 <= status < 400:
        return f"{url} redirects (HTTP {status}), which is not followed", "set PUBLIC_URL to where it leads"
    if status == 200:
        return f"{url} leads to something else, or to a bot with another token", onward
    return f"{url} does not lead to this bot (HTTP {status})", f"{onward}, with the path as it is"
