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
from struct import Struct, error, unpack_from
from typing import NamedTuple
from zlib import crc32

from bot.settings import MustRestart

log = logging.getLogger(__name__)

#: How long, in milliseconds, is waited for another program that uses the file.
BUSY_TIMEOUT_PRAGMA = "PRAGMA busy_timeout = 5000"

#: Frames of the WAL from which on it is copied into the file; what SQLite does by itself unless it is told not to.
CHECKPOINT_AFTER_FRAMES = 1000

#: Pages that are cleaned in one step, beside those that were written since the last one; and at the most.
SCRUBBED_PAGES_PER_STEP, MAX_SCRUBBED_PAGES_PER_STEP = 256, 1024

#: How many of the pages that were written last are compared to find out whether somebody has overwritten the file.
COMPARED_PAGES = 8


class ScrubProgress(Enum):
    """How far the cleaning of the file is."""

    #: nothing can be found any more of what was deleted before this step
    DONE = "done"
    #: there are more pages
    MORE = "more"
    #: somebody reads, or writes, so that the WAL cannot be emptied
    BLOCKED = "hindered"


class FileLoss(StrEnum):
    """What has become of a file that no longer holds what we wrote."""

    DELETED = "was deleted or moved away"
    REPLACED = "was replaced by another file"
    OVERWRITTEN = "was overwritten"


