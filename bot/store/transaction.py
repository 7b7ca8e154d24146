"""A transaction: what a unit of work may touch, which is every table by its class, and changes of several tables."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from bot.store.attempts import Attempts
from bot.store.chats import Chats
from bot.store.circuit_breakers import CircuitBreakers
from bot.store.credits import Credits
from bot.store.daily_usage import DailyUsage, Quota
from bot.store.due_times import ClockShift, DueTimes, read_due_times
from bot.store.erasure import Erasure
from bot.store.events import DomainEvent, LogAfterCommit
from bot.store.fair_queue import ConversionQueue, FairQueue
from bot.store.inbox import Inbox
from bot.store.job_statistics import JobStatistics
from bot.store.jobs import Jobs
from bot.store.menus import Menus
from bot.store.outbox import Outbox
from bot.store.progress_messages import ProgressMessages
from bot.store.request_messages import RequestMessages
from bot.store.snapshot import Snapshots
from bot.store.users import AccessRules, BotIdentity, Users


class Transaction:
    """One transaction after the other on a connection; valid only inside the unit of work that it is given to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        #: the events of the present unit of work
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
        """Log something by a method of a logger once this is committed, and only then."""
        self.events.append(LogAfterCommit(partial(write, text, *values, **options)))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back what is written within where that raises; what was written before stays."""
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
        """The changes of rows on this connection so far, including those rolled back."""
        return self._db.total_changes

    def read_due_times(self) -> DueTimes:
        """Return when each kind of work is due."""
        return read_due_times(self._db)
