"""Room: how much the database takes on its disk, and how much is left there."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: What SQLite puts beside the file.
FILE_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True)
class DiskSpace:
    """Bytes."""

    used: int
    free: int


def read_disk_space(path: str) -> DiskSpace:
    """Look at the disk, which may keep us waiting. Raises OSError."""
    taken = 0
    for suffix in FILE_SUFFIXES:
        with suppress(FileNotFoundError):
            taken += Path(f"{path}{suffix}").stat().st_size
    return DiskSpace(taken, shutil.disk_usage(Path(path).parent).free)
