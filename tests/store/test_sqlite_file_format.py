"""The parsers of the database file and its WAL agree with SQLite."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from struct import pack

import pytest

from bot.store.secure_delete import FIRST_AMBIGUOUS_PAGE, WriteAheadLog, find_residue, read_page_size

PAGE_SIZE = 4096


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with a table, without a WAL."""
    with closing(sqlite3.connect(tmp_path / "some.db", isolation_level=None)) as opened:
        opened.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("PRAGMA wal_autocheckpoint = 0")
        opened.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT)")
        opened.execute("CREATE INDEX i ON t (words)")
        _empty_wal(opened)
        yield opened


def _empty_wal(db: sqlite3.Connection) -> None:
    assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)


def _follow_wal(path: Path) -> WriteAheadLog:
    return WriteAheadLog(os.open(f"{path}-wal", os.O_RDONLY), PAGE_SIZE)


def _pages(path: Path) -> list[bytes]:
    content = path.read_bytes()
    return [content[at : at + PAGE_SIZE] for at in range(0, len(content), PAGE_SIZE)]


def _write(db: sqlite3.Connection, rows: int, words: str) -> None:
    db.execute("BEGIN")
    for _ in range(rows):
        db.execute("INSERT INTO t (words) VALUES (?)", (words,))


def test_every_page_is_named_that_a_commit_has_changed(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    wal = _follow_wal(path)
    for round_ in range(6):
        before = _pages(path)
        named: set[int] = set()
        for rows in (1, 30, 2):
            _write(db, rows, f"{round_} {'long ' * 200}")
            db.execute("COMMIT")
            named.update(wal.follow())
        assert wal.follow() == []
        db.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if round_ % 2 else 'PASSIVE'})").fetchone()
        after = _pages(path)
        changed = {number + 1 for number, page in enumerate(after) if before[number : number + 1] != [page]}
        assert changed <= named


def test_what_was_written_and_undone_hides_nothing(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    wal = _follow_wal(path)
    db.execute("PRAGMA cache_size = 5")  # a small cache, so that pages are written before the commit
    _write(db, 200, "undone " * 200)
    db.execute("ROLLBACK")
    assert len(wal.follow()) > 10
    assert wal.frames == 0
    before = _pages(path)
    _write(db, 3, "kept")
    db.execute("COMMIT")
    named = set(wal.follow())
    _empty_wal(db)
    assert {number + 1 for number, page in enumerate(_pages(path)) if before[number : number + 1] != [page]} <= named


def test_the_newest_image_of_a_page_is_what_the_file_holds_afterwards(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    wal = _follow_wal(path)
    _write(db, 5, "some")
    db.execute("COMMIT")
    [number] = set(wal.follow()) - {1, 2}
    images = wal.read_images(frozenset({number}))
    _empty_wal(db)
    assert images[-1] == (number, _pages(path)[number - 1])


def test_the_page_size_is_that_of_the_file(tmp_path: Path) -> None:
    for size in (512, 4096, 65_536):
        with closing(sqlite3.connect(tmp_path / f"{size}.db")) as db:
            db.execute(f"PRAGMA page_size = {size}")
            db.execute("CREATE TABLE t (a)")
        assert read_page_size((tmp_path / f"{size}.db").read_bytes()[:100]) == size


def _make_page(*, kind: int = 13, freeblock: int = 0, pointers: tuple[int, ...] = (4000,), first: int = 4000) -> bytes:
    """Return a page with data in its unallocated space."""
    child = pack(">I", 9) if kind in (2, 5) else b""
    header = pack(">BHHHB", kind, freeblock, len(pointers), first, 0) + child + pack(f">{len(pointers)}H", *pointers)
    return header.ljust(1000, b"\0") + b"left".ljust(3000, b"\0") + b"cell".ljust(96, b"\0")


def test_what_is_left_between_the_pointers_and_the_cells_is_found() -> None:
    assert find_residue(_make_page(), 7) == slice(10, 4000)
    assert find_residue(_make_page(kind=5), 7) == slice(14, 4000)
    assert find_residue(bytes(100) + _make_page()[:-100], 1) == slice(110, 4000)
    assert find_residue(_make_page().replace(b"left", bytes(4)), 7) is None


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\x0d\x00",
        bytes(PAGE_SIZE),
        _make_page(kind=0),
        _make_page(kind=9),
        _make_page(pointers=(900,)),
        _make_page(freeblock=900),
        _make_page(first=5000),
        _make_page(first=3),
        pack(">BHHHB", 13, 0, 60_000, 0, 0) + b"left" * 1000,
        pack(">I", FIRST_AMBIGUOUS_PAGE - 1) + b"what continues elsewhere" * 100,
    ],
    ids=range(11),
)
def test_a_page_of_which_anything_is_odd_is_left_alone(page: bytes) -> None:
    assert find_residue(page, 7) is None
