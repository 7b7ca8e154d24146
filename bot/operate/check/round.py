"""The round: goes to every subject, side by side, each with a time of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bot.chat.client import Chat, certificates
from bot.kie.client import Kie
from bot.kie.models import KNOWN_MODELS
from bot.operate.cautions import surroundings
from bot.operate.check import account, balance, configuration, database, doorway, times, updates
from bot.operate.check.finding import Finding, Status, failure, skipped
from bot.operate.check.reach import Reach
from bot.redaction import Redaction
from bot.settings import CannotRun, Settings
from bot.store.lock import is_held

#: Seconds for each subject.
PATIENCE = 10.0

#: The subjects beside the settings, in the order of the table, and who keeps us waiting there.
SUBJECTS = {
    account.NAME: "Telegram",
    updates.NAME: "Telegram",
    balance.NAME: "Kie",
    balance.UPLOAD: "the host for uploads",
    doorway.NAME: "the bot's door",
    times.NAME: "the servers",
    database.NAME: "the disk",
}

#: Why nothing else is looked at.
UNUSABLE = "the settings have to be right first"

Work = Coroutine[None, None, list[Finding]]


@dataclass(frozen=True)
class Means:
    """What a round needs from outside."""

    open_door: doorway.OpenDoor
    #: our clock, in seconds since 1970
    of_day: Callable[[], float]
    #: is told which subjects are still being looked at
    tell: Callable[[Sequence[str]], None] = lambda _: None
    #: seconds for each subject
    patience: float = PATIENCE


async def go_round(settings: Settings, means: Means) -> list[Finding]:
    """Look at every subject and return what was found, in the order of the table."""
    found = configuration.usable(settings)
    async with AsyncExitStack() as stack:
        try:
            works = _works(settings, means, stack)
        except CannotRun as error:
            problems = [each for each in found if each.status is not Status.OK]
            return [*problems, *configuration.mistakes(error), *none_of(UNUSABLE)]
        left = list(works)

        async def one(name: str) -> list[Finding]:
            result = await _within(means.patience, name, works[name])
            left.remove(name)
            means.tell(left)
            return result

        means.tell(left)
        results = dict(zip(works, await asyncio.gather(*(one(name) for name in works)), strict=True))
    return found + [finding for name in SUBJECTS for finding in results[name]]


def none_of(why: str) -> list[Finding]:
    """Return that no subject was looked at."""
    return [skipped(name, why) for name in SUBJECTS]


async def _within(seconds: float, name: str, work: Work) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        found = f"no answer of {SUBJECTS[name]} within {seconds:.0f} s"
        return [failure(name, found, "try again; if it stays so, look at this machine's network and disk")]


def _works(settings: Settings, means: Means, stack: AsyncExitStack) -> dict[str, Work]:
    """Prepare to look at each subject. Raises CannotRun."""
    with surroundings():
        tls = certificates()
        reach = Reach(tls)
        stack.push_async_callback(reach.aclose)
        redact, token = Redaction(settings.secrets), settings.telegram_bot_token.get_secret_value()
        chat = Chat(token=token, api_url=settings.telegram_api_url, tls=tls, redact=redact)
        stack.push_async_callback(chat.aclose)
        kie = Kie(
            api_url=settings.kie_api_url,
            upload_url=settings.kie_upload_url,
            key=settings.kie_api_key.get_secret_value(),
            # a model that is not known is a mistake that was found before; the balance is the same for all
            model=settings.kie_model if settings.kie_model in KNOWN_MODELS else min(KNOWN_MODELS),
            redact=redact,
            timeout=settings.kie_timeout_seconds,
            tls=tls,
        )
        stack.push_async_callback(kie.aclose)
    is_running = is_held(settings.database_path)
    servers = {"Kie": settings.kie_api_url, "Telegram": settings.telegram_api_url}
    return {
        # the first, because names that cannot be resolved may keep every thread waiting
        database.NAME: _database(settings, is_running=is_running),
        account.NAME: account.look(chat, reach, settings.telegram_api_url),
        updates.NAME: updates.look(chat, settings, is_running=is_running, of_day=means.of_day),
        balance.NAME: balance.look(kie, reach, settings.kie_api_url),
        balance.UPLOAD: balance.look_at_upload(reach, settings.kie_upload_url),
        doorway.NAME: doorway.look(settings, reach, means.open_door, is_running=is_running),
        times.NAME: times.look(reach, servers, means.of_day),
    }


async def _database(settings: Settings, *, is_running: bool) -> list[Finding]:
    number = settings.telegram_bot_token.get_secret_value().partition(":")[0]
    bot_id = int(number) if number.isdecimal() else None
    path = Path(settings.database_path)
    return await asyncio.to_thread(database.look, path, bot_id=bot_id, is_running=is_running)
