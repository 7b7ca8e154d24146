"""The database file under its connection: scrub the traces of deleted rows, and detect a lost file.

With `secure_delete` SQLite overwrites deleted data with zeros, with one exception: when it moves cells between pages,
copies of them stay in the unallocated space of pages. VACUUM would rewrite the whole file, which takes long for a large
one. Instead, this module follows the WAL to learn which pages are written, and fills their unallocated space with zeros
in the file itself, a few pages at a time. That is safe:

* It happens in the connection's thread, within a write transaction and while the WAL is empty: nothing else writes to
  the file, and a page read from the file is the page that SQLite would read.
* SQLite never reads unallocated space: a concurrent reader finds the same rows, and so does a start after a power cut
  at any byte.
* SQLite could write a page from its cache again, with the copies in it, so the cache is emptied.

Checkpoints are made here and not by SQLite, so that nothing is written to a file that replaced ours.
"""

import logging
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum, StrEnum
from pathlib import Path
from struct import Struct, error, unpack_from
from typing import NamedTuple
from zlib import crc32

from bot.settings import MustRestart

log = logging.getLogger(__name__)

#: Wait at most this many milliseconds for another program that has locked the file.
BUSY_TIMEOUT_PRAGMA = "PRAGMA busy_timeout = 5000"

#: Frames in the WAL after which a checkpoint is made; the same as SQLite's default.
CHECKPOINT_AFTER_FRAMES = 1000

#: Pages scrubbed per step in addition to the number written since the last one; and the maximum of the sum.
SCRUBBED_PAGES_PER_STEP, MAX_SCRUBBED_PAGES_PER_STEP = 256, 1024

#: The number of recently written pages that are compared to detect that the file was overwritten.
COMPARED_PAGES = 8


class ScrubProgress(Enum):
    """The state of the scrub after a step."""

    #: no trace is left of what was deleted before this step
    DONE = "done"
    #: there are more pages to scrub
    MORE = "more"
    #: the WAL cannot be emptied, because another connection reads or writes
    BLOCKED = "hindered"


class FileLoss(StrEnum):
    """How a file was lost."""

    DELETED = "was deleted or moved away"
    REPLACED = "was replaced by another file"
    OVERWRITTEN = "was overwritten"


class _Fingerprint(NamedTuple):
    """A file's modification time in nanoseconds, size in bytes, and checksums of some pages by number."""

    changed_at: int
    size: int
    checksums: frozenset[tuple[int, int]]


