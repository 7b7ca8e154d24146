"""The database file, and the disk that it is on; nothing is written to either."""

import os
import shutil
from pathlib import Path

from bot.operate.check.finding import Finding, Status, failure, ok, sentence, skipped, warning
from bot.settings import CannotRun
from bot.store.examine import Examined, examine
from bot.store.lock import is_held
from bot.store.rescue import rescued

NAME, DISK = "database", "disk"

#: Bytes: with less than that the next edits may fail; with less than this it is time to look after the disk.
LITTLE, MODEST = 20 << 20, 200 << 20

#: Seconds for looking at every page.
SECONDS = 8.0

_OTHER_FILE = "name another file, or let this user write there"


def look(path: Path, *, bot_id: int | None, is_running: bool, seconds: float = SECONDS) -> list[Finding]:
    """Look at the file and its folder; `bot_id` is whose it must be, `is_running` whether a bot has it open."""
    try:
        folder = _nearest_folder(path)
        return [_file(path, folder, bot_id, is_running=is_running, seconds=seconds), _disk(folder)]
    except OSError as error:
        found = f"DATABASE_PATH {path} cannot be looked at ({error.strerror})"
        return [failure(NAME, found, _OTHER_FILE), skipped(DISK, "the database's folder cannot be looked at")]


def _nearest_folder(path: Path) -> Path:
    """Return the folder of a path, or the one in which its folders would be made. Raises OSError."""
    return next(folder for folder in path.absolute().parents if _is_there(folder))


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _file(path: Path, folder: Path, bot_id: int | None, *, is_running: bool, seconds: float) -> Finding:
    if str(path).startswith(":") or path.is_dir():
        return failure(NAME, f"DATABASE_PATH {path} is no file", "name one, like data/darkroom.db")
    if not folder.is_dir():
        return failure(NAME, f"DATABASE_PATH {path} cannot be made, as {folder} is no folder", _OTHER_FILE)
    if not _may_write(folder):
        return failure(NAME, f"this user cannot write to {folder}, the folder of DATABASE_PATH", _OTHER_FILE)
    if not _is_there(path):
        return _not_there(path)
    if not _may_write(path):
        return failure(NAME, f"this user cannot write to {path}, the DATABASE_PATH", _OTHER_FILE)
    try:
        known = examine(path, is_written=is_running, seconds=seconds)
    except CannotRun as error:
        if not is_running and is_held(str(path)):
            # it was read as a file that nobody writes, and a bot has started meanwhile
            return _file(path, folder, bot_id, is_running=True, seconds=seconds)
        return sentence(NAME, Status.FAILURE, str(error))
    return _judged(path, known, bot_id, is_running=is_running)


def _not_there(path: Path) -> Finding:
    saved = rescued(str(path))
    if saved:
        found = f"{path} was deleted while a bot ran, and what it held is saved in {saved[-1]}"
        return failure(NAME, found, f"rename that to {path} to go on with it, or delete it to begin anew")
    return ok(NAME, f"{path} is not there yet, and will be made")


def _may_write(path: Path) -> bool:
    mode = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _judged(path: Path, known: Examined, bot_id: int | None, *, is_running: bool) -> Finding:
    if None not in (known.owner, bot_id) and known.owner != bot_id:
        found = f"DATABASE_PATH {path} belongs to another bot (id {known.owner}, this one is {bot_id})"
        return failure(NAME, found, "give this bot a file of its own, or use that bot's token")
    use = "a bot runs on it" if is_running else "no bot runs on it"
    if not known.is_complete:
        found = f"{path} is too large to be looked at wholly in the time that there is; {use}"
        return warning(NAME, found, "if in doubt, make a backup, which is always checked")
    older = f", and will be brought from schema {known.version} to {known.newest} at the start"
    return ok(NAME, f"{path} is sound; {use}{older if known.version < known.newest else ''}")


def _disk(folder: Path) -> Finding:
    return judge_room(shutil.disk_usage(folder).free, folder)


def judge_room(free: int, folder: Path) -> Finding:
    """Say whether so many free bytes are enough."""
    found = f"{free / (1 << 20):,.0f} MiB are free in {folder}"
    if free < LITTLE:
        return failure(DISK, found, "make room on the disk")
    return warning(DISK, found, "make room on the disk soon") if free < MODEST else ok(DISK, found)
