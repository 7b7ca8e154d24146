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
from bot.store.events import DomainEvent, LogAfterCommit, OnEvent, ignore_event
from bot.store.lost_file import DatabaseFileLost, build_loss_error, refuse_to_start_empty, rescue_database
from bot.store.migrations import migrate
from bot.store.progress_throttle import ProgressThrottle
from bot.store.secure_delete import BUSY_TIMEOUT_PRAGMA, DatabaseFile, ScrubProgress
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")
UnitOfWork = Callable[[Transaction], Any]


class QueuedUnit(NamedTuple):
    """A unit of work that waits for its transaction."""

    work: UnitOfWork
    future: "asyncio.Future[Any]"
    #: whether it wants to see what all others of the same transaction have written
    runs_last: bool


#: STRICT tables came with this version.
MIN_SQLITE_VERSION = (3, 37, 0)

#: What SQLite says of a value or a statement, as against the file.
PROGRAMMING_ERRORS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)

PRAGMAS = (
    # before there is any table, else it stays as it is; some builds of SQLite make it otherwise
    "PRAGMA auto_vacuum = NONE",
    "PRAGMA journal_mode = WAL",
    # NORMAL may forget the last commits at a power cut: a task that was paid for could vanish.
    "PRAGMA synchronous = FULL",
    BUSY_TIMEOUT_PRAGMA,
    "PRAGMA temp_store = MEMORY",
    # what is deleted is overwritten; copies that pages leave behind when they are reordered are left to `scrub`
    "PRAGMA secure_delete = ON",
)

#: Seconds until it is tried again to save what was in a file that is lost.
RESCUE_RETRY_DELAY = 10.0

#: Waits between two steps of long work; it is told how many seconds the one before took.
PauseBetweenSteps = Callable[[float], Awaitable[None]]


async def no_pause(_: float) -> None:
    """Go on at once."""


class UnitResult(NamedTuple):
    """What became of a unit of work."""

    #: what it returned, or the exception for which it was undone
    outcome: Any
    events: tuple[DomainEvent, ...] = ()


class StoreError(MustRestart):
    """SQLite could not keep what it was given: disk full, file damaged or taken away."""


