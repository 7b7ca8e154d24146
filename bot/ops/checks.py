"""The checks: each inspects one subject and returns findings.

None changes anything, costs credits or disturbs a running bot.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bot.kie.callback_signature import MAX_SIGNATURE_AGE
from bot.kie.client import KieClient
from bot.kie.errors import AccountBlocked, BlockCause, KieError, RequestRefused, UnexpectedResponse
from bot.ops.config_warnings import find_config_warnings, refuse_unknown_model
from bot.ops.http_probe import HttpProbe, ProbeError, displayed_host
from bot.settings import TELEGRAM_WEBHOOK_PATH, CannotRun, Settings
from bot.store.backup import list_rescued_files
from bot.store.process_lock import is_process_lock_held
from bot.store.read_only_connection import DatabaseInspection, inspect_database
from bot.telegram.client import BotAccount, TelegramClient, WebhookStatus
from bot.telegram.errors import TelegramApiError, Unauthorized


class FindingStatus(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    #: it works, but the operator should know
    WARNING = "warning"
    #: the bot cannot do its work
    FAILURE = "failure"
    #: it could not be checked
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """The result of checking one subject, and what to do about it."""

    #: the subject, always the same word
    name: str
    status: FindingStatus
    found: str
    #: None where nothing has to be done
    remedy: str | None = None


def ok(name: str, found: str) -> Finding:
    return Finding(name, FindingStatus.OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    return Finding(name, FindingStatus.WARNING, found, remedy)


def failure(name: str, found: str, remedy: str) -> Finding:
    return Finding(name, FindingStatus.FAILURE, found, remedy)


def skipped(name: str, why: str) -> Finding:
    return Finding(name, FindingStatus.SKIPPED, why)


def finding_from_message(name: str, status: FindingStatus, message: str) -> Finding:
    """Split a message into what was found and, after a colon, the remedy."""
    found, _, remedy = message.partition(": ")
    return Finding(name, status, found, remedy or None)


SETTINGS_SUBJECT = "settings"


def report_settings_errors(error: CannotRun) -> list[Finding]:
    """Return a finding for each error in the settings."""
    return [finding_from_message(SETTINGS_SUBJECT, FindingStatus.FAILURE, line) for line in str(error).splitlines()]


def check_settings(settings: Settings) -> list[Finding]:
    """Check settings that could be loaded."""
    warnings = [
        finding_from_message(SETTINGS_SUBJECT, FindingStatus.WARNING, message)
        for message in find_config_warnings(settings)
    ]
    try:
        refuse_unknown_model(settings)
    except CannotRun as error:
        return [*report_settings_errors(error), *warnings]
    return warnings or [ok(SETTINGS_SUBJECT, f"complete; the model is {settings.kie_model}")]


BOT_SUBJECT, GROUPS_SUBJECT = "bot", "groups"


async def check_bot_token(telegram: TelegramClient, probe: HttpProbe, api_url: str) -> list[Finding]:
    """Ask Telegram which bot this is."""
    try:
        me = await telegram.get_me()
    except Unauthorized:
        remedy = "copy the token from @BotFather again, and check TELEGRAM_API_URL if you set it"
        return [failure(BOT_SUBJECT, "Telegram does not know TELEGRAM_BOT_TOKEN", remedy)]
    except TelegramApiError as error:
        why = await probe.explain_failure(api_url, str(error))
        return [failure(BOT_SUBJECT, f"Telegram cannot be asked: {why.found}", why.remedy)]
    return [ok(BOT_SUBJECT, f"@{me.username}, id {me.id}"), ok(GROUPS_SUBJECT, _describe_group_access(me))]


def _describe_group_access(me: BotAccount) -> str:
    if not me.can_join_groups:
        return "cannot be added to groups (Allow Groups is off at @BotFather)"
    if me.can_read_all_group_messages:
        return "is shown everything that is said in groups, and keeps what is meant for it (Group Privacy is off)"
    return "is shown only replies to it and commands that name it, unless it is an admin there (Group Privacy is on)"


UPDATES_SUBJECT = "updates"

#: Seconds for which a failed delivery of the webhook is worth a warning.
RECENT_FAILURE_SECONDS = 3600.0

_OTHER_PROGRAM_REMEDY = "stop the other program that uses this bot, or it will set that again"


async def check_update_delivery(
    telegram: TelegramClient, settings: Settings, *, is_running: bool, wall_clock: Callable[[], float]
) -> list[Finding]:
    """Check how Telegram delivers updates; `wall_clock` returns seconds since 1970."""
    try:
        status = await telegram.get_webhook_status()
    except Unauthorized:
        return [skipped(UPDATES_SUBJECT, "Telegram does not accept the token")]
    except TelegramApiError as error:
        return [skipped(UPDATES_SUBJECT, f"Telegram cannot be asked ({error})")]
    if settings.telegram_updates == "polling":
        return [_judge_polling(status)]
    return [
        _judge_webhook(status, f"{settings.public_url}{TELEGRAM_WEBHOOK_PATH}", is_running=is_running, now=wall_clock())
    ]


def _judge_polling(status: WebhookStatus) -> Finding:
    if status.url:
        # only the host: the path of another program's webhook may be a secret
        pending = _describe_pending_updates(status)
        found = f"a webhook is set at {displayed_host(status.url)}, though TELEGRAM_UPDATES=polling{pending}"
        return warning(UPDATES_SUBJECT, found, f"the bot removes it when it starts; {_OTHER_PROGRAM_REMEDY}")
    return ok(UPDATES_SUBJECT, f"polled for{_describe_pending_updates(status)}")


def _judge_webhook(status: WebhookStatus, expected_url: str, *, is_running: bool, now: float) -> Finding:
    if status.url != expected_url and (status.url or is_running):
        where = f"delivers updates to {displayed_host(status.url)}" if status.url else "delivers no updates"
        found = f"Telegram {where}, not to {expected_url}{_describe_pending_updates(status)}"
        return warning(UPDATES_SUBJECT, found, f"the bot corrects it; {_OTHER_PROGRAM_REMEDY}")
    if not status.url:
        return ok(
            UPDATES_SUBJECT, f"will be delivered to {expected_url} once the bot runs{_describe_pending_updates(status)}"
        )
    if status.last_error and now - status.last_error_at < RECENT_FAILURE_SECONDS:
        minutes = max(0.0, now - status.last_error_at) / 60
        pending = _describe_pending_updates(status)
        found = f"Telegram could not deliver an update {minutes:.0f} min ago ({status.last_error}){pending}"
        return warning(
            UPDATES_SUBJECT, found, "let PUBLIC_URL lead to the bot while it runs; pending updates are delivered again"
        )
    return ok(UPDATES_SUBJECT, f"delivered to {expected_url}{_describe_pending_updates(status)}")


def _describe_pending_updates(status: WebhookStatus) -> str:
    return f"; {status.pending_updates} pending at Telegram" if status.pending_updates else ""


KIE_SUBJECT, UPLOAD_SUBJECT = "kie", "upload"

_KIE_ACCOUNT_PROBLEMS = {
    BlockCause.KEY: ("Kie does not accept KIE_API_KEY", "copy the key from https://kie.ai/api-key again"),
    BlockCause.CAP: ("the credit cap of KIE_API_KEY is used up", "raise it at https://kie.ai/api-key, or wait"),
    BlockCause.CREDITS: ("the account has no credits left", "top up at https://kie.ai"),
}


async def check_kie_credits(kie: KieClient, probe: HttpProbe, api_url: str) -> list[Finding]:
    """Ask Kie for the credits left."""
    try:
        return [_judge_credits(await kie.get_credits())]
    except AccountBlocked as error:
        return [failure(KIE_SUBJECT, *_KIE_ACCOUNT_PROBLEMS[error.cause])]
    except (RequestRefused, UnexpectedResponse) as error:
        found = f"{displayed_host(api_url)} does not answer as Kie does ({error})"
        return [failure(KIE_SUBJECT, found, "check KIE_API_URL if you set it, and any proxy in between")]
    except KieError as error:
        why = await probe.explain_failure(api_url, str(error))
        return [failure(KIE_SUBJECT, f"Kie cannot be asked: {why.found}", why.remedy)]


def _judge_credits(credits_left: float) -> Finding:
    if credits_left <= 0:
        return failure(
            KIE_SUBJECT, f"the key is good, but the account has {credits_left:g} credits", "top up at https://kie.ai"
        )
    return ok(KIE_SUBJECT, f"the key is good, and {credits_left:g} credits are left")


async def check_upload_host(probe: HttpProbe, upload_url: str) -> list[Finding]:
    """Check whether the upload host answers; Kie documents a 405 for a GET there (2026)."""
    try:
        answer = await probe.get(f"{upload_url}/api/file-stream-upload")
    except ProbeError as error:
        return [failure(UPLOAD_SUBJECT, f"images cannot be uploaded: {error.found}", error.remedy)]
    if answer.status >= 500:
        found = f"{displayed_host(upload_url)} is in trouble (HTTP {answer.status})"
        return [warning(UPLOAD_SUBJECT, found, "try again later; edits wait until it accepts images")]
    return [ok(UPLOAD_SUBJECT, f"{displayed_host(upload_url)} answers")]


CLOCK_SUBJECT = "clock"

#: Seconds from which the skew is a warning; responses take a while, and Date headers have whole seconds.
CLOCK_SKEW_WARNING_SECONDS = 30.0

CLOCK_REMEDY = "set this machine's clock, and synchronise it (NTP)"


async def check_clock_skew(
    probe: HttpProbe, servers: Mapping[str, str], wall_clock: Callable[[], float]
) -> list[Finding]:
    """Compare with the clocks of `servers`, given by name and URL; `wall_clock` returns seconds since 1970."""
    skews = await asyncio.gather(*(_measure_clock_skew(probe, url, wall_clock) for url in servers.values()))
    measured = [(skew, name) for name, skew in zip(servers, skews, strict=True) if skew is not None]
    if not measured:
        return [skipped(CLOCK_SUBJECT, "no server sent its time")]
    return [judge_clock_skew(*max(measured, key=lambda each: abs(each[0])))]


def judge_clock_skew(skew: float, server: str) -> Finding:
    """Return the finding for a clock that is `skew` seconds ahead of a server's."""
    direction = "ahead of" if skew > 0 else "behind"
    found = f"this machine's clock is {abs(skew):.0f} s {direction} that of {server}"
    if abs(skew) >= MAX_SIGNATURE_AGE:
        return failure(CLOCK_SUBJECT, f"{found}, so callbacks from Kie would be refused", CLOCK_REMEDY)
    if abs(skew) > CLOCK_SKEW_WARNING_SECONDS:
        return warning(CLOCK_SUBJECT, found, CLOCK_REMEDY)
    return ok(CLOCK_SUBJECT, f"right to {max(1.0, abs(skew)):.0f} s")


