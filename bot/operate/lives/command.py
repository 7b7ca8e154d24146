"""`jobs` and `jobs NUMBER`: print what the database knows."""

import sys
from pathlib import Path

from bot.job import Instant
from bot.operate.lives.biography import biography
from bot.operate.lives.table import MOST_SHOWN, table
from bot.settings import CannotRun, Stored, told_without_secrets
from bot.store.lives import Lives
from bot.store.reading import reading

#: A number that no row can have.
BEYOND_ALL = 1 << 63


def jobs(job_id: int | None, now: Instant) -> int:
    """Print the open jobs, or one job's life, to stdout; return the exit code."""
    try:
        with reading(Path(Stored().database_path)) as db:
            shown = _shown(Lives(db), job_id, now)
    except CannotRun as error:
        sys.stderr.write(f"{told_without_secrets(str(error))}\n")
        return 2
    sys.stdout.write(f"{told_without_secrets(shown)}\n")
    return 0


def _shown(lives: Lives, job_id: int | None, now: Instant) -> str:
    if job_id is None:
        return table(lives.open(MOST_SHOWN + 1), lives.reasons_to_wait(), now)
    life = lives.of(job_id) if 0 < job_id < BEYOND_ALL else None
    if life is None:
        raise CannotRun(f"there is no job {job_id}: its number stands in the log, and `jobs` shows those that are open")
    return biography(life)