class Database:
    """Open with `Database.open`, always close with `close`."""

    def __init__(self, connection: aiosqlite.Connection, file: DatabaseFile, path: str, tell: OnEvent) -> None:
        self._connection = connection
        self._file = file
        self._transaction = Transaction(connection._conn)  # noqa: SLF001 - see `_in_one_hop`
        self._path = path
        self._on_event = tell
        #: how many changes of rows there were, by every unit that has ended
        self.total_changes = 0
        self._queued_units: list[QueuedUnit] = []
        self._unit_queued = asyncio.Event()
        self._is_closing = False
        self._is_closed = False
        #: after how many changes of this connection there are no traces of what was deleted
        self._scrubbed_at_changes: int | None = None
        self._writer = asyncio.create_task(self._run_writer(), name="database writer")

    @classmethod
    async def open(cls, path: str, *, tell: OnEvent = ignore_event) -> "Database":
        """Open the file, made with its folders if need be, and bring its schema up to date.

        `tell` hears of each fact once it is committed.
        Raises CannotRun when the file cannot be opened or is not ours.
        """
        if sqlite3.sqlite_version_info < MIN_SQLITE_VERSION:
            raise CannotRun(f"SQLite {sqlite3.sqlite_version} is too old: use a Python with SQLite 3.37 or later")
        _create_private_file(path)
        try:
            return cls(*await _connect(path), path, tell)
        except (sqlite3.Error, OSError) as error:
            raise CannotRun(f"DATABASE_PATH {path} cannot be used ({error}): {suggest_remedy(error)}") from error

    async def transact(self, work: Callable[[Transaction], T], *, comes_last: bool = False) -> T:
        """Run `work` as one transaction and return what it returned, committed.

        Where others are committed together with it, `comes_last` lets it see what they have written.
        An exception of `work` undoes what it wrote and is raised here; StoreFailed
        means that nothing of it was kept. When the caller is cancelled the unit
        still runs to its end.
        """
        if self._is_closing:
            raise StoreError("the database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queued_units.append(QueuedUnit(work, future, comes_last))
        self._unit_queued.set()
        return await future

    async def scrub(self, rest: PauseBetweenSteps = no_pause) -> bool:
        """Leave nothing in the file, nor beside it, of what was deleted; False if it has to be done once more.

        It is done in short steps between which others have their turn: over all pages once after the start, and then
        over those that were written since; not at all where no row has changed since the last time.
        """
        try:
            return await self._scrub(rest)
        except (sqlite3.Error, OSError) as error:
            log.warning(
                "traces of what was deleted stay in %s for now (%s): %s", self._path, error, suggest_remedy(error)
            )
            return False

    async def _scrub(self, rest: PauseBetweenSteps) -> bool:
        step = ScrubProgress.MORE
        while step is ScrubProgress.MORE:
            step, seconds = await _run_in_connection_thread(self._connection, self._scrub_step)
            await rest(seconds)
        return step is ScrubProgress.DONE

    def _scrub_step(self, db: sqlite3.Connection) -> tuple[ScrubProgress, float]:
        began = time.monotonic()
        step = ScrubProgress.DONE if db.total_changes == self._scrubbed_at_changes else self._file.scrub_step(db)
        self._scrubbed_at_changes = db.total_changes if step is ScrubProgress.DONE else None
        return step, time.monotonic() - began

    async def check_files(self) -> None:
        """Look whether the files are still there and ours.

        Raises FileLost where the database itself is not, after which `close` saves what can be saved; MustRestart
        where it is one of those beside it.
        """
        await _run_in_connection_thread(self._connection, self._check_files)

    def _check_files(self, db: sqlite3.Connection) -> None:
        try:
            loss = self._file.detect_loss()
            if loss is not None:
                raise build_loss_error(self._path, loss)
            self._file.check_companions(db)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"DATABASE_PATH {self._path} failed ({error}): {suggest_remedy(error)}") from error

    async def close(self) -> None:
        """Commit what waits, then close the file.

        Raises FileLost where it is no longer ours; what can be saved of it is saved then.
        """
        if self._is_closed:
            return
        self._is_closing = True
        self._unit_queued.set()
        await self._writer
        self._is_closed = True
        if (told := await self._rescue_until_saved()) is not None:
            raise told  # and leave the connection as it is: see `rescue`
        await self._connection.close()
        self._file.close()

    async def _rescue_until_saved(self) -> DatabaseFileLost | None:
        """Save what was in a file that is lost, however long it takes to make room for it: it is nowhere else."""
        while True:
            try:
                return await _run_in_connection_thread(self._connection, self._rescue)
            except (sqlite3.Error, OSError) as error:
                log.critical(
                    "what was in %s is lost with the end of this process, and cannot be saved (%s): %s; "
                    "it is tried again and again",
                    self._path,
                    error,
                    suggest_remedy(error),
                )
            await asyncio.sleep(RESCUE_RETRY_DELAY)

    def _rescue(self, db: sqlite3.Connection) -> DatabaseFileLost | None:
        loss = self._file.detect_loss()
        return None if loss is None else rescue_database(db, self._file, self._path, loss)

    async def _run_writer(self) -> None:
        while self._queued_units or not self._is_closing:
            await self._unit_queued.wait()
            self._unit_queued.clear()
            batch, self._queued_units = self._queued_units, []
            if batch:
                await self._run_batch(sorted(batch, key=lambda each: each.runs_last))

    async def _run_batch(self, batch: list[QueuedUnit]) -> None:
        try:
            works = [each.work for each in batch]
            kept = await _run_in_connection_thread(
                self._connection, _commit_together, self._transaction, works, self._file
            )
            self.total_changes = self._transaction.total_changes
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            kept = [
                UnitResult(StoreError(f"DATABASE_PATH {self._path} failed ({error}): {suggest_remedy(error)}"))
            ] * len(batch)
        for (_, future, _), (outcome, facts) in zip(batch, kept, strict=True):
            self._notify_all(facts)
            if future.done():  # its caller was cancelled meanwhile, and will not look
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
                future.exception()  # a caller that is cancelled at this moment will not look either
            else:
                future.set_result(outcome)

    def _notify_all(self, facts: tuple[DomainEvent, ...]) -> None:
        for fact in facts:
            try:
                if isinstance(fact, LogAfterCommit):
                    fact.write()
                else:
                    self._on_event(fact)
            except Exception:
                log.exception("a figure was not kept: a mistake in the bot")  # but everything else goes on


