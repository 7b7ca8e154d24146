"""`backup PATH`: copies the database while the bot may run, and shows the progress."""

import sys
from pathlib import Path

from bot.ops.terminal_progress import TerminalProgress
from bot.settings import CannotRun, DatabaseSettings, redact_for_terminal
from bot.store.backup import copy_database


def run_backup_command(path: str) -> int:
    """Copy the database to a new file, ready to use as it is; return the exit code."""
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
