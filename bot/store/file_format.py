"""SQLite's file formats, as far as SQL does not show them: unallocated space in pages, and pages in a WAL.

Both are documented and stay as they are: https://sqlite.org/fileformat2.html, sections 1.3, 1.6, 1.8 and 4.
"""

import os
from struct import Struct, error, unpack_from

#: Bytes at the beginning of a database file, and where they hold the page size and, with auto-vacuum only, a root page.
HEADER, _PAGE_SIZE, _LARGEST_ROOT = 100, slice(16, 18), slice(52, 56)

#: How a b-tree page begins: its type, its first freeblock, how many cells it has, and where they begin.
_PAGE = Struct(">BHHH")

#: The lengths of such a header by the type of the page.
_LENGTHS = {2: 12, 5: 12, 10: 8, 13: 8}

#: Overflow and freelist pages begin with the number of a page; from this one on it could look like a type.
AMBIGUOUS = min(_LENGTHS) << 24

#: The length of a WAL's header, where its salts are, and how a frame begins: the number of its page; after a commit
#: the size of the database in pages, else 0; the salts of the WAL that it belongs to; a checksum.
_WAL_HEADER, _SALTS, _FRAME = 32, slice(16, 24), Struct(">II8s8x")


def page_size(header: bytes) -> int:
    """Return the size of a page in bytes, by the header of the database."""
    size = int.from_bytes(header[_PAGE_SIZE], "big")
    return 65_536 if size == 1 else size


def is_pointer_map(number: int, header: bytes) -> bool:
    """Say whether a page is none of a b-tree, but a pointer map, which only databases with auto-vacuum have."""
    return any(header[_LARGEST_ROOT]) and number > 1 and (number - 2) % (page_size(header) // 5 + 1) == 0


def residue(page: bytes, number: int) -> slice | None:
    """Return the unallocated space of a b-tree page where it is not all zeros; None for any other page.

    A page whose header and cells do not fit together is left alone.
    """
    begin = HEADER if number == 1 else 0
    try:
        kind, freeblock, cells, first = _PAGE.unpack_from(page, begin)
        length = _LENGTHS[kind]
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
        self._frame_size = _FRAME.size + page_size
        self._salts = b""
        #: how often SQLite has begun at the WAL's beginning again, as it does once all of it is in the database
        self.generation = 0
        #: how many frames there are since then, up to the last commit
        self.frames = 0

    def follow(self) -> list[int]:
        """Return the numbers of the pages that were written since the last call.

        What was written behind the last commit, and undone, is named as well, and more than once.
        """
        salts = os.pread(self._handle, _WAL_HEADER, 0)[_SALTS]
        if salts and salts != self._salts:
            self._salts, self.frames, self.generation = salts, 0, self.generation + 1
        found: list[int] = []
        read = self.frames
        while (frame := self._frame(read)) is not None:
            number, is_commit = frame
            found.append(number)
            read += 1
            if is_commit:
                self.frames = read
        return found

    def images(self, numbers: frozenset[int]) -> list[tuple[int, bytes]]:
        """Return what was written of some pages in this generation, and is still there; call `follow` before."""
        found: list[tuple[int, bytes]] = []
        read = 0
        while (frame := self._frame(read)) is not None:
            if frame[0] in numbers:
                found.append((frame[0], os.pread(self._handle, self._frame_size, self._at(read))[_FRAME.size :]))
            read += 1
        return found

    def _frame(self, place: int) -> tuple[int, bool] | None:
        begin = os.pread(self._handle, _FRAME.size, self._at(place))
        if len(begin) < _FRAME.size:
            return None
        number, size, salts = _FRAME.unpack(begin)
        return (number, size > 0) if salts == self._salts else None

    def _at(self, place: int) -> int:
        return _WAL_HEADER + place * self._frame_size