class DatabaseFile:
    """Our own handles on the file and its WAL; for the connection's thread only.

    They must be closed after the connection: when a process closes any handle on a file, the kernel releases all its
    POSIX locks on the file, SQLite's included.
    """

    def __init__(self, path: str) -> None:
        """Open a file that the connection has already opened. Raises OSError."""
        self._path = path
        self._handle = os.open(path, os.O_RDWR)
        target = Path(path).resolve()  # as SQLite does with symbolic links
        self._wal_handle = os.open(f"{target}-wal", os.O_RDONLY)
        self._companions = {
            f"{target}{suffix}": _read_file_identity(f"{target}{suffix}") for suffix in ("-wal", "-shm")
        }
        self._header = os.pread(self._handle, DATABASE_HEADER_SIZE, 0)
        self._page_size = read_page_size(self._header)
        self._wal = WriteAheadLog(self._wal_handle, self._page_size)
        #: a byte for each page by its number: 1 if its unallocated space may hold traces
        self._dirty_pages = bytearray(1) + b"\1" * (os.fstat(self._handle).st_size // self._page_size)
        self._dirtied_since = 0
        #: pages scrubbed but not flushed to the disk yet
        self._unsynced = 0
        self._latest_pages: deque[int] = deque(maxlen=COMPARED_PAGES)
        self._checkpoint_at = CHECKPOINT_AFTER_FRAMES
        #: whether the whole WAL is checkpointed, so that SQLite's next write restarts it
        self._is_checkpointed = True
        self._known_fingerprint = self._fingerprint()

    def close(self) -> None:
        """Close the handles."""
        os.close(self._wal_handle)
        os.close(self._handle)

    def on_commit(self, db: sqlite3.Connection) -> None:
        """Note which pages a commit has written, and make a checkpoint if the WAL has grown long."""
        self._follow_wal()
        if self._wal.frames >= self._checkpoint_at and self.detect_loss() is None:
            self._checkpoint(db)

    def scrub_step(self, db: sqlite3.Connection) -> ScrubProgress:
        """Fill the unallocated space of some pages with zeros. Raises sqlite3.Error and OSError.

        However large the file is, a step reads a megabyte (at most four if much is written at the same time) besides
        the WAL, and writes no more than that; most steps write next to nothing.
        """
        if self.detect_loss() is not None:
            return ScrubProgress.BLOCKED  # the watchdog will report it
        db.execute("PRAGMA busy_timeout = 0")  # a reader, like a backup, must not block the writer
        try:
            return self._scrub_step(db)
        finally:
            db.execute("PRAGMA shrink_memory")
            db.execute(BUSY_TIMEOUT_PRAGMA)
            self._known_fingerprint = self._fingerprint()

    def detect_loss(self) -> FileLoss | None:
        """Return how the file was lost, None if it is still the one that was opened, written only through its WAL."""
        identity = _read_file_identity(self._path)
        if identity is None:
            return FileLoss.DELETED
        ours = os.fstat(self._handle)
        if identity != (ours.st_dev, ours.st_ino):
            return FileLoss.REPLACED
        return FileLoss.OVERWRITTEN if self._is_overwritten() else None

    def check_companions(self, db: sqlite3.Connection) -> None:
        """Raise MustRestart, after a checkpoint, if the WAL or the shared memory file was deleted or replaced."""
        lost = next(iter(self._list_lost_companions()), None)
        if lost is not None:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            raise MustRestart(
                f"{lost} was deleted or replaced while the bot ran: a restart is needed, and loses nothing; "
                "let nobody but the bot touch it"
            )

    def list_own_companions(self) -> list[str]:
        """Return the paths at which the WAL and the shared memory file are still those of this connection."""
        lost = self._list_lost_companions()
        return [path for path in self._companions if path not in lost]

    def _list_lost_companions(self) -> list[str]:
        return [path for path, known in self._companions.items() if _read_file_identity(path) != known]

    def _scrub_step(self, db: sqlite3.Connection) -> ScrubProgress:
        if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            return ScrubProgress.BLOCKED
        self._is_checkpointed = True
        db.execute("BEGIN IMMEDIATE")
        try:
            if os.fstat(self._wal_handle).st_size:
                return ScrubProgress.BLOCKED  # another program has just written
            for number in self._next_pages():
                self._scrub_page(number)
                self._dirty_pages[number] = 0
            is_done = 1 not in self._dirty_pages
            if self._unsynced and (is_done or self._unsynced >= SCRUBBED_PAGES_PER_STEP):
                os.fsync(self._handle)
                self._unsynced = 0
        finally:
            db.execute("ROLLBACK")
        return ScrubProgress.DONE if is_done else ScrubProgress.MORE

    def _next_pages(self) -> Iterator[int]:
        """Yield the pages of this step: more than were written since the last one, so that the scrub ends."""
        limit = min(SCRUBBED_PAGES_PER_STEP + self._dirtied_since, MAX_SCRUBBED_PAGES_PER_STEP)
        self._dirtied_since = 0
        number = 0
        for _ in range(limit):
            number = self._dirty_pages.find(1, number + 1)
            if number < 0:
                return
            yield number

    def _scrub_page(self, number: int) -> None:
        if len(self._dirty_pages) > FIRST_AMBIGUOUS_PAGE or is_pointer_map(number, self._header):
            return
        space = find_residue(self._read_page(number), number)
        if space is not None:
            os.pwrite(self._handle, bytes(space.stop - space.start), self._offset_of(number) + space.start)
            self._unsynced += 1

    def _follow_wal(self) -> None:
        generation, pages = self._wal.generation, self._wal.follow()
        if self._wal.generation != generation:
            self._checkpoint_at = CHECKPOINT_AFTER_FRAMES
            if not self._is_checkpointed:
                self._known_fingerprint = self._fingerprint()  # another program has made a checkpoint
        self._is_checkpointed = self._is_checkpointed and not pages
        self._latest_pages.extend(pages)
        self._dirtied_since += len(pages)
        self._dirty_pages.extend(bytes(max(0, max(pages, default=0) + 1 - len(self._dirty_pages))))
        for number in pages:
            self._dirty_pages[number] = 1

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        self._checkpoint_at = self._wal.frames + CHECKPOINT_AFTER_FRAMES  # later, as a reader may block this one
        try:
            is_blocked, frames, copied = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._is_checkpointed = not is_blocked and frames == copied
        except sqlite3.Error as error:
            # no data are lost, as the commit is in the WAL
            log.warning("the WAL of %s cannot be copied into it, again later: %s", self._path, error)
        self._known_fingerprint = self._fingerprint()

    def _is_overwritten(self) -> bool:
        """Say whether the file contains something that comes neither from this process nor from the WAL."""
        now = os.fstat(self._handle)
        if (now.st_mtime_ns, now.st_size) == (self._known_fingerprint.changed_at, self._known_fingerprint.size):
            return False
        self._follow_wal()
        if not self._is_checkpointed and not os.fstat(self._wal_handle).st_size:
            self._known_fingerprint = self._fingerprint()  # another program has made a checkpoint and emptied the WAL
        images = self._wal.read_images(frozenset(number for number, _ in self._known_fingerprint.checksums))
        written = {(number, crc32(image)) for number, image in images}
        if not all(
            each in self._known_fingerprint.checksums or each in written
            for each in self._read_checksums(self._known_fingerprint.checksums)
        ):
            return True
        self._known_fingerprint = self._fingerprint()  # another program has made a checkpoint, or touched the file
        return False

    def _fingerprint(self) -> _Fingerprint:
        now = os.fstat(self._handle)
        pages = frozenset({1, *self._latest_pages})
        return _Fingerprint(
            now.st_mtime_ns, now.st_size, frozenset((each, crc32(self._read_page(each))) for each in pages)
        )

    def _read_checksums(self, of: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(number, crc32(self._read_page(number))) for number, _ in of]

    def _read_page(self, number: int) -> bytes:
        return os.pread(self._handle, self._page_size, self._offset_of(number))

    def _offset_of(self, number: int) -> int:
        return (number - 1) * self._page_size


def _read_file_identity(path: str) -> tuple[int, int] | None:
    """Return a file's device and inode, None where there is no file. Raises OSError."""
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


#: The length of the database header, and its fields for the page size and, with auto-vacuum, the largest root page
#: (https://www.sqlite.org/fileformat2.html, as everything below).
DATABASE_HEADER_SIZE, _PAGE_SIZE_FIELD, _LARGEST_ROOT_FIELD = 100, slice(16, 18), slice(52, 56)

#: The header of a b-tree page: its type, first freeblock, number of cells, and where the cells begin.
_PAGE_HEADER = Struct(">BHHH")

#: The length of that header by the type of the page.
_PAGE_HEADER_LENGTHS = {2: 12, 5: 12, 10: 8, 13: 8}

#: Overflow and freelist pages begin with a page number; from this one on, its first byte could be a b-tree page type.
FIRST_AMBIGUOUS_PAGE = min(_PAGE_HEADER_LENGTHS) << 24

#: The length of the WAL header, its salts, and the header of a frame: the page number; for a commit the size of the
#: database in pages, else 0; the WAL's salts; a checksum.
_WAL_HEADER_SIZE, _SALTS, _FRAME_HEADER = 32, slice(16, 24), Struct(">II8s8x")


def read_page_size(header: bytes) -> int:
    """Return the page size in bytes from the header of a database."""
    size = int.from_bytes(header[_PAGE_SIZE_FIELD], "big")
    return 65_536 if size == 1 else size


def is_pointer_map(number: int, header: bytes) -> bool:
    """Say whether a page is a pointer map page, which only databases with auto-vacuum have."""
    return any(header[_LARGEST_ROOT_FIELD]) and number > 1 and (number - 2) % (read_page_size(header) // 5 + 1) == 0


def find_residue(page: bytes, number: int) -> slice | None:
    """Return the unallocated space of a b-tree page if it is not all zeros, else None.

    None also for other pages, and for one whose header and cells are inconsistent.
    """
    begin = DATABASE_HEADER_SIZE if number == 1 else 0
    try:
        kind, freeblock, cells, first = _PAGE_HEADER.unpack_from(page, begin)
        length = _PAGE_HEADER_LENGTHS[kind]
        space = slice(begin + length + 2 * cells, first or 65_536)
        if page.count(0, space.start, space.stop) == max(0, space.stop - space.start):
            return None
        pointers = unpack_from(f">{cells}H", page, begin + length)
    except (error, KeyError):  # too short, or not a b-tree page
        return None
    used = [*pointers, freeblock] if freeblock else pointers
    return space if space.stop <= len(page) and all(each >= space.stop for each in used) else None


class WriteAheadLog:
    """Follows which pages are written to an open WAL."""

    def __init__(self, handle: int, page_size: int) -> None:
        self._handle = handle
        self._frame_size = _FRAME_HEADER.size + page_size
        self._salts = b""
        #: how often SQLite has restarted the WAL, as it does after a complete checkpoint
        self.generation = 0
        #: the number of frames since then, up to the last commit
        self.frames = 0

    def follow(self) -> list[int]:
        """Return the numbers of the pages that were written since the last call.

        May repeat pages, and includes those of a transaction that was not committed.
        """
        salts = os.pread(self._handle, _WAL_HEADER_SIZE, 0)[_SALTS]
        if salts and salts != self._salts:
            self._salts, self.frames, self.generation = salts, 0, self.generation + 1
        found: list[int] = []
        read = self.frames
        while (frame := self._read_frame(read)) is not None:
            number, is_commit = frame
            found.append(number)
            read += 1
            if is_commit:
                self.frames = read
        return found

    def read_images(self, numbers: frozenset[int]) -> list[tuple[int, bytes]]:
        """Return the images of some pages in this generation of the WAL; call `follow` before."""
        found: list[tuple[int, bytes]] = []
        read = 0
        while (frame := self._read_frame(read)) is not None:
            if frame[0] in numbers:
                found.append(
                    (frame[0], os.pread(self._handle, self._frame_size, self._offset_of(read))[_FRAME_HEADER.size :])
                )
            read += 1
        return found

    def _read_frame(self, index: int) -> tuple[int, bool] | None:
        begin = os.pread(self._handle, _FRAME_HEADER.size, self._offset_of(index))
        if len(begin) < _FRAME_HEADER.size:
            return None
        number, size, salts = _FRAME_HEADER.unpack(begin)
        return (number, size > 0) if salts == self._salts else None

    def _offset_of(self, index: int) -> int:
        return _WAL_HEADER_SIZE + index * self._frame_size