async def _measure_clock_skew(probe: HttpProbe, url: str, wall_clock: Callable[[], float]) -> float | None:
    began = wall_clock()
    try:
        answer = await probe.get(url)
    except ProbeError:
        return None
    # the Date header is rounded down to seconds, and the response took a while
    return None if answer.date is None else (began + wall_clock()) / 2 - (answer.date + 0.5)


DATABASE_SUBJECT, DISK_SUBJECT = "database", "disk"

#: Free bytes below which edits may soon fail, and below which the operator should free space.
DISK_FAILURE_BYTES, DISK_WARNING_BYTES = 20 << 20, 200 << 20

#: Seconds for checking every page.
INTEGRITY_CHECK_SECONDS = 8.0

_OTHER_FILE_REMEDY = "name another file, or let this user write there"


def check_database(
    path: Path, *, bot_id: int | None, is_running: bool, seconds: float = INTEGRITY_CHECK_SECONDS
) -> list[Finding]:
    """Check the file and its folder; `bot_id` must own it, and `is_running` says whether a bot has it open."""
    try:
        folder = _nearest_existing_folder(path)
        return [
            _check_database_file(path, folder, bot_id, is_running=is_running, seconds=seconds),
            _check_disk_space(folder),
        ]
    except OSError as error:
        found = f"DATABASE_PATH {path} cannot be examined ({error.strerror})"
        return [
            failure(DATABASE_SUBJECT, found, _OTHER_FILE_REMEDY),
            skipped(DISK_SUBJECT, "the database's folder cannot be examined"),
        ]