async def _connect(path: str) -> tuple[aiosqlite.Connection, DatabaseFile]:
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        await _run_in_connection_thread(connection, _prepare_connection)
        return connection, await _run_in_connection_thread(connection, lambda _: DatabaseFile(path))
    except BaseException:
        await connection.close()
        raise


def _create_private_file(path: str) -> None:
    if path.startswith(":") or Path(path).is_dir():
        raise CannotRun(f"DATABASE_PATH {path} is no file: name one, like data/darkroom.db")
    refuse_to_start_empty(path)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(path).touch(mode=0o600)
    except OSError as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be written ({error.strerror}): name another file") from error


async def _run_in_connection_thread(connection: aiosqlite.Connection, work: Callable[..., T], *arguments: Any) -> T:
    """Run `work(db, ...)` in the connection's thread, in one piece.

    aiosqlite has no public call for more than one statement at a time; `_execute`
    is what all its own calls go through.
    """
    execute: Callable[..., Awaitable[T]] = connection._execute  # noqa: SLF001 - see above
    return await execute(work, connection._conn, *arguments)  # noqa: SLF001 - see above


def _prepare_connection(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    for pragma in PRAGMAS:
        db.execute(pragma)
    migrate(db, ProgressThrottle(log.info))
    # before anybody waits: what a process that died has left in the WAL, or a new schema has written
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.execute("PRAGMA wal_autocheckpoint = 0")  # from here on see `DatabaseFile`


def _commit_together(
    db: sqlite3.Connection, transaction: Transaction, works: list[UnitOfWork], file: DatabaseFile
) -> list[UnitResult]:
    db.execute("BEGIN IMMEDIATE")
    try:
        kept = [
            _run_first_unit(db, transaction, works[0]),
            *(_run_unit_in_savepoint(db, transaction, work) for work in works[1:]),
        ]
        commit(db)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    file.on_commit(db)
    return kept


def commit(db: sqlite3.Connection) -> None:
    """Make the transaction durable: the only place where anything becomes a fact."""
    db.execute("COMMIT")


def _run_first_unit(db: sqlite3.Connection, transaction: Transaction, work: UnitOfWork) -> UnitResult:
    """Run the first unit of a transaction, which needs no savepoint: where it is undone there is nothing to keep."""
    kept = _run_unit(transaction, work)
    if isinstance(kept.outcome, Exception):
        db.execute("ROLLBACK")
        db.execute("BEGIN IMMEDIATE")
    return kept


def _run_unit_in_savepoint(db: sqlite3.Connection, transaction: Transaction, work: UnitOfWork) -> UnitResult:
    db.execute("SAVEPOINT unit")
    kept = _run_unit(transaction, work)
    if isinstance(kept.outcome, Exception):
        db.execute("ROLLBACK TO unit")
    db.execute("RELEASE unit")
    return kept


def _run_unit(transaction: Transaction, work: UnitOfWork) -> UnitResult:
    """Run a unit of work; where its outcome is an exception, what it wrote is to be undone."""
    transaction.events.clear()
    try:
        outcome = work(transaction)
    except PROGRAMMING_ERRORS as error:
        return UnitResult(error)
    except sqlite3.Error:
        raise  # the file is in trouble, which concerns every unit of the batch
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller, who gets it
        return UnitResult(error)
    return UnitResult(outcome, tuple(transaction.events))


def suggest_remedy(error: Exception) -> str:
    """Say what to do about what SQLite says of the file."""
    text = str(error)
    if "full" in text or "No space" in text:
        return "make room on the disk"
    if "readonly" in text or "unable to open" in text:
        return "let this user write the file and its folder"
    if "malformed" in text or "not a database" in text:
        return "put back a backup, or name another file"
    return "look at the file and its disk"
