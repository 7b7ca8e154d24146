"""`backup PATH`: copies the database, beside a bot that runs, and tells how far it is."""

import sys
from pathlib import Path

from bot.settings import CannotRun, Stored
from bot.store.copy import copy_database


def backup(path: str) -> int:
    """Copy the database to a new file, which is a backup as it stands; return the exit code."""
    target = Path(path)
    try:
        copy_database(Path(Stored().database_path), target, _tell)
    except CannotRun as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write(f"{target}: {target.stat().st_size} bytes, opened and checked\n")
    return 0


def _tell(pages: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{pages} of {of} pages{'' if pages < of else chr(10)}")
