"""The one connection to the database file, and whole transactions on it.

A unit of work runs in the connection's own thread from BEGIN to COMMIT without a pause, so a cancelled coroutine cannot
leave a transaction open. Units that wait at the same time are committed together (group commit); one that fails is
rolled back alone.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiosqlite

from bot.settings import CannotRun, MustRestart
from bot.store.backlog_snapshot import Snapshots
from bot.store.backup import (
    DatabaseFileLost,
    ProgressThrottle,
    build_loss_error,
    refuse_to_start_empty,
    rescue_database,
)
from bot.store.chats import Chats
from bot.store.circuit_breakers import CircuitBreakers
from bot.store.credits import Credits
from bot.store.daily_usage import DailyUsage, Quota
from bot.store.domain_events import DomainEvent, LogAfterCommit, OnEvent, ignore_event
from bot.store.due_times import ClockShift, DueTimes, read_due_times
from bot.store.erasure import Erasure
from bot.store.fair_queue import ConversionQueue, FairQueue
from bot.store.inbox import Inbox
from bot.store.job_statistics import JobStatistics
from bot.store.jobs import Jobs
from bot.store.menus import Menus
from bot.store.migrations import migrate
from bot.store.order_attempts import Attempts
from bot.store.outbox import Outbox
from bot.store.progress_messages import ProgressMessages
from bot.store.request_messages import RequestMessages
from bot.store.secure_delete import BUSY_TIMEOUT_PRAGMA, DatabaseFile, ScrubProgress
from bot.store.users import AccessRules, BotIdentity, Users


class Transaction:
    """The tables and the log of the current transaction; to be used only within a unit of work."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        #: the events of the current unit of work
        self.events: list[DomainEvent] = []
        self.inbox = Inbox(db)
        self.jobs = Jobs(db, self.events)
        self.request_messages = RequestMessages(db)
        self.fair_queue = FairQueue(db)
        self.conversion_queue = ConversionQueue(db)
        self.attempts = Attempts(db)
        self.outbox = Outbox(db, self.events)
        self.progress_messages = ProgressMessages(db, self.events)
        self.circuit_breakers = CircuitBreakers(db)
        self.bot_identity = BotIdentity(db)
        self.users = Users(db)
        self.chats = Chats(db)
        self.menus = Menus(db, self.events)
        self.clock_shift = ClockShift(db)
        self.access_rules = AccessRules(db)
        self.daily_usage = DailyUsage(db)
        self.quota = Quota(db)
        self.credits = Credits(db, self.events)
        self.erasure = Erasure(db)
        self.job_statistics = JobStatistics(db)
        self.snapshots = Snapshots(db)

    def log(self, write: Callable[..., None], text: str, *values: object, **options: Any) -> None:
        """Call a logger's method after this transaction is committed, and only then."""
        self.events.append(LogAfterCommit(partial(write, text, *values, **options)))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back what is written inside if that raises; what was written before stays."""
        before = len(self.events)
        self._db.execute("SAVEPOINT row")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled back everything if the disk is full
                self._db.execute("ROLLBACK TO row")
                self._db.execute("RELEASE row")
            del self.events[before:]
            raise
        self._db.execute("RELEASE row")

    @property
    def total_changes(self) -> int:
        """The number of rows changed on this connection so far, including those rolled back."""
        return self._db.total_changes

    def read_due_times(self) -> DueTimes:
        """Return when each kind of work is due next."""
        return read_due_times(self._db)


log = logging.getLogger(__name__)

T = TypeVar("T")
UnitOfWork = Callable[[Transaction], Any]


class QueuedUnit(NamedTuple):
    """A unit of work that waits for its transaction."""

    work: UnitOfWork
    future: "asyncio.Future[Any]"
    #: whether it sees what all others committed together with it have written
    runs_last: bool


#: The first version with STRICT tables.
MIN_SQLITE_VERSION = (3, 37, 0)

#: Errors about a value or a statement, not about the file.
PROGRAMMING_ERRORS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)

PRAGMAS = (
    # takes effect only before the first table exists; some builds of SQLite have another default
    "PRAGMA auto_vacuum = NONE",
    "PRAGMA journal_mode = WAL",
    # with NORMAL, a power cut may lose the last commits, and with them a paid task
    "PRAGMA synchronous = FULL",
    BUSY_TIMEOUT_PRAGMA,
    "PRAGMA temp_store = MEMORY",
    # overwrites deleted data; `scrub` overwrites the copies that stay in unallocated space
    "PRAGMA secure_delete = ON",
)

#: Seconds between two attempts to rescue the contents of a lost file.
RESCUE_RETRY_DELAY = 10.0

#: Awaited between two steps of long work, with the duration of the last step in seconds.
PauseBetweenSteps = Callable[[float], Awaitable[None]]


async def no_pause(_: float) -> None:
    """Do not wait."""


class UnitResult(NamedTuple):
    """The result of a unit of work."""

    #: what it returned, or the exception for which it was rolled back
    outcome: Any
    events: tuple[DomainEvent, ...] = ()


class StoreError(MustRestart):
    """SQLite could not read or write the file: disk full, file damaged or lost, or already closed."""


class Database:
    """The database: open it with `Database.open`, close it with `close`."""

    def __init__(self, connection: aiosqlite.Connection, file: DatabaseFile, path: str, on_event: OnEvent) -> None:
        self._connection = connection
        self._file = file
        self._transaction = Transaction(connection._conn)  # noqa: SLF001 - see `_run_in_connection_thread`
        self._path = path
        self._on_event = on_event
        #: the number of rows changed by all units that have ended
        self.total_changes = 0
        self._queued_units: list[QueuedUnit] = []
        self._unit_queued = asyncio.Event()
        self._is_closing = False
        self._is_closed = False
        #: the number of changed rows when the file was last free of traces of deleted data
        self._scrubbed_at_changes: int | None = None
        self._writer = asyncio.create_task(self._run_writer(), name="database writer")

    @classmethod
    async def open(cls, path: str, *, on_event: OnEvent = ignore_event) -> "Database":
        """Open the file, create it and its folders if missing, and bring its schema up to date.

        `on_event` receives each event after its commit. Raises CannotRun if the file cannot be opened or is not ours.
        """
        if sqlite3.sqlite_version_info < MIN_SQLITE_VERSION:
            raise CannotRun(f"SQLite {sqlite3.sqlite_version} is too old: use a Python with SQLite 3.37 or later")
        _create_private_file(path)
        try:
            return cls(*await _connect(path), path, on_event)
        except (sqlite3.Error, OSError) as error:
            raise CannotRun(f"DATABASE_PATH {path} cannot be used ({error}): {suggest_remedy(error)}") from error

    async def transact(self, work: Callable[[Transaction], T], *, runs_last: bool = False) -> T:
        """Run `work` as one transaction and return its result after the commit.

        With `runs_last`, it sees what all units committed together with it have written. If `work` raises, what it
        wrote is rolled back, and the exception is raised here; StoreError means that nothing of it was stored. If the
        caller is cancelled, the unit still runs to its end.
        """
        if self._is_closing:
            raise StoreError("the database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queued_units.append(QueuedUnit(work, future, runs_last))
        self._unit_queued.set()
        return await future

    async def scrub(self, pause: PauseBetweenSteps = no_pause) -> bool:
        """Overwrite all traces of deleted data in the file and its WAL; return False if that must be repeated.

        Works in short steps between which other units run: over all pages after the start, and later over those written
        since. Does nothing if no row has changed since the last time.
        """
        try:
            return await self._scrub(pause)
        except (sqlite3.Error, OSError) as error:
            log.warning(
                "traces of what was deleted stay in %s for now (%s): %s", self._path, error, suggest_remedy(error)
            )
            return False

    async def _scrub(self, pause: PauseBetweenSteps) -> bool:
        step = ScrubProgress.MORE
        while step is ScrubProgress.MORE:
            step, seconds = await _run_in_connection_thread(self._connection, self._scrub_step)
            await pause(seconds)
        return step is ScrubProgress.DONE

    def _scrub_step(self, db: sqlite3.Connection) -> tuple[ScrubProgress, float]:
        started = time.monotonic()
        step = ScrubProgress.DONE if db.total_changes == self._scrubbed_at_changes else self._file.scrub_step(db)
        self._scrubbed_at_changes = db.total_changes if step is ScrubProgress.DONE else None
        return step, time.monotonic() - started

    async def check_files(self) -> None:
        """Check that the database files are still there and ours.

        Raises DatabaseFileLost if the database itself is lost (`close` then rescues its contents), MustRestart if its
        WAL or shared memory file is, and StoreError if the check fails.
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
        """Run the waiting units, then close the file; idempotent.

        Raises DatabaseFileLost if the file was lost, after the rescue of what can be rescued.
        """
        if self._is_closed:
            return
        self._is_closing = True
        self._unit_queued.set()
        await self._writer
        self._is_closed = True
        if (loss := await self._rescue_until_saved()) is not None:
            raise loss  # without closing the connection: see `rescue_database`
        await self._connection.close()
        self._file.close()

    async def _rescue_until_saved(self) -> DatabaseFileLost | None:
        """Rescue the contents of a lost file, retrying until there is room for them: they are nowhere else."""
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
            results = await _run_in_connection_thread(
                self._connection, _commit_together, self._transaction, works, self._file
            )
            self.total_changes = self._transaction.total_changes
        except Exception as error:  # noqa: BLE001 - whatever it is, no caller may wait forever
            results = [
                UnitResult(StoreError(f"DATABASE_PATH {self._path} failed ({error}): {suggest_remedy(error)}"))
            ] * len(batch)
        for (_, future, _), (outcome, events) in zip(batch, results, strict=True):
            self._notify_all(events)
            if future.done():  # its caller was cancelled meanwhile
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
                future.exception()  # marks it as retrieved, because a caller that is cancelled right now will not
            else:
                future.set_result(outcome)

    def _notify_all(self, events: tuple[DomainEvent, ...]) -> None:
        for event in events:
            try:
                if isinstance(event, LogAfterCommit):
                    event.write()
                else:
                    self._on_event(event)
            except Exception:
                log.exception("a figure was not kept: a mistake in the bot")  # the data are committed


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

    aiosqlite has no public method to run several statements in one go; all its own methods use `_execute`.
    """
    execute: Callable[..., Awaitable[T]] = connection._execute  # noqa: SLF001 - see above
    return await execute(work, connection._conn, *arguments)  # noqa: SLF001 - see above


def _prepare_connection(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    for pragma in PRAGMAS:
        db.execute(pragma)
    migrate(db, ProgressThrottle(log.info))
    # at once, while nobody waits: what a crash left in the WAL, or a migration wrote
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.execute("PRAGMA wal_autocheckpoint = 0")  # from here on `DatabaseFile` makes the checkpoints


def _commit_together(
    db: sqlite3.Connection, transaction: Transaction, works: list[UnitOfWork], file: DatabaseFile
) -> list[UnitResult]:
    db.execute("BEGIN IMMEDIATE")
    try:
        results = [
            _run_first_unit(db, transaction, works[0]),
            *(_run_unit_in_savepoint(db, transaction, work) for work in works[1:]),
        ]
        commit(db)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    file.on_commit(db)
    return results


def commit(db: sqlite3.Connection) -> None:
    """Commit units of work; the only place that does."""
    db.execute("COMMIT")


def _run_first_unit(db: sqlite3.Connection, transaction: Transaction, work: UnitOfWork) -> UnitResult:
    """Run the first unit of a transaction without a savepoint, as nothing else would be rolled back with it."""
    result = _run_unit(transaction, work)
    if isinstance(result.outcome, Exception):
        db.execute("ROLLBACK")
        db.execute("BEGIN IMMEDIATE")
    return result


def _run_unit_in_savepoint(db: sqlite3.Connection, transaction: Transaction, work: UnitOfWork) -> UnitResult:
    db.execute("SAVEPOINT unit")
    result = _run_unit(transaction, work)
    if isinstance(result.outcome, Exception):
        db.execute("ROLLBACK TO unit")
    db.execute("RELEASE unit")
    return result


def _run_unit(transaction: Transaction, work: UnitOfWork) -> UnitResult:
    """Run a unit of work; the caller rolls it back if the outcome is an exception."""
    transaction.events.clear()
    try:
        outcome = work(transaction)
    except PROGRAMMING_ERRORS as error:
        return UnitResult(error)
    except sqlite3.Error:
        raise  # an error of the file affects every unit of the batch
    except Exception as error:  # noqa: BLE001 - any error of the unit belongs to its caller
        return UnitResult(error)
    return UnitResult(outcome, tuple(transaction.events))


def suggest_remedy(error: Exception) -> str:
    """Return what the operator can do about an error of the file."""
    text = str(error)
    if "full" in text or "No space" in text:
        return "make room on the disk"
    if "readonly" in text or "unable to open" in text:
        return "let this user write the file and its folder"
    if "malformed" in text or "not a database" in text:
        return "put back a backup, or name another file"
    return "look at the file and its disk"
