"""`check`: goes round with the settings of the environment, and shows what was found."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bot import logs
from bot.kie.client import KieClient
from bot.kie.errors import sanitize_text
from bot.kie.models import KNOWN_MODELS
from bot.logs import Redaction
from bot.ops.check import checks, public_url
from bot.ops.check.findings import Finding, FindingStatus, exit_code, failure, render_json, render_table, skipped
from bot.ops.check.http_probe import HttpProbe
from bot.ops.check.public_url import OpenHttpServer
from bot.ops.config_warnings import refuse_unusable_proxies
from bot.ops.terminal_progress import TerminalProgress, show_progress
from bot.settings import CannotRun, Settings, load_settings, read_raw_secrets
from bot.store.process_lock import is_process_lock_held
from bot.telegram.client import TelegramClient, load_tls_context


async def run_check_command(open_door: OpenHttpServer, *, for_machines: bool) -> int:
    """Check everything, print it to stdout, and return the exit code: 1 if anything would fail, else 0."""
    findings = await _collect_findings(open_door)
    if for_machines:
        shown = render_json(findings)
    else:
        shown = render_table(findings, in_colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    sys.stdout.write(f"{shown}\n")
    sys.stdout.flush()
    return exit_code(findings)


async def _collect_findings(open_door: OpenHttpServer) -> list[Finding]:
    try:
        settings = load_settings()
    except CannotRun as error:
        return _redact_findings(
            [*checks.report_settings_errors(error), *skip_all_checks(SETTINGS_INVALID)], read_raw_secrets()
        )
    logs.configure_logging("WARNING", "text", settings.secrets)
    left: list[str] = []

    def note(names: Sequence[str]) -> None:
        left[:] = names

    async with show_progress(TerminalProgress(sys.stderr), lambda: f"checking: {', '.join(left)}"):
        found = await run_checks(settings, CheckContext(open_door, wall_clock=time.time, on_progress=note))
    return _redact_findings(found, settings.secrets)


def _redact_findings(findings: Sequence[Finding], secrets: Iterable[str]) -> list[Finding]:
    """Return the findings as anybody may see them: no secret, and nothing of others that could act on a terminal."""
    redact = Redaction(secrets)
    return [
        replace(
            each,
            found=sanitize_text(redact(each.found)),
            remedy=None if each.remedy is None else sanitize_text(redact(each.remedy)),
        )
        for each in findings
    ]


#: Seconds for each subject.
CHECK_TIMEOUT = 10.0

#: The subjects beside the settings, in the order of the table, and who keeps us waiting there.
SUBJECTS = {
    checks.BOT_SUBJECT: "Telegram",
    checks.UPDATES_SUBJECT: "Telegram",
    checks.KIE_SUBJECT: "Kie",
    checks.UPLOAD_SUBJECT: "the host for uploads",
    public_url.HTTP_SERVER_SUBJECT: "the bot's door",
    checks.CLOCK_SUBJECT: "the servers",
    checks.DATABASE_SUBJECT: "the disk",
}

#: Why nothing else is looked at.
SETTINGS_INVALID = "the settings have to be right first"

PendingCheck = Coroutine[None, None, list[Finding]]


@dataclass(frozen=True)
class CheckContext:
    """What a round needs from outside."""

    open_http_server: public_url.OpenHttpServer
    #: our clock, in seconds since 1970
    wall_clock: Callable[[], float]
    #: is told which subjects are still being looked at
    on_progress: Callable[[Sequence[str]], None] = lambda _: None
    #: seconds for each subject
    timeout: float = CHECK_TIMEOUT


async def run_checks(settings: Settings, means: CheckContext) -> list[Finding]:
    """Look at every subject and return what was found, in the order of the table."""
    found = checks.check_settings(settings)
    async with AsyncExitStack() as stack:
        try:
            works = _prepare_checks(settings, means, stack)
        except CannotRun as error:
            problems = [each for each in found if each.status is not FindingStatus.OK]
            return [*problems, *checks.report_settings_errors(error), *skip_all_checks(SETTINGS_INVALID)]
        left = list(works)

        async def one(name: str) -> list[Finding]:
            result = await _run_with_timeout(means.timeout, name, works[name])
            left.remove(name)
            means.on_progress(left)
            return result

        means.on_progress(left)
        results = dict(zip(works, await asyncio.gather(*(one(name) for name in works)), strict=True))
    return found + [finding for name in SUBJECTS for finding in results[name]]


def skip_all_checks(why: str) -> list[Finding]:
    """Return that no subject was looked at."""
    return [skipped(name, why) for name in SUBJECTS]


async def _run_with_timeout(seconds: float, name: str, work: PendingCheck) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        found = f"no answer of {SUBJECTS[name]} within {seconds:.0f} s"
        return [failure(name, found, "try again; if it stays so, look at this machine's network and disk")]


def _prepare_checks(settings: Settings, means: CheckContext, stack: AsyncExitStack) -> dict[str, PendingCheck]:
    """Prepare to look at each subject. Raises CannotRun."""
    refuse_unusable_proxies()
    tls = load_tls_context()
    reach = HttpProbe(tls)
    stack.push_async_callback(reach.aclose)
    redact, token = Redaction(settings.secrets), settings.telegram_bot_token.get_secret_value()
    chat = TelegramClient(token=token, api_url=settings.telegram_api_url, tls=tls, redact=redact)
    stack.push_async_callback(chat.aclose)
    kie = KieClient(
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
    is_running = is_process_lock_held(settings.database_path)
    servers = {"Kie": settings.kie_api_url, "Telegram": settings.telegram_api_url}
    return {
        # the first, because names that cannot be resolved may keep every thread waiting
        checks.DATABASE_SUBJECT: _check_database_in_thread(settings, is_running=is_running),
        checks.BOT_SUBJECT: checks.check_bot_token(chat, reach, settings.telegram_api_url),
        checks.UPDATES_SUBJECT: checks.check_update_delivery(
            chat, settings, is_running=is_running, of_day=means.wall_clock
        ),
        checks.KIE_SUBJECT: checks.check_kie_credits(kie, reach, settings.kie_api_url),
        checks.UPLOAD_SUBJECT: checks.check_upload_host(reach, settings.kie_upload_url),
        public_url.HTTP_SERVER_SUBJECT: public_url.check_public_url(
            settings, reach, means.open_http_server, is_running=is_running
        ),
        checks.CLOCK_SUBJECT: checks.check_clock_skew(reach, servers, means.wall_clock),
    }


async def _check_database_in_thread(settings: Settings, *, is_running: bool) -> list[Finding]:
    number = settings.telegram_bot_token.get_secret_value().partition(":")[0]
    bot_id = int(number) if number.isdecimal() else None
    path = Path(settings.database_path)
    return await asyncio.to_thread(checks.check_database, path, bot_id=bot_id, is_running=is_running)
