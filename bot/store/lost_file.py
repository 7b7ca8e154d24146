"""What is done when the database file was taken away under the running bot: all that can be is saved beside it.

For as long as the connection is open, the file that was deleted or replaced is still there, with all that was ever
committed. Once it is saved, nothing is left that SQLite could mistake for a part of the file that lies there now.
"""

import logging
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from bot.settings import CannotRun
from bot.store.online_backup import copy_pages, create_file_atomically
from bot.store.progress_throttle import ProgressThrottle
from bot.store.secure_delete import DatabaseFile, FileLoss

log = logging.getLogger(__name__)

#: What stands between the name of a database and the moment at which it was saved.
RESCUED_INFIX = ".rescued-"

_REMEDIES = {
    FileLoss.DELETED: "rename that to {path} to go on with it, or delete it to begin anew, and start the bot",
    FileLoss.REPLACED: (
        "start the bot to go on with the file that is there now, or first put the saved one in its place"
    ),
}


class DatabaseFileLost(CannotRun):
    """The database file is no longer the one that the bot works with."""


def build_loss_error(path: str, loss: FileLoss) -> DatabaseFileLost:
    """Return what there is to say before anything was saved."""
    return DatabaseFileLost(f"DATABASE_PATH {path} {loss} while the bot ran")


def rescue_database(db: sqlite3.Connection, file: DatabaseFile, path: str, loss: FileLoss) -> DatabaseFileLost:
    """Save what the connection still has, and return what there is to say; the connection must not be closed.

    Closed, it would write to what lies at `path` now, or delete what belongs to that.
    Raises sqlite3.Error and OSError where it cannot be saved.
    """
    told = build_loss_error(path, loss)
    now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    if loss is FileLoss.OVERWRITTEN:
        return _set_wal_aside(file, told, Path(f"{path}.set-aside-{now}-wal"))
    target = Path(f"{path}{RESCUED_INFIX}{now}")
    log.error("%s: what it held is being saved in %s", told, target)
    with create_file_atomically(target) as part, closing(sqlite3.connect(part)) as copy:
        copy_pages(db, copy, ProgressThrottle(log.info))
    for each in file.list_own_companions():
        Path(each).unlink(missing_ok=True)
    return DatabaseFileLost(f"{told}; what it held is saved in {target}: {_REMEDIES[loss].format(path=path)}")


def refuse_to_start_empty(path: str) -> None:
    """Raise CannotRun where the file is gone and was saved: a new one would know nothing of what is under way."""
    saved = list_rescued_files(path)
    if saved and not Path(path).exists():
        raise CannotRun(
            f"DATABASE_PATH {path} was deleted while the bot ran, and what it held is saved in {saved[-1]}: "
            f"rename that to {path} to go on with it, or delete it to begin anew"
        )
    for each in saved:
        log.warning("%s holds what the database held when it was replaced, and is never erased: delete it", each)


def list_rescued_files(path: str) -> list[Path]:
    """Return what was saved beside a database, the oldest first."""
    file = Path(path)
    with suppress(OSError):
        return sorted(
            each
            for each in file.parent.iterdir()
            if each.name.startswith(f"{file.name}{RESCUED_INFIX}") and each.suffix != ".part"
        )
    return []


def _set_wal_aside(file: DatabaseFile, told: DatabaseFileLost, aside: Path) -> DatabaseFileLost:
    """Keep the WAL away from a file to which it does not belong; what it holds is of no use without its own."""
    for each in file.list_own_companions():
        if each.endswith("-wal"):
            Path(each).rename(aside)
            log.error("%s: the last changes are in %s, but nothing can be made of them without the rest", told, aside)
        else:
            Path(each).unlink(missing_ok=True)
    return DatabaseFileLost(
        f"{told}, and what it held is lost: put the file there that you want to go on with, while no bot runs, "
        "and start the bot"
    )
