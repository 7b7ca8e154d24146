"""What a unit of work may touch: every table, behind its own small set of questions and changes."""

import sqlite3

from bot.store.attempts import Attempts
from bot.store.breakers import Breakers
from bot.store.inbox import Inbox
from bot.store.jobs import Jobs
from bot.store.line import Line
from bot.store.outbox import Outbox


class Transaction:
    """One transaction; valid only inside the unit of work that it was given to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.inbox = Inbox(db)
        self.jobs = Jobs(db)
        self.line = Line(db)
        self.attempts = Attempts(db)
        self.outbox = Outbox(db)
        self.breakers = Breakers(db)
