"""Copies of the database while a bot writes to it: an online backup, and a rescue of a lost database file.

While the connection is open, a file that was deleted or replaced still exists, with everything that was ever
committed. After the rescue, the old WAL and shared memory file are gone, so that SQLite cannot take them for those of
the file that is now at the path.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bot.settings import CannotRun
from bot.store.migrations import APPLICATION_ID
from bot.store.secure_delete import DatabaseFile, FileLoss

log = logging.getLogger(__name__)

#: Pages copied per step; between two steps the bot can write.
PAGES_PER_STEP = 1000

#: SQLite virtual machine instructions between two progress reports while the copy is checked.
CHECK_PROGRESS_INTERVAL = 100_000

#: Seconds between two progress reports about long work.
REPORT_INTERVAL = 5.0

#: Separates the name of a database from the time of its rescue.
RESCUED_INFIX = ".rescued-"

_REMEDIES = {
    FileLoss.DELETED: "rename that to {path} to go on with it, or delete it to begin anew, and start the bot",
    FileLoss.REPLACED: (
        "start the bot to go on with the file that is there now, or first put the saved one in its place"
    ),
}


class ProgressThrottle:
    """Throttles progress reports to one every few seconds; short work reports nothing."""

    def __init__(
        self,
        report: Callable[[str], None],
        *,
        every: float = REPORT_INTERVAL,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._interval = every
        self._monotonic = monotonic
        self._reported_at = monotonic()

    def __call__(self, text: str) -> None:
        """Report, unless there was a report, or the work began, less than `every` seconds ago."""
        now = self._monotonic()
        if now - self._reported_at >= self._interval:
            self._reported_at = now
            self._report(text)


def copy_database(source: Path, target: Path, report: Callable[[str], None]) -> None:
    """Copy a database of ours to a new file that only its owner can read, and call `report` often.

    Raises CannotRun if `source` is missing, not ours or damaged, or if `target` exists or cannot be written.
    """
    if target.exists():
        raise CannotRun(f"{target} exists already: name a file that does not, so that no backup is overwritten")
    try:
        with create_file_atomically(target) as part:
            _copy_and_check(source, part, report)
    except OSError as error:
        raise CannotRun(f"{target} cannot be written ({error.strerror}): name another file") from error
    except sqlite3.Error as error:
        raise CannotRun(f"DATABASE_PATH {source} cannot be copied ({error})") from error


@contextmanager
def create_file_atomically(target: Path) -> Iterator[Path]:
    """Yield an empty file that only its owner can read; on success it is renamed to `target`, on an error deleted."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
        _fsync(part)
        part.rename(target)
        _fsync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def copy_pages(source: sqlite3.Connection, copy: sqlite3.Connection, report: Callable[[str], None]) -> None:
    """Copy what a connection sees into another database, without a WAL, and call `report` often."""
    source.backup(
        copy, pages=PAGES_PER_STEP, progress=lambda _, left, total: report(f"copied {total - left} of {total} pages")
    )
    copy.execute("PRAGMA journal_mode = DELETE")  # a single file, until a bot opens it


def _copy_and_check(source: Path, part: Path, report: Callable[[str], None]) -> None:
    with closing(_open_source(source)) as original, closing(sqlite3.connect(part)) as copy:
        # One snapshot, held until all is copied: otherwise SQLite starts over after each commit of the bot, and never
        # finishes beside a busy one (https://www.sqlite.org/backup.html).
        original.execute("BEGIN")
        original.execute("SELECT 1 FROM sqlite_schema").fetchone()
        copy_pages(original, copy, report)
        copy.set_progress_handler(lambda: report("checking the copy"), CHECK_PROGRESS_INTERVAL)
        problems = [row[0] for row in copy.execute("PRAGMA integrity_check").fetchall()]
    if problems != ["ok"]:
        raise CannotRun(f"DATABASE_PATH {source} is damaged ({problems[0]}): no backup was made of it")


def _open_source(source: Path) -> sqlite3.Connection:
    if not source.is_file():
        raise CannotRun(f"DATABASE_PATH {source} does not exist: start the bot once, or name its database")
    db = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        db.close()
        raise CannotRun(f"DATABASE_PATH {source} is a database of another program")
    return db


def _fsync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class DatabaseFileLost(CannotRun):
    """The database file was deleted, replaced or overwritten while the bot ran."""


def build_loss_error(path: str, loss: FileLoss) -> DatabaseFileLost:
    """Return the error for a loss of which nothing has been rescued yet."""
    return DatabaseFileLost(f"DATABASE_PATH {path} {loss} while the bot ran")


def rescue_database(db: sqlite3.Connection, file: DatabaseFile, path: str, loss: FileLoss) -> DatabaseFileLost:
    """Rescue what is left of a lost file, and return the error to raise. The connection must not be closed.

    Closing it would write to the file at `path`, or delete the files that belong to that. Of an overwritten file only
    the WAL is left, and is set aside. Raises sqlite3.Error or OSError if the rescue fails.
    """
    error = build_loss_error(path, loss)
    now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    if loss is FileLoss.OVERWRITTEN:
        return _set_wal_aside(file, error, Path(f"{path}.set-aside-{now}-wal"))
    target = Path(f"{path}{RESCUED_INFIX}{now}")
    log.error("%s: what it held is being saved in %s", error, target)
    with create_file_atomically(target) as part, closing(sqlite3.connect(part)) as copy:
        copy_pages(db, copy, ProgressThrottle(log.info))
    for each in file.list_own_companions():
        Path(each).unlink(missing_ok=True)
    return DatabaseFileLost(f"{error}; what it held is saved in {target}: {_REMEDIES[loss].format(path=path)}")


def _set_wal_aside(file: DatabaseFile, error: DatabaseFileLost, target: Path) -> DatabaseFileLost:
    """Move the WAL away from a file that it does not belong to; without its own file it is of no use."""
    for each in file.list_own_companions():
        if each.endswith("-wal"):
            Path(each).rename(target)
            log.error("%s: the last changes are in %s, but nothing can be made of them without the rest", error, target)
        else:
            Path(each).unlink(missing_ok=True)
    return DatabaseFileLost(
        f"{error}, and what it held is lost: put the file there that you want to go on with, while no bot runs, "
        "and start the bot"
    )


def refuse_to_start_empty(path: str) -> None:
    """Raise CannotRun if the file is gone and was rescued: a new one would not know of the work in progress."""
    rescued = list_rescued_files(path)
    if rescued and not Path(path).exists():
        raise CannotRun(
            f"DATABASE_PATH {path} was deleted while the bot ran, and what it held is saved in {rescued[-1]}: "
            f"rename that to {path} to go on with it, or delete it to begin anew"
        )
    for each in rescued:
        log.warning("%s holds what the database held when it was replaced, and is never erased: delete it", each)


def list_rescued_files(path: str) -> list[Path]:
    """Return the rescued files beside a database, the oldest first."""
    file = Path(path)
    with suppress(OSError):
        return sorted(
            each
            for each in file.parent.iterdir()
            if each.name.startswith(f"{file.name}{RESCUED_INFIX}") and each.suffix != ".part"
        )
    return []