def _nearest_existing_folder(path: Path) -> Path:
    """Return the nearest existing parent folder. Raises OSError."""
    return next(folder for folder in path.absolute().parents if _exists(folder))


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _check_database_file(path: Path, folder: Path, bot_id: int | None, *, is_running: bool, seconds: float) -> Finding:
    if str(path).startswith(":") or path.is_dir():
        return failure(DATABASE_SUBJECT, f"DATABASE_PATH {path} is no file", "name one, like data/darkroom.db")
    if not folder.is_dir():
        return failure(
            DATABASE_SUBJECT, f"DATABASE_PATH {path} cannot be made, as {folder} is no folder", _OTHER_FILE_REMEDY
        )
    if not _is_writable(folder):
        return failure(
            DATABASE_SUBJECT, f"this user cannot write to {folder}, the folder of DATABASE_PATH", _OTHER_FILE_REMEDY
        )
    if not _exists(path):
        return _judge_missing_database(path)
    if not _is_writable(path):
        return failure(DATABASE_SUBJECT, f"this user cannot write to {path}, the DATABASE_PATH", _OTHER_FILE_REMEDY)
    try:
        inspection = inspect_database(path, is_written=is_running, seconds=seconds)
    except CannotRun as error:
        if not is_running and is_process_lock_held(str(path)):
            # a bot has started meanwhile, so the file must be read as one that is being written
            return _check_database_file(path, folder, bot_id, is_running=True, seconds=seconds)
        return finding_from_message(DATABASE_SUBJECT, FindingStatus.FAILURE, str(error))
    return _judge_database(path, inspection, bot_id, is_running=is_running)


