"""Room: how much the database takes on its disk, and how much is left there."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: What SQLite puts beside the file.
BESIDE = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Room:
    """Bytes."""

    taken: int
    free: int


def room_of(path: str) -> Room:
    """Look at the disk, which may keep us waiting. Raises OSError."""
    taken = 0
    for suffix in BESIDE:
        with suppress(FileNotFoundError):
            taken += Path(f"{path}{suffix}").stat().st_size
    return Room(taken, shutil.disk_usage(Path(path).parent).free)
