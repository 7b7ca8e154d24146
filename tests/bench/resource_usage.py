"""Resource usage of a process, as the kernel reports it."""

import os
import struct
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, without those of ended threads."""
    return sum(int(_read(task / "schedstat").split()[0]) for task in _tasks(pid)) / 1e9


def cpu_by_thread(pid: int) -> dict[str, float]:
    """Return the same by thread, the main one as `main`."""
    return {
        "main" if int(task.name) == pid else f"thread {place}": int(_read(task / "schedstat").split()[0]) / 1e9
        for place, task in enumerate(_tasks(pid))
    }


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return int(_read(Path(f"/proc/{pid}/statm")).split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _tasks(pid: int) -> list[Path]:
    return sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "0 0"  # the thread has just ended


#: Bytes of the head of the log and of each frame (sqlite.org/fileformat2.html#walformat).
WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24


def count_commits(database: Path) -> int:
    """Return the number of writing commits since the WAL was restarted, about every 1000 pages."""
    log = Path(f"{database}-wal").read_bytes()
    if len(log) < WAL_HEADER_BYTES:
        return 0
    page, salt = struct.unpack(">I", log[8:12])[0], log[16:24]
    count = 0
    for start in range(WAL_HEADER_BYTES, len(log) - FRAME_HEADER_BYTES - page + 1, FRAME_HEADER_BYTES + page):
        frame = log[start : start + FRAME_HEADER_BYTES]
        if frame[8:16] != salt:
            break  # left from before the restart of the WAL
        count += frame[4:8] != bytes(4)
    return count