def _judge_missing_database(path: Path) -> Finding:
    saved = list_rescued_files(str(path))
    if saved:
        found = f"{path} was deleted while a bot ran, and what it held is saved in {saved[-1]}"
        return failure(DATABASE_SUBJECT, found, f"rename that to {path} to go on with it, or delete it to begin anew")
    return ok(DATABASE_SUBJECT, f"{path} does not exist yet, and will be created")


def _is_writable(path: Path) -> bool:
    mode = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _judge_database(path: Path, inspection: DatabaseInspection, bot_id: int | None, *, is_running: bool) -> Finding:
    if None not in (inspection.bot_id, bot_id) and inspection.bot_id != bot_id:
        found = f"DATABASE_PATH {path} belongs to another bot (id {inspection.bot_id}, this one is {bot_id})"
        return failure(DATABASE_SUBJECT, found, "give this bot a file of its own, or use that bot's token")
    use = "a bot runs on it" if is_running else "no bot runs on it"
    if not inspection.is_complete:
        found = f"{path} is too large to be checked completely in time; {use}"
        return warning(DATABASE_SUBJECT, found, "if in doubt, make a backup, which is always checked")
    migration = ""
    if inspection.schema_version < inspection.newest_schema_version:
        versions = f"from schema {inspection.schema_version} to {inspection.newest_schema_version}"
        migration = f", and will be migrated {versions} at the start"
    return ok(DATABASE_SUBJECT, f"{path} is sound; {use}{migration}")


def _check_disk_space(folder: Path) -> Finding:
    return judge_disk_space(shutil.disk_usage(folder).free, folder)


def judge_disk_space(free: int, folder: Path) -> Finding:
    """Return the finding for that many free bytes."""
    found = f"{free / (1 << 20):,.0f} MiB are free in {folder}"
    if free < DISK_FAILURE_BYTES:
        return failure(DISK_SUBJECT, found, "make room on the disk")
    return (
        warning(DISK_SUBJECT, found, "make room on the disk soon")
        if free < DISK_WARNING_BYTES
        else ok(DISK_SUBJECT, found)
    )
