"""The settings: every mistake in them, and what the bot can run with but better would not."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.http_paths import TELEGRAM_WEBHOOK_PATH
from bot.kie.callbacks import MAX_SIGNATURE_AGE
from bot.kie.client import KieClient
from bot.kie.errors import AccountBlocked, BlockCause, KieError, RequestRefused, UnexpectedResponse
from bot.ops.check.findings import Finding, FindingStatus, failure, finding_from_message, ok, skipped, warning
from bot.ops.check.http_probe import HttpProbe, ProbeError, displayed_host
from bot.ops.config_warnings import find_config_warnings, refuse_unknown_model
from bot.settings import CannotRun, Settings
from bot.store.backup import list_rescued_files
from bot.store.process_lock import is_process_lock_held
from bot.store.read_only import DatabaseInspection, inspect_database
from bot.telegram.client import BotAccount, TelegramClient, WebhookStatus
from bot.telegram.errors import TelegramApiError, Unauthorized

SETTINGS_SUBJECT = "settings"


def report_settings_errors(error: CannotRun) -> list[Finding]:
    """Return a finding for each mistake that made the settings unusable."""
    return [finding_from_message(SETTINGS_SUBJECT, FindingStatus.FAILURE, line) for line in str(error).splitlines()]


def check_settings(settings: Settings) -> list[Finding]:
    """Look at settings without a mistake."""
    warnings = [
        finding_from_message(SETTINGS_SUBJECT, FindingStatus.WARNING, caution)
        for caution in find_config_warnings(settings)
    ]
    try:
        refuse_unknown_model(settings)
    except CannotRun as error:
        return [*report_settings_errors(error), *warnings]
    return warnings or [ok(SETTINGS_SUBJECT, f"complete; pictures are edited by {settings.kie_model}")]


BOT_SUBJECT, GROUPS_SUBJECT = "bot", "groups"


async def check_bot_token(chat: TelegramClient, reach: HttpProbe, api_url: str) -> list[Finding]:
    """Ask Telegram who we are."""
    try:
        me = await chat.get_me()
    except Unauthorized:
        remedy = "copy the token from @BotFather again, and look at TELEGRAM_API_URL if you set it"
        return [failure(BOT_SUBJECT, "Telegram does not know TELEGRAM_BOT_TOKEN", remedy)]
    except TelegramApiError as error:
        why = await reach.explain_failure(api_url, str(error))
        return [failure(BOT_SUBJECT, f"Telegram cannot be asked: {why.found}", why.remedy)]
    return [ok(BOT_SUBJECT, f"@{me.username}, id {me.id}"), ok(GROUPS_SUBJECT, _describe_group_access(me))]


def _describe_group_access(me: BotAccount) -> str:
    if not me.can_join_groups:
        return "cannot be added to groups (Allow Groups is off at @BotFather)"
    if me.can_read_all_group_messages:
        return "is shown everything that is said in groups, and keeps what is meant for it (Group Privacy is off)"
    return "is shown only replies to it and commands that name it, unless it is an admin there (Group Privacy is on)"


UPDATES_SUBJECT = "updates"

#: Seconds for which a failure of Telegram's to bring an update is worth a word.
RECENT_FAILURE_SECONDS = 3600.0

_OTHER_PROGRAM_REMEDY = "stop whatever else uses this bot, or it will go on to change that"


async def check_update_delivery(
    chat: TelegramClient, settings: Settings, *, is_running: bool, of_day: Callable[[], float]
) -> list[Finding]:
    """Ask Telegram where it brings updates; `of_day` gives seconds since 1970."""
    try:
        known = await chat.get_webhook_status()
    except Unauthorized:
        return [skipped(UPDATES_SUBJECT, "Telegram does not say with this token")]
    except TelegramApiError as error:
        return [skipped(UPDATES_SUBJECT, f"Telegram cannot be asked ({error})")]
    if settings.telegram_updates == "polling":
        return [_judge_polling(known)]
    return [_judge_webhook(known, f"{settings.public_url}{TELEGRAM_WEBHOOK_PATH}", is_running=is_running, now=of_day())]


def _judge_polling(known: WebhookStatus) -> Finding:
    if known.url:
        # only the host: the path of somebody's webhook may be a secret
        pending = _describe_pending_updates(known)
        found = f"a webhook is set at {displayed_host(known.url)}, though TELEGRAM_UPDATES=polling{pending}"
        return warning(UPDATES_SUBJECT, found, f"the bot removes it at its start; {_OTHER_PROGRAM_REMEDY}")
    return ok(UPDATES_SUBJECT, f"asked for by polling{_describe_pending_updates(known)}")


def _judge_webhook(known: WebhookStatus, ours: str, *, is_running: bool, now: float) -> Finding:
    if known.url != ours and (known.url or is_running):
        where = f"brings updates to {displayed_host(known.url)}" if known.url else "brings no updates"
        found = f"Telegram {where}, and not to {ours}{_describe_pending_updates(known)}"
        return warning(UPDATES_SUBJECT, found, f"the bot sets it right; {_OTHER_PROGRAM_REMEDY}")
    if not known.url:
        return ok(UPDATES_SUBJECT, f"will be brought to {ours} once the bot runs{_describe_pending_updates(known)}")
    if known.last_error and now - known.last_error_at < RECENT_FAILURE_SECONDS:
        minutes = max(0.0, now - known.last_error_at) / 60
        pending = _describe_pending_updates(known)
        found = f"Telegram could not bring an update {minutes:.0f} min ago ({known.last_error}){pending}"
        return warning(
            UPDATES_SUBJECT, found, "let PUBLIC_URL lead to the bot while it runs; what waits is brought again"
        )
    return ok(UPDATES_SUBJECT, f"brought to {ours}{_describe_pending_updates(known)}")


def _describe_pending_updates(known: WebhookStatus) -> str:
    return f"; {known.pending_updates} wait at Telegram" if known.pending_updates else ""


KIE_SUBJECT, UPLOAD_SUBJECT = "kie", "upload"

_KIE_ACCOUNT_PROBLEMS = {
    BlockCause.KEY: ("Kie does not accept KIE_API_KEY", "copy the key from https://kie.ai/api-key again"),
    BlockCause.CAP: ("the credit cap of KIE_API_KEY is used up", "raise it at https://kie.ai/api-key, or wait"),
    BlockCause.CREDITS: ("the account has no credits left", "top up at https://kie.ai"),
}


async def check_kie_credits(kie: KieClient, reach: HttpProbe, api_url: str) -> list[Finding]:
    """Ask Kie for the balance."""
    try:
        return [_judge_credits(await kie.get_credits())]
    except AccountBlocked as error:
        return [failure(KIE_SUBJECT, *_KIE_ACCOUNT_PROBLEMS[error.cause])]
    except (RequestRefused, UnexpectedResponse) as error:
        found = f"{displayed_host(api_url)} does not answer as Kie does ({error})"
        return [failure(KIE_SUBJECT, found, "look at KIE_API_URL if you set it, and at what is in between")]
    except KieError as error:
        why = await reach.explain_failure(api_url, str(error))
        return [failure(KIE_SUBJECT, f"Kie cannot be asked: {why.found}", why.remedy)]


def _judge_credits(credits_left: float) -> Finding:
    if credits_left <= 0:
        return failure(
            KIE_SUBJECT, f"the key is good, but the account has {credits_left:g} credits", "top up at https://kie.ai"
        )
    return ok(KIE_SUBJECT, f"the key is good, and {credits_left:g} credits are left")


async def check_upload_host(reach: HttpProbe, upload_url: str) -> list[Finding]:
    """See whether the host for uploads answers; its own words for a GET there are 405 (Kie's documentation, 2026)."""
    try:
        answer = await reach.get(f"{upload_url}/api/file-stream-upload")
    except ProbeError as error:
        return [failure(UPLOAD_SUBJECT, f"pictures cannot be uploaded: {error.found}", error.remedy)]
    if answer.status >= 500:
        found = f"{displayed_host(upload_url)} is in trouble (HTTP {answer.status})"
        return [warning(UPLOAD_SUBJECT, found, "try again in a while; edits wait until it can take pictures")]
    return [ok(UPLOAD_SUBJECT, f"{displayed_host(upload_url)} answers")]


CLOCK_SUBJECT = "clock"

#: Seconds from which a clock is worth a word; answers take a while, and headers tell whole seconds.
CLOCK_SKEW_WARNING_SECONDS = 30.0

CLOCK_REMEDY = "set this machine's clock, and let it be kept right (NTP)"


async def check_clock_skew(reach: HttpProbe, servers: Mapping[str, str], of_day: Callable[[], float]) -> list[Finding]:
    """Compare with each server, by name and address; `of_day` gives our seconds since 1970."""
    offs = await asyncio.gather(*(_measure_clock_skew(reach, url, of_day) for url in servers.values()))
    told = [(off, name) for name, off in zip(servers, offs, strict=True) if off is not None]
    if not told:
        return [skipped(CLOCK_SUBJECT, "no server told what time it is")]
    return [judge_clock_skew(*max(told, key=lambda each: abs(each[0])))]


def judge_clock_skew(off: float, server: str) -> Finding:
    """Say what it means that we are so many seconds ahead of a server."""
    direction = "ahead of" if off > 0 else "behind"
    found = f"this machine's clock is {abs(off):.0f} s {direction} that of {server}"
    if abs(off) >= MAX_SIGNATURE_AGE:
        return failure(CLOCK_SUBJECT, f"{found}, and callbacks of Kie would be refused", CLOCK_REMEDY)
    if abs(off) > CLOCK_SKEW_WARNING_SECONDS:
        return warning(CLOCK_SUBJECT, found, CLOCK_REMEDY)
    return ok(CLOCK_SUBJECT, f"right to {max(1.0, abs(off)):.0f} s")


async def _measure_clock_skew(reach: HttpProbe, url: str, of_day: Callable[[], float]) -> float | None:
    began = of_day()
    try:
        answer = await reach.get(url)
    except ProbeError:
        return None
    # a header tells the second that had begun, and the answer was under way
    return None if answer.date is None else (began + of_day()) / 2 - (answer.date + 0.5)


DATABASE_SUBJECT, DISK_SUBJECT = "database", "disk"

#: Bytes: with less than that the next edits may fail; with less than this it is time to look after the disk.
DISK_FAILURE_BYTES, DISK_WARNING_BYTES = 20 << 20, 200 << 20

#: Seconds for looking at every page.
INTEGRITY_CHECK_SECONDS = 8.0

_OTHER_FILE_REMEDY = "name another file, or let this user write there"


def check_database(
    path: Path, *, bot_id: int | None, is_running: bool, seconds: float = INTEGRITY_CHECK_SECONDS
) -> list[Finding]:
    """Look at the file and its folder; `bot_id` is whose it must be, `is_running` whether a bot has it open."""
    try:
        folder = _nearest_existing_folder(path)
        return [
            _check_database_file(path, folder, bot_id, is_running=is_running, seconds=seconds),
            _check_disk_space(folder),
        ]
    except OSError as error:
        found = f"DATABASE_PATH {path} cannot be looked at ({error.strerror})"
        return [
            failure(DATABASE_SUBJECT, found, _OTHER_FILE_REMEDY),
            skipped(DISK_SUBJECT, "the database's folder cannot be looked at"),
        ]


def _nearest_existing_folder(path: Path) -> Path:
    """Return the folder of a path, or the one in which its folders would be made. Raises OSError."""
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
        known = inspect_database(path, is_written=is_running, seconds=seconds)
    except CannotRun as error:
        if not is_running and is_process_lock_held(str(path)):
            # it was read as a file that nobody writes, and a bot has started meanwhile
            return _check_database_file(path, folder, bot_id, is_running=True, seconds=seconds)
        return finding_from_message(DATABASE_SUBJECT, FindingStatus.FAILURE, str(error))
    return _judge_database(path, known, bot_id, is_running=is_running)


def _judge_missing_database(path: Path) -> Finding:
    saved = list_rescued_files(str(path))
    if saved:
        found = f"{path} was deleted while a bot ran, and what it held is saved in {saved[-1]}"
        return failure(DATABASE_SUBJECT, found, f"rename that to {path} to go on with it, or delete it to begin anew")
    return ok(DATABASE_SUBJECT, f"{path} is not there yet, and will be made")


def _is_writable(path: Path) -> bool:
    mode = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _judge_database(path: Path, known: DatabaseInspection, bot_id: int | None, *, is_running: bool) -> Finding:
    if None not in (known.bot_id, bot_id) and known.bot_id != bot_id:
        found = f"DATABASE_PATH {path} belongs to another bot (id {known.bot_id}, this one is {bot_id})"
        return failure(DATABASE_SUBJECT, found, "give this bot a file of its own, or use that bot's token")
    use = "a bot runs on it" if is_running else "no bot runs on it"
    if not known.is_complete:
        found = f"{path} is too large to be looked at wholly in the time that there is; {use}"
        return warning(DATABASE_SUBJECT, found, "if in doubt, make a backup, which is always checked")
    older = f", and will be brought from schema {known.schema_version} to {known.newest_schema_version} at the start"
    return ok(
        DATABASE_SUBJECT, f"{path} is sound; {use}{older if known.schema_version < known.newest_schema_version else ''}"
    )


def _check_disk_space(folder: Path) -> Finding:
    return judge_disk_space(shutil.disk_usage(folder).free, folder)


def judge_disk_space(free: int, folder: Path) -> Finding:
    """Say whether so many free bytes are enough."""
    found = f"{free / (1 << 20):,.0f} MiB are free in {folder}"
    if free < DISK_FAILURE_BYTES:
        return failure(DISK_SUBJECT, found, "make room on the disk")
    return (
        warning(DISK_SUBJECT, found, "make room on the disk soon")
        if free < DISK_WARNING_BYTES
        else ok(DISK_SUBJECT, found)
    )
