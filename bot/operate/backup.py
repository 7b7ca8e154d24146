"""`backup PATH`: copies the database, beside a bot that runs, and tells how far it is."""

import sys
from pathlib import Path

from bot.operate.progress import Progress
from bot.settings import CannotRun, Stored, told_without_secrets
from bot.store.copy import copy_database


def backup(path: str) -> int:
    """Copy the database to a new file, which is a backup as it stands; return the exit code."""
    target, progress = Path(path), Progress(sys.stderr)
    try:
        copy_database(Path(Stored().database_path), target, progress.tell)
    except CannotRun as error:
        progress.end()
        sys.stderr.write(f"{told_without_secrets(str(error))}\n")
        return 2
    progress.end()
    sys.stderr.write(f"{target}: {target.stat().st_size} bytes, opened and checked\n")
    return 0