class _Fingerprint(NamedTuple):
    """How the file looks: the time of its last change in nanoseconds, its bytes, and checksums of some pages."""

    changed_at: int
    size: int
    checksums: frozenset[tuple[int, int]]


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
        self._companions = {f"{there}{suffix}": _read_file_identity(f"{there}{suffix}") for suffix in ("-wal", "-shm")}
        self._header = os.pread(self._handle, DATABASE_HEADER_SIZE, 0)
        self._page_size = read_page_size(self._header)
        self._wal = WriteAheadLog(self._wal_handle, self._page_size)
        #: a byte for each page by its number: 1 where unallocated space may hold something
        self._dirty_pages = bytearray(1) + b"\1" * (os.fstat(self._handle).st_size // self._page_size)
        self._dirtied_since = 0
        #: pages that were cleaned, and perhaps are not on the disk yet
        self._unsynced = 0
        self._latest_pages: deque[int] = deque(maxlen=COMPARED_PAGES)
        self._checkpoint_at = CHECKPOINT_AFTER_FRAMES
        #: whether we have copied the whole WAL into the file, so that SQLite is about to begin it anew
        self._is_checkpointed = True
        self._known_fingerprint = self._fingerprint()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._wal_handle)
        os.close(self._handle)

    def on_commit(self, db: sqlite3.Connection) -> None:
        """Note which pages a commit has written, and copy the WAL into the file where it has grown long."""
        self._follow_wal()
        if self._wal.frames >= self._checkpoint_at and self.detect_loss() is None:
            self._checkpoint(db)

    def scrub_step(self, db: sqlite3.Connection) -> ScrubProgress:
        """Fill the unallocated space of some pages with zeros. Raises sqlite3.Error and OSError.

        However large the file is, it reads a megabyte, four where others write much, and writes no more than that, most
        of the time next to nothing; beside what there is in the WAL.
        """
        if self.detect_loss() is not None:
            return ScrubProgress.BLOCKED  # as the watchdog is about to tell
        db.execute("PRAGMA busy_timeout = 0")  # whoever reads, a backup say, must not keep everybody else waiting
        try:
            return self._scrub_step(db)
        finally:
            db.execute("PRAGMA shrink_memory")
            db.execute(BUSY_TIMEOUT_PRAGMA)
            self._known_fingerprint = self._fingerprint()

    def detect_loss(self) -> FileLoss | None:
        """Say what has become of the file, if it is not the one that was opened or holds what others wrote."""
        there = _read_file_identity(self._path)
        if there is None:
            return FileLoss.DELETED
        ours = os.fstat(self._handle)
        if there != (ours.st_dev, ours.st_ino):
            return FileLoss.REPLACED
        return FileLoss.OVERWRITTEN if self._is_overwritten() else None

    def check_companions(self, db: sqlite3.Connection) -> None:
        """Raise MustRestart if a file was taken away that SQLite has beside the database; all is in that then."""
        gone = next(iter(self._list_lost_companions()), None)
        if gone is not None:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            raise MustRestart(
                f"{gone} was deleted or replaced while the bot ran: a restart is needed, and loses nothing; "
                "let nobody but the bot touch it"
            )

    def list_own_companions(self) -> list[str]:
        """Return the files beside the database that belong to this connection."""
        gone = self._list_lost_companions()
        return [path for path in self._companions if path not in gone]

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
        """Yield the pages whose turn it is: more than are new since the last time, so that it comes to an end."""
        most = min(SCRUBBED_PAGES_PER_STEP + self._dirtied_since, MAX_SCRUBBED_PAGES_PER_STEP)
        self._dirtied_since = 0
        number = 0
        for _ in range(most):
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
                self._known_fingerprint = self._fingerprint()  # another program has copied it, by the rules of SQLite
        self._is_checkpointed = self._is_checkpointed and not pages
        self._latest_pages.extend(pages)
        self._dirtied_since += len(pages)
        self._dirty_pages.extend(bytes(max(0, max(pages, default=0) + 1 - len(self._dirty_pages))))
        for number in pages:
            self._dirty_pages[number] = 1

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        self._checkpoint_at = self._wal.frames + CHECKPOINT_AFTER_FRAMES  # as whoever reads may be in the way
        try:
            is_hindered, frames, copied = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._is_checkpointed = not is_hindered and frames == copied
        except sqlite3.Error as error:
            # the commit is kept, as it is in the WAL
            log.warning("the WAL of %s cannot be copied into it, again later: %s", self._path, error)
        self._known_fingerprint = self._fingerprint()

    def _is_overwritten(self) -> bool:
        """Say whether something was written to the file that comes neither from us nor from the WAL."""
        now = os.fstat(self._handle)
        if (now.st_mtime_ns, now.st_size) == (self._known_fingerprint.changed_at, self._known_fingerprint.size):
            return False
        self._follow_wal()
        if not self._is_checkpointed and not os.fstat(self._wal_handle).st_size:
            self._known_fingerprint = self._fingerprint()  # another program has copied the WAL, and emptied it
        images = self._wal.read_images(frozenset(number for number, _ in self._known_fingerprint.checksums))
        written = {(number, crc32(image)) for number, image in images}
        if not all(
            each in self._known_fingerprint.checksums or each in written
            for each in self._read_checksums(self._known_fingerprint.checksums)
        ):
            return True
        self._known_fingerprint = self._fingerprint()  # another program has copied the WAL, or set the time of the file
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
    """Return what tells a file from every other one, None where there is none. Raises OSError."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


#: Bytes at the beginning of a database file, and where they hold the page size and, with auto-vacuum only, a root page.
DATABASE_HEADER_SIZE, _PAGE_SIZE_FIELD, _LARGEST_ROOT_FIELD = 100, slice(16, 18), slice(52, 56)

#: How a b-tree page begins: its type, its first freeblock, how many cells it has, and where they begin.
_PAGE_HEADER = Struct(">BHHH")

#: The lengths of such a header by the type of the page.
_PAGE_HEADER_LENGTHS = {2: 12, 5: 12, 10: 8, 13: 8}

#: Overflow and freelist pages begin with the number of a page; from this one on it could look like a type.
FIRST_AMBIGUOUS_PAGE = min(_PAGE_HEADER_LENGTHS) << 24

#: The length of a WAL's header, where its salts are, and how a frame begins: the number of its page; after a commit
#: the size of the database in pages, else 0; the salts of the WAL that it belongs to; a checksum.
_WAL_HEADER_SIZE, _SALTS, _FRAME_HEADER = 32, slice(16, 24), Struct(">II8s8x")


def read_page_size(header: bytes) -> int:
    """Return the size of a page in bytes, by the header of the database."""
    size = int.from_bytes(header[_PAGE_SIZE_FIELD], "big")
    return 65_536 if size == 1 else size


def is_pointer_map(number: int, header: bytes) -> bool:
    """Say whether a page is none of a b-tree, but a pointer map, which only databases with auto-vacuum have."""
    return any(header[_LARGEST_ROOT_FIELD]) and number > 1 and (number - 2) % (read_page_size(header) // 5 + 1) == 0


def find_residue(page: bytes, number: int) -> slice | None:
    """Return the unallocated space of a b-tree page where it is not all zeros; None for any other page.

    A page whose header and cells do not fit together is left alone.
    """
    begin = DATABASE_HEADER_SIZE if number == 1 else 0
    try:
        kind, freeblock, cells, first = _PAGE_HEADER.unpack_from(page, begin)
        length = _PAGE_HEADER_LENGTHS[kind]
        space = slice(begin + length + 2 * cells, first or 65_536)
        if page.count(0, space.start, space.stop) == max(0, space.stop - space.start):
            return None
        pointers = unpack_from(f">{cells}H", page, begin + length)
    except (error, KeyError):  # too short, or of another kind
        return None
    used = [*pointers, freeblock] if freeblock else pointers
    return space if space.stop <= len(page) and all(each >= space.stop for each in used) else None


class WriteAheadLog:
    """Follows an open WAL: which pages are written to it."""

    def __init__(self, handle: int, page_size: int) -> None:
        self._handle = handle
        self._frame_size = _FRAME_HEADER.size + page_size
        self._salts = b""
        #: how often SQLite has begun at the WAL's beginning again, as it does once all of it is in the database
        self.generation = 0
        #: how many frames there are since then, up to the last commit
        self.frames = 0

    def follow(self) -> list[int]:
        """Return the numbers of the pages that were written since the last call.

        What was written behind the last commit, and undone, is named as well, and more than once.
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
        """Return what was written of some pages in this generation, and is still there; call `follow` before."""
        found: list[tuple[int, bytes]] = []
        read = 0
        while (frame := self._read_frame(read)) is not None:
            if frame[0] in numbers:
                found.append(
                    (frame[0], os.pread(self._handle, self._frame_size, self._offset_of(read))[_FRAME_HEADER.size :])
                )
            read += 1
        return found

    def _read_frame(self, place: int) -> tuple[int, bool] | None:
        begin = os.pread(self._handle, _FRAME_HEADER.size, self._offset_of(place))
        if len(begin) < _FRAME_HEADER.size:
            return None
        number, size, salts = _FRAME_HEADER.unpack(begin)
        return (number, size > 0) if salts == self._salts else None

    def _offset_of(self, place: int) -> int:
        return _WAL_HEADER_SIZE + place * self._frame_size
