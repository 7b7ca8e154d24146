"""`check`: whether the bot can work with its settings; for use before the first start and when something is wrong.

Runs all checks at the same time, each within a time limit, and prints the findings.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bot import logs
from bot.kie.client import KieClient
from bot.kie.errors import sanitize_text
from bot.kie.models import KNOWN_MODELS
from bot.logs import Redaction
from bot.ops import checks, public_url_check
from bot.ops.checks import Finding, FindingStatus, failure, skipped
from bot.ops.config_warnings import refuse_unusable_proxies
from bot.ops.http_probe import HttpProbe
from bot.ops.public_url_check import OpenHttpServer
from bot.ops.terminal_progress import TerminalProgress, show_progress
from bot.settings import CannotRun, Settings, load_settings, read_raw_secrets
from bot.store.process_lock import is_process_lock_held
from bot.telegram.client import TelegramClient, load_tls_context


async def run_check_command(open_http_server: OpenHttpServer, *, as_json: bool) -> int:
    """Check everything, print the findings to stdout, and return the exit code: 1 for any failure, else 0."""
    findings = await _collect_findings(open_http_server)
    in_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    output = render_json(findings) if as_json else render_table(findings, in_colour=in_colour)
    sys.stdout.write(f"{output}\n")
    sys.stdout.flush()
    return exit_code(findings)


async def _collect_findings(open_http_server: OpenHttpServer) -> list[Finding]:
    try:
        settings = load_settings()
    except CannotRun as error:
        return _redact_findings(
            [*checks.report_settings_errors(error), *skip_all_checks(SETTINGS_INVALID)], read_raw_secrets()
        )
    logs.configure_logging("WARNING", "text", settings.secrets)
    pending: list[str] = []

    def set_pending(names: Sequence[str]) -> None:
        pending[:] = names

    async with show_progress(TerminalProgress(sys.stderr), lambda: f"checking: {', '.join(pending)}"):
        findings = await run_checks(
            settings, CheckContext(open_http_server, wall_clock=time.time, on_progress=set_pending)
        )
    return _redact_findings(findings, settings.secrets)


def _redact_findings(findings: Sequence[Finding], secrets: Iterable[str]) -> list[Finding]:
    """Remove secrets, and the control characters with which a server's text could act on the terminal."""
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

#: The subjects besides the settings, in the order of the table, and who is to blame when a check times out.
SUBJECTS = {
    checks.BOT_SUBJECT: "Telegram",
    checks.UPDATES_SUBJECT: "Telegram",
    checks.KIE_SUBJECT: "Kie",
    checks.UPLOAD_SUBJECT: "the upload host",
    public_url_check.HTTP_SERVER_SUBJECT: "the bot's HTTP server",
    checks.CLOCK_SUBJECT: "the servers",
    checks.DATABASE_SUBJECT: "the disk",
}

#: Why all other checks are skipped.
SETTINGS_INVALID = "the settings have to be right first"

PendingCheck = Coroutine[None, None, list[Finding]]


@dataclass(frozen=True)
class CheckContext:
    """The dependencies of the checks."""

    open_http_server: OpenHttpServer
    #: seconds since 1970
    wall_clock: Callable[[], float]
    #: called with the subjects that are still being checked
    on_progress: Callable[[Sequence[str]], None] = lambda _: None
    #: seconds for each subject
    timeout: float = CHECK_TIMEOUT


async def run_checks(settings: Settings, context: CheckContext) -> list[Finding]:
    """Check every subject and return the findings in the order of the table."""
    findings = checks.check_settings(settings)
    async with AsyncExitStack() as stack:
        try:
            pending_checks = _prepare_checks(settings, context, stack)
        except CannotRun as error:
            problems = [each for each in findings if each.status is not FindingStatus.OK]
            return [*problems, *checks.report_settings_errors(error), *skip_all_checks(SETTINGS_INVALID)]
        pending = list(pending_checks)

        async def run_check(name: str) -> list[Finding]:
            result = await _run_with_timeout(context.timeout, name, pending_checks[name])
            pending.remove(name)
            context.on_progress(pending)
            return result

        context.on_progress(pending)
        results = await asyncio.gather(*(run_check(name) for name in pending_checks))
        by_subject = dict(zip(pending_checks, results, strict=True))
    return findings + [finding for name in SUBJECTS for finding in by_subject[name]]


def skip_all_checks(why: str) -> list[Finding]:
    """Return a skipped finding for every subject."""
    return [skipped(name, why) for name in SUBJECTS]


