"""`backup PATH`: copies the database, beside a bot that runs, and tells how far it is."""

import sys
from pathlib import Path

from bot.ops.terminal_progress import TerminalProgress
from bot.settings import CannotRun, DatabaseSettings, redact_for_terminal
from bot.store.backup import copy_database


def run_backup_command(path: str) -> int:
    """Copy the database to a new file, which is a backup as it stands; return the exit code."""
    target, progress = Path(path), TerminalProgress(sys.stderr)
    try:
        copy_database(Path(DatabaseSettings().database_path), target, progress.report)
    except CannotRun as error:
        progress.clear()
        sys.stderr.write(f"{redact_for_terminal(str(error))}\n")
        return 2
    progress.clear()
    sys.stderr.write(f"{target}: {target.stat().st_size} bytes, opened and checked\n")
    return 0
