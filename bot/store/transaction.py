"""What a unit of work may touch: every table, behind its own small set of questions and changes."""

import sqlite3

from bot.job import Instant, Job, State
from bot.store.attempts import Attempts
from bot.store.breakers import Breakers
from bot.store.inbox import Inbox
from bot.store.jobs import Jobs
from bot.store.line import Line
from bot.store.outbox import Outbox
from bot.store.owner import Owner

#: States in which nothing was ordered yet.
NOT_ORDERED = (State.GATHERING, State.QUEUED)


class Transaction:
    """One transaction; valid only inside the unit of work that it was given to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.inbox = Inbox(db)
        self.jobs = Jobs(db)
        self.line = Line(db)
        self.attempts = Attempts(db)
        self.outbox = Outbox(db)
        self.breakers = Breakers(db)
        self.owner = Owner(db)

    def take_back(self, job: Job, now: Instant) -> bool:
        """Cancel a job if nothing was ordered for it yet; False if it is too late."""
        if job.state not in NOT_ORDERED:
            return False
        self.line.drop(job.id)
        return self.jobs.move(job, State.CANCELLED, finished_at=now, due_at=None)

    def lose_chat(self, chat_id: int, now: Instant) -> None:
        """Drop what waits for a chat that cannot be written to: an order would be paid for nobody."""
        for job in self.jobs.open_in(chat_id):
            self.take_back(job, now)
        self.outbox.drop_chat(chat_id, now)
