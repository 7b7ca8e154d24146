"""Copies of the database while a bot writes to it: a backup on request, and a rescue when the file was taken away.

While the connection is open, a file that was deleted or replaced still exists, with everything that was ever
committed. Once that is rescued, nothing is left beside the path that SQLite could mistake for a part of the file that
is there now.
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

#: Pages copied at a time; between two steps the bot can write.
PAGES_PER_STEP = 1000

#: SQLite virtual machine instructions between two reports that the copy is still being checked.
CHECK_PROGRESS_INTERVAL = 100_000

#: Seconds between two lines of a log about long work.
REPORT_INTERVAL = 5.0

#: Stands between the name of a database and the time at which it was rescued.
RESCUED_INFIX = ".rescued-"

_REMEDIES = {
    FileLoss.DELETED: "rename that to {path} to go on with it, or delete it to begin anew, and start the bot",
    FileLoss.REPLACED: (
        "start the bot to go on with the file that is there now, or first put the saved one in its place"
    ),
}


class ProgressThrottle:
    """Passes on a report of long work every few seconds, and drops the others; short work reports nothing."""

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
        """Report, if nothing was reported for `every` seconds, counted from the beginning of the work."""
        now = self._monotonic()
        if now - self._reported_at >= self._interval:
            self._reported_at = now
            self._report(text)


def copy_database(source: Path, target: Path, report: Callable[[str], None]) -> None:
    """Copy a database of ours to a new file that only its owner can read, and call `report` often.

    Raises CannotRun when there is no such database, when `target` exists, or when the copy is damaged.
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
    """Yield a file to fill that only its owner can read; afterwards it is at `target`, or nowhere on an error."""
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
    """Copy what a connection sees into a single file, and call `report` often."""
    source.backup(
        copy, pages=PAGES_PER_STEP, progress=lambda _, left, total: report(f"copied {total - left} of {total} pages")
    )
    copy.execute("PRAGMA journal_mode = DELETE")  # until a bot opens it


def _copy_and_check(source: Path, part: Path, report: Callable[[str], None]) -> None:
    with closing(_open_source(source)) as original, closing(sqlite3.connect(part)) as copy:
        # One snapshot, held until all is copied: SQLite begins anew after each commit of the bot otherwise, and beside
        # a busy one never comes to an end (https://www.sqlite.org/backup.html).
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
    """The database file is no longer the one that the bot works with."""


def build_loss_error(path: str, loss: FileLoss) -> DatabaseFileLost:
    """Return the error before anything was rescued."""
    return DatabaseFileLost(f"DATABASE_PATH {path} {loss} while the bot ran")


def rescue_database(db: sqlite3.Connection, file: DatabaseFile, path: str, loss: FileLoss) -> DatabaseFileLost:
    """Save what the connection still has, and return the error to raise. The connection must not be closed.

    A close would write to the file at `path`, or delete the files that belong to it.
    Raises sqlite3.Error and OSError where it cannot be saved.
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
    """Move the WAL away from a file to which it does not belong; without its own file its contents are of no use."""
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
    """Raise CannotRun where the file is gone and was rescued: a new one would not know what is under way."""
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
