"""How many commits a database has taken, read from its write-ahead log: the last frame of each says so."""

import struct
from pathlib import Path

#: Bytes of the head of the log and of each frame (sqlite.org/fileformat2.html#walformat).
HEAD, FRAME_HEAD = 32, 24


def commits_in(database: Path) -> int:
    """Return the commits that changed something since the log was begun anew, every 1000 pages or so."""
    log = Path(f"{database}-wal").read_bytes()
    if len(log) < HEAD:
        return 0
    page, salt = struct.unpack(">I", log[8:12])[0], log[16:24]
    count = 0
    for start in range(HEAD, len(log) - FRAME_HEAD - page + 1, FRAME_HEAD + page):
        frame = log[start : start + FRAME_HEAD]
        if frame[8:16] != salt:
            break  # left from before it was begun anew
        count += frame[4:8] != bytes(4)
    return count
