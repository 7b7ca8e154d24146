"""The one connection to the database file, and whole transactions on it.

A unit of work runs in the connection's own thread from BEGIN to COMMIT without
ever giving way, so a cancelled coroutine cannot leave a transaction open.
Units that wait at the same time are committed together; one that fails is
undone alone.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiosqlite

from bot.settings import CannotRun, MustRestart
from bot.store.database_file import PATIENT, Cleaning, DatabaseFile
from bot.store.facts import Fact, LogLine, Tell, nobody_listens
from bot.store.migrations import migrate
from bot.store.pulse import Pulse
from bot.store.rescue import FileLost, lost, refuse_to_forget, rescue
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Transaction], Any]


class Waiting(NamedTuple):
    """A unit of work that waits for its transaction."""

    work: Work
    future: "asyncio.Future[Any]"
    #: whether it wants to see what all others of the same transaction have written
    comes_last: bool


#: STRICT tables came with this version.
OLDEST_SQLITE = (3, 37, 0)

#: What SQLite says of a value or a statement, as against the file.
OWN_MISTAKES = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)

SETTINGS = (
    # before there is any table, else it stays as it is; some builds of SQLite make it otherwise
    "PRAGMA auto_vacuum = NONE",
    "PRAGMA journal_mode = WAL",
    # NORMAL may forget the last commits at a power cut: a task that was paid for could vanish.
    "PRAGMA synchronous = FULL",
    PATIENT,
    "PRAGMA temp_store = MEMORY",
    # what is deleted is overwritten; copies that pages leave behind when they are reordered are left to `scrub`
    "PRAGMA secure_delete = ON",
)

#: Seconds until it is tried again to save what was in a file that is lost.
RESCUED_AGAIN = 10.0

#: Waits between two steps of long work; it is told how many seconds the one before took.
Rest = Callable[[float], Awaitable[None]]


async def no_rest(_: float) -> None:
    """Go on at once."""


class Kept(NamedTuple):
    """What became of a unit of work."""

    #: what it returned, or the exception for which it was undone
    outcome: Any
    facts: tuple[Fact, ...] = ()


class StoreFailed(MustRestart):
    """SQLite could not keep what it was given: disk full, file damaged or taken away."""


class Database:
    """Open with `Database.open`, always close with `close`."""

    def __init__(self, connection: aiosqlite.Connection, file: DatabaseFile, path: str, tell: Tell) -> None:
        self._connection = connection
        self._file = file
        self._transaction = Transaction(connection._conn)  # noqa: SLF001 - see `_in_one_hop`
        self._path = path
        self._tell = tell
        #: how many changes of rows there were, by every unit that has ended
        self.changes = 0
        self._waiting: list[Waiting] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._is_closed = False
        #: after how many changes of this connection there are no traces of what was deleted
        self._clean_since: int | None = None
        self._writer = asyncio.create_task(self._write(), name="database writer")

    @classmethod
    async def open(cls, path: str, *, tell: Tell = nobody_listens) -> "Database":
        """Open the file, made with its folders if need be, and bring its schema up to date.

        `tell` hears of each fact once it is committed.
        Raises CannotRun when the file cannot be opened or is not ours.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise CannotRun(f"SQLite {sqlite3.sqlite_version} is too old: use a Python with SQLite 3.37 or later")
        _make_private_file(path)
        try:
            return cls(*await _connected(path), path, tell)
        except (sqlite3.Error, OSError) as error:
            raise CannotRun(f"DATABASE_PATH {path} cannot be used ({error}): {remedy(error)}") from error

    async def unit(self, work: Callable[[Transaction], T], *, comes_last: bool = False) -> T:
        """Run `work` as one transaction and return what it returned, committed.

        Where others are committed together with it, `comes_last` lets it see what they have written.
        An exception of `work` undoes what it wrote and is raised here; StoreFailed
        means that nothing of it was kept. When the caller is cancelled the unit
        still runs to its end.
        """
        if self._closing:
            raise StoreFailed("the database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(work, future, comes_last))
        self._arrived.set()
        return await future

    async def scrub(self, rest: Rest = no_rest) -> bool:
        """Leave nothing in the file, nor beside it, of what was deleted; False if it has to be done once more.

        It is done in short steps between which others have their turn: over all pages once after the start, and then
        over those that were written since; not at all where no row has changed since the last time.
        """
        try:
            return await self._scrub(rest)
        except (sqlite3.Error, OSError) as error:
            log.warning("traces of what was deleted stay in %s for now (%s): %s", self._path, error, remedy(error))
            return False

    async def _scrub(self, rest: Rest) -> bool:
        step = Cleaning.MORE
        while step is Cleaning.MORE:
            step, seconds = await _in_one_hop(self._connection, self._clean_some)
            await rest(seconds)
        return step is Cleaning.DONE

    def _clean_some(self, db: sqlite3.Connection) -> tuple[Cleaning, float]:
        began = time.monotonic()
        step = Cleaning.DONE if db.total_changes == self._clean_since else self._file.clean_some(db)
        self._clean_since = db.total_changes if step is Cleaning.DONE else None
        return step, time.monotonic() - began

    async def check_files(self) -> None:
        """Look whether the files are still there and ours.

        Raises FileLost where the database itself is not, after which `close` saves what can be saved; MustRestart
        where it is one of those beside it.
        """
        await _in_one_hop(self._connection, self._check_files)

    def _check_files(self, db: sqlite3.Connection) -> None:
        try:
            loss = self._file.loss()
            if loss is not None:
                raise lost(self._path, loss)
            self._file.check_beside(db)
        except (OSError, sqlite3.Error) as error:
            raise StoreFailed(f"DATABASE_PATH {self._path} failed ({error}): {remedy(error)}") from error

    async def close(self) -> None:
        """Commit what waits, then close the file.

        Raises FileLost where it is no longer ours; what can be saved of it is saved then.
        """
        if self._is_closed:
            return
        self._closing = True
        self._arrived.set()
        await self._writer
        self._is_closed = True
        if (told := await self._rescued()) is not None:
            raise told  # and leave the connection as it is: see `rescue`
        await self._connection.close()
        self._file.close()

    async def _rescued(self) -> FileLost | None:
        """Save what was in a file that is lost, however long it takes to make room for it: it is nowhere else."""
        while True:
            try:
                return await _in_one_hop(self._connection, self._rescue)
            except (sqlite3.Error, OSError) as error:
                log.critical(
                    "what was in %s is lost with the end of this process, and cannot be saved (%s): %s; "
                    "it is tried again and again",
                    self._path,
                    error,
                    remedy(error),
                )
            await asyncio.sleep(RESCUED_AGAIN)

    def _rescue(self, db: sqlite3.Connection) -> FileLost | None:
        loss = self._file.loss()
        return None if loss is None else rescue(db, self._file, self._path, loss)

    async def _write(self) -> None:
        while self._waiting or not self._closing:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._waiting = self._waiting, []
            if batch:
                await self._run(sorted(batch, key=lambda each: each.comes_last))

    async def _run(self, batch: list[Waiting]) -> None:
        try:
            works = [each.work for each in batch]
            kept = await _in_one_hop(self._connection, _commit_together, self._transaction, works, self._file)
            self.changes = self._transaction.changes
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            kept = [Kept(StoreFailed(f"DATABASE_PATH {self._path} failed ({error}): {remedy(error)}"))] * len(batch)
        for (_, future, _), (outcome, facts) in zip(batch, kept, strict=True):
            self._tell_all(facts)
            if future.done():  # its caller was cancelled meanwhile, and will not look
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
                future.exception()  # a caller that is cancelled at this moment will not look either
            else:
                future.set_result(outcome)

    def _tell_all(self, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            try:
                if isinstance(fact, LogLine):
                    fact.write()
                else:
                    self._tell(fact)
            except Exception:
                log.exception("a figure was not kept: a mistake in the bot")  # but everything else goes on


async def _connected(path: str) -> tuple[aiosqlite.Connection, DatabaseFile]:
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        await _in_one_hop(connection, _prepare)
        return connection, await _in_one_hop(connection, lambda _: DatabaseFile(path))
    except BaseException:
        await connection.close()
        raise


def _make_private_file(path: str) -> None:
    if path.startswith(":") or Path(path).is_dir():
        raise CannotRun(f"DATABASE_PATH {path} is no file: name one, like data/darkroom.db")
    refuse_to_forget(path)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(path).touch(mode=0o600)
    except OSError as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be written ({error.strerror}): name another file") from error


async def _in_one_hop(connection: aiosqlite.Connection, work: Callable[..., T], *arguments: Any) -> T:
    """Run `work(db, ...)` in the connection's thread, in one piece.

    aiosqlite has no public call for more than one statement at a time; `_execute`
    is what all its own calls go through.
    """
    execute: Callable[..., Awaitable[T]] = connection._execute  # noqa: SLF001 - see above
    return await execute(work, connection._conn, *arguments)  # noqa: SLF001 - see above


def _prepare(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    for pragma in SETTINGS:
        db.execute(pragma)
    migrate(db, Pulse(log.info))
    # before anybody waits: what a process that died has left in the WAL, or a new schema has written
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.execute("PRAGMA wal_autocheckpoint = 0")  # from here on see `DatabaseFile`


def _commit_together(
    db: sqlite3.Connection, transaction: Transaction, works: list[Work], file: DatabaseFile
) -> list[Kept]:
    db.execute("BEGIN IMMEDIATE")
    try:
        kept = [_first(db, transaction, works[0]), *(_undoable(db, transaction, work) for work in works[1:])]
        commit(db)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    file.committed(db)
    return kept


def commit(db: sqlite3.Connection) -> None:
    """Make the transaction durable: the only place where anything becomes a fact."""
    db.execute("COMMIT")


def _first(db: sqlite3.Connection, transaction: Transaction, work: Work) -> Kept:
    """Run the first unit of a transaction, which needs no savepoint: where it is undone there is nothing to keep."""
    kept = _alone(transaction, work)
    if isinstance(kept.outcome, Exception):
        db.execute("ROLLBACK")
        db.execute("BEGIN IMMEDIATE")
    return kept


def _undoable(db: sqlite3.Connection, transaction: Transaction, work: Work) -> Kept:
    db.execute("SAVEPOINT unit")
    kept = _alone(transaction, work)
    if isinstance(kept.outcome, Exception):
        db.execute("ROLLBACK TO unit")
    db.execute("RELEASE unit")
    return kept


def _alone(transaction: Transaction, work: Work) -> Kept:
    """Run a unit of work; where its outcome is an exception, what it wrote is to be undone."""
    transaction.facts.clear()
    try:
        outcome = work(transaction)
    except OWN_MISTAKES as error:
        return Kept(error)
    except sqlite3.Error:
        raise  # the file is in trouble, which concerns every unit of the batch
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller, who gets it
        return Kept(error)
    return Kept(outcome, tuple(transaction.facts))


def remedy(error: Exception) -> str:
    """Say what to do about what SQLite says of the file."""
    text = str(error)
    if "full" in text or "No space" in text:
        return "make room on the disk"
    if "readonly" in text or "unable to open" in text:
        return "let this user write the file and its folder"
    if "malformed" in text or "not a database" in text:
        return "put back a backup, or name another file"
    return "look at the file and its disk"
