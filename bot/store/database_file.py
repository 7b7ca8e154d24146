"""The database file under its connection: what SQLite leaves in it of deleted rows, and whether it is still there.

With `secure_delete` SQLite overwrites with zeros what is deleted, and leaves one thing: when it moves cells between
pages, copies of them stay in the unallocated space of pages, out of its sight. VACUUM would write the whole file anew,
which takes as long as the file is large. Instead it is followed, in the WAL, which pages are written, and their
unallocated space is filled with zeros in place, in the file itself, a few pages at a time. That is safe:

* It is done in the connection's thread, within a write transaction and while the WAL is empty: nobody else writes to
  the file, and what is read from it is what SQLite would read.
* SQLite never reads unallocated space: whoever reads meanwhile, and a power cut at any byte, find the same rows.
* A page that the connection has in its cache could be written again with its copies: so the cache is emptied.

Checkpoints are made here and not by SQLite on its own: so nothing is written to a file that somebody has put in place
of ours.
"""

import logging
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum, StrEnum
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from bot.settings import MustRestart
from bot.store import file_format
from bot.store.file_format import WriteAheadLog

log = logging.getLogger(__name__)

#: How long, in milliseconds, is waited for another program that uses the file.
PATIENT = "PRAGMA busy_timeout = 5000"

#: Frames of the WAL from which on it is copied into the file; what SQLite does by itself unless it is told not to.
LONG = 1000

#: Pages that are cleaned in one step, beside those that were written since the last one; and at the most.
AT_ONCE, MOST_AT_ONCE = 256, 1024

#: How many of the pages that were written last are compared to find out whether somebody has overwritten the file.
COMPARED = 8


class Cleaning(Enum):
    """How far the cleaning of the file is."""

    #: nothing can be found any more of what was deleted before this step
    DONE = "done"
    #: there are more pages
    MORE = "more"
    #: somebody reads, or writes, so that the WAL cannot be emptied
    HINDERED = "hindered"


class Loss(StrEnum):
    """What has become of a file that no longer holds what we wrote."""

    DELETED = "was deleted or moved away"
    REPLACED = "was replaced by another file"
    OVERWRITTEN = "was overwritten"


class _Fingerprint(NamedTuple):
    """How the file looks: the time of its last change in nanoseconds, its bytes, and checksums of some pages."""

    changed_at: int
    size: int
    sums: frozenset[tuple[int, int]]