async def _run_with_timeout(seconds: float, name: str, work: PendingCheck) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        found = f"no answer from {SUBJECTS[name]} within {seconds:.0f} s"
        return [failure(name, found, "try again; if it stays so, check this machine's network and disk")]


def _prepare_checks(settings: Settings, context: CheckContext, stack: AsyncExitStack) -> dict[str, PendingCheck]:
    """Return the check of each subject. Raises CannotRun."""
    refuse_unusable_proxies()
    tls = load_tls_context()
    probe = HttpProbe(tls)
    stack.push_async_callback(probe.aclose)
    redact, token = Redaction(settings.secrets), settings.telegram_bot_token.get_secret_value()
    telegram = TelegramClient(token=token, api_url=settings.telegram_api_url, tls=tls, redact=redact)
    stack.push_async_callback(telegram.aclose)
    kie = KieClient(
        api_url=settings.kie_api_url,
        upload_url=settings.kie_upload_url,
        key=settings.kie_api_key.get_secret_value(),
        # an unknown model is reported by the settings; credits are the same for all models
        model=settings.kie_model if settings.kie_model in KNOWN_MODELS else min(KNOWN_MODELS),
        redact=redact,
        timeout=settings.kie_timeout_seconds,
        tls=tls,
    )
    stack.push_async_callback(kie.aclose)
    is_running = is_process_lock_held(settings.database_path)
    servers = {"Kie": settings.kie_api_url, "Telegram": settings.telegram_api_url}
    return {
        # first, because host names that do not resolve may occupy every thread
        checks.DATABASE_SUBJECT: _check_database_in_thread(settings, is_running=is_running),
        checks.BOT_SUBJECT: checks.check_bot_token(telegram, probe, settings.telegram_api_url),
        checks.UPDATES_SUBJECT: checks.check_update_delivery(
            telegram, settings, is_running=is_running, wall_clock=context.wall_clock
        ),
        checks.KIE_SUBJECT: checks.check_kie_credits(kie, probe, settings.kie_api_url),
        checks.UPLOAD_SUBJECT: checks.check_upload_host(probe, settings.kie_upload_url),
        public_url_check.HTTP_SERVER_SUBJECT: public_url_check.check_public_url(
            settings, probe, context.open_http_server, is_running=is_running
        ),
        checks.CLOCK_SUBJECT: checks.check_clock_skew(probe, servers, context.wall_clock),
    }


async def _check_database_in_thread(settings: Settings, *, is_running: bool) -> list[Finding]:
    number = settings.telegram_bot_token.get_secret_value().partition(":")[0]
    bot_id = int(number) if number.isdecimal() else None
    path = Path(settings.database_path)
    return await asyncio.to_thread(checks.check_database, path, bot_id=bot_id, is_running=is_running)


_COLOURS = {
    FindingStatus.OK: "32",
    FindingStatus.WARNING: "33",
    FindingStatus.FAILURE: "31",
    FindingStatus.SKIPPED: "2",
}

#: Columns of the status and of the subject.
_STATUS_WIDTH, _SUBJECT_WIDTH = 9, 11


def render_table(findings: Sequence[Finding], *, in_colour: bool) -> str:
    """Return a line for each finding, and a summary."""
    return "\n".join(
        [*(_render_finding(each, in_colour=in_colour) for each in findings), "", _render_summary(findings)]
    )


def render_json(findings: Sequence[Finding]) -> str:
    """Return a list with an object for each finding: name, status, found, remedy (or null)."""
    return json.dumps([asdict(each) for each in findings], indent=2)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if there is a failure, else 0."""
    return int(any(each.status is FindingStatus.FAILURE for each in findings))


def _render_finding(finding: Finding, *, in_colour: bool) -> str:
    status = f"{finding.status:{_STATUS_WIDTH}}"
    if in_colour:
        status = f"\x1b[{_COLOURS[finding.status]}m{status}\x1b[0m"
    remedy = f": {finding.remedy}" if finding.remedy else ""
    return f"{status}{finding.name:{_SUBJECT_WIDTH}}{finding.found}{remedy}"


def _render_summary(findings: Sequence[Finding]) -> str:
    count = Counter(each.status for each in findings)
    failures, warnings = count[FindingStatus.FAILURE], count[FindingStatus.WARNING]
    if failures:
        counted = f"{_pluralize(failures, 'failure')}, {_pluralize(warnings, 'warning')}"
        return f"{counted}: the bot cannot do its work like this."
    return f"{_pluralize(warnings, 'warning')}: the bot can do its work." if warnings else "All is well."


def _pluralize(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