class DatabaseFile:
    """Handles of our own on the file and its WAL; for the thread of the connection only, and to be closed after it.

    When any handle on a file is closed, the kernel lets go of all locks that this process has on it, those of SQLite
    as well.
    """

    def __init__(self, path: str) -> None:
        """Open what a connection has opened before. Raises OSError."""
        self._path = path
        self._handle = os.open(path, os.O_RDWR)
        there = Path(path).resolve()  # SQLite follows links
        self._wal_handle = os.open(f"{there}-wal", os.O_RDONLY)
        self._beside = {f"{there}{suffix}": _identity(f"{there}{suffix}") for suffix in ("-wal", "-shm")}
        self._header = os.pread(self._handle, file_format.HEADER, 0)
        self._page_size = file_format.page_size(self._header)
        self._wal = WriteAheadLog(self._wal_handle, self._page_size)
        #: a byte for each page by its number: 1 where unallocated space may hold something
        self._marks = bytearray(1) + b"\1" * (os.fstat(self._handle).st_size // self._page_size)
        self._marked_since = 0
        #: pages that were cleaned, and perhaps are not on the disk yet
        self._unsynced = 0
        self._latest: deque[int] = deque(maxlen=COMPARED)
        self._copy_at = LONG
        #: whether we have copied the whole WAL into the file, so that SQLite is about to begin it anew
        self._is_copied = True
        self._known = self._fingerprint()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._wal_handle)
        os.close(self._handle)

    def committed(self, db: sqlite3.Connection) -> None:
        """Note which pages a commit has written, and copy the WAL into the file where it has grown long."""
        self._follow()
        if self._wal.frames >= self._copy_at and self.loss() is None:
            self._copy(db)

    def clean_some(self, db: sqlite3.Connection) -> Cleaning:
        """Fill the unallocated space of some pages with zeros. Raises sqlite3.Error and OSError.

        However large the file is, it reads a megabyte, four where others write much, and writes no more than that, most
        of the time next to nothing; beside what there is in the WAL.
        """
        if self.loss() is not None:
            return Cleaning.HINDERED  # as the watchdog is about to tell
        db.execute("PRAGMA busy_timeout = 0")  # whoever reads, a backup say, must not keep everybody else waiting
        try:
            return self._clean_some(db)
        finally:
            db.execute("PRAGMA shrink_memory")
            db.execute(PATIENT)
            self._known = self._fingerprint()

    def loss(self) -> Loss | None:
        """Say what has become of the file, if it is not the one that was opened or holds what others wrote."""
        there = _identity(self._path)
        if there is None:
            return Loss.DELETED
        ours = os.fstat(self._handle)
        if there != (ours.st_dev, ours.st_ino):
            return Loss.REPLACED
        return Loss.OVERWRITTEN if self._is_overwritten() else None

    def check_beside(self, db: sqlite3.Connection) -> None:
        """Raise MustRestart if a file was taken away that SQLite has beside the database; all is in that then."""
        gone = next(iter(self._gone()), None)
        if gone is not None:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            raise MustRestart(
                f"{gone} was deleted or replaced while the bot ran: a restart is needed, and loses nothing; "
                "let nobody but the bot touch it"
            )

    def ours_beside(self) -> list[str]:
        """Return the files beside the database that belong to this connection."""
        gone = self._gone()
        return [path for path in self._beside if path not in gone]

    def _gone(self) -> list[str]:
        return [path for path, known in self._beside.items() if _identity(path) != known]

    def _clean_some(self, db: sqlite3.Connection) -> Cleaning:
        if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            return Cleaning.HINDERED
        self._is_copied = True
        db.execute("BEGIN IMMEDIATE")
        try:
            if os.fstat(self._wal_handle).st_size:
                return Cleaning.HINDERED  # another program has just written
            for number in self._next_pages():
                self._clean(number)
                self._marks[number] = 0
            is_done = 1 not in self._marks
            if self._unsynced and (is_done or self._unsynced >= AT_ONCE):
                os.fsync(self._handle)
                self._unsynced = 0
        finally:
            db.execute("ROLLBACK")
        return Cleaning.DONE if is_done else Cleaning.MORE

    def _next_pages(self) -> Iterator[int]:
        """Yield the pages whose turn it is: more than are new since the last time, so that it comes to an end."""
        most = min(AT_ONCE + self._marked_since, MOST_AT_ONCE)
        self._marked_since = 0
        number = 0
        for _ in range(most):
            number = self._marks.find(1, number + 1)
            if number < 0:
                return
            yield number

    def _clean(self, number: int) -> None:
        if len(self._marks) > file_format.AMBIGUOUS or file_format.is_pointer_map(number, self._header):
            return
        space = file_format.residue(self._page(number), number)
        if space is not None:
            os.pwrite(self._handle, bytes(space.stop - space.start), self._at(number) + space.start)
            self._unsynced += 1

    def _follow(self) -> None:
        generation, pages = self._wal.generation, self._wal.follow()
        if self._wal.generation != generation:
            self._copy_at = LONG
            if not self._is_copied:
                self._known = self._fingerprint()  # another program has copied it, by the rules of SQLite
        self._is_copied = self._is_copied and not pages
        self._latest.extend(pages)
        self._marked_since += len(pages)
        self._marks.extend(bytes(max(0, max(pages, default=0) + 1 - len(self._marks))))
        for number in pages:
            self._marks[number] = 1

    def _copy(self, db: sqlite3.Connection) -> None:
        self._copy_at = self._wal.frames + LONG  # as whoever reads may be in the way
        try:
            is_hindered, frames, copied = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._is_copied = not is_hindered and frames == copied
        except sqlite3.Error as error:
            # the commit is kept, as it is in the WAL
            log.warning("the WAL of %s cannot be copied into it, again later: %s", self._path, error)
        self._known = self._fingerprint()

    def _is_overwritten(self) -> bool:
        """Say whether something was written to the file that comes neither from us nor from the WAL."""
        now = os.fstat(self._handle)
        if (now.st_mtime_ns, now.st_size) == (self._known.changed_at, self._known.size):
            return False
        self._follow()
        if not self._is_copied and not os.fstat(self._wal_handle).st_size:
            self._known = self._fingerprint()  # another program has copied the WAL, and emptied it
        images = self._wal.images(frozenset(number for number, _ in self._known.sums))
        written = {(number, crc32(image)) for number, image in images}
        if not all(each in self._known.sums or each in written for each in self._sums(self._known.sums)):
            return True
        self._known = self._fingerprint()  # another program has copied the WAL, or set the time of the file
        return False

    def _fingerprint(self) -> _Fingerprint:
        now = os.fstat(self._handle)
        pages = frozenset({1, *self._latest})
        return _Fingerprint(now.st_mtime_ns, now.st_size, frozenset((each, crc32(self._page(each))) for each in pages))

    def _sums(self, of: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(number, crc32(self._page(number))) for number, _ in of]

    def _page(self, number: int) -> bytes:
        return os.pread(self._handle, self._page_size, self._at(number))

    def _at(self, number: int) -> int:
        return (number - 1) * self._page_size


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from every other one, None where there is none. Raises OSError."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
