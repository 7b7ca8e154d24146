"""What a unit of work may touch: every table, behind its own small set of questions and changes."""

import sqlite3

from bot.job import Instant, Job, Reason, State
from bot.store.attempts import Attempts
from bot.store.breakers import Breakers
from bot.store.inbox import Inbox
from bot.store.jobs import Jobs
from bot.store.line import Line
from bot.store.outbox import Outbox
from bot.store.owner import Owner
from bot.store.parts import Parts
from bot.store.people import People
from bot.store.statuses import Statuses

#: States in which nothing was ordered yet.
NOT_ORDERED = (State.GATHERING, State.QUEUED)


class Transaction:
    """One transaction; valid only inside the unit of work that it was given to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.inbox = Inbox(db)
        self.jobs = Jobs(db)
        self.parts = Parts(db)
        self.line = Line(db)
        self.attempts = Attempts(db)
        self.outbox = Outbox(db)
        self.statuses = Statuses(db)
        self.breakers = Breakers(db)
        self.owner = Owner(db)
        self.people = People(db)

    def complete(self, job: Job, prompt: str, now: Instant) -> bool:
        """Queue a request that has its pictures and its words; False if somebody was faster."""
        first = min(source.place for source in job.request.sources) or job.request.message_id
        queued = self.jobs.move(
            job, State.QUEUED, prompt=prompt, message_id=first, queued_at=now, due_at=None, closes_by=None
        )
        complete = self.jobs.get(job.id)
        if queued and complete is not None:
            self.enter_line(complete, now)
        return queued

    def enter_line(self, job: Job, now: Instant) -> None:
        """Let a queued job wait for its preparation and its turn, and the person know."""
        self.line.enter(job.id, job.request.chat_id, job.request.user_id)
        self.statuses.open(job, now)

    def take_back(self, job: Job, now: Instant) -> bool:
        """Cancel a job if nothing was ordered for it yet; False if it is too late."""
        if job.state not in NOT_ORDERED:
            return False
        self.line.drop(job.id)
        self.statuses.touch(job.id, now)
        return self.jobs.move(job, State.CANCELLED, finished_at=now, due_at=None)

    def order_again(self, job: Job, now: Instant) -> bool:
        """Queue a job in doubt once more, as the person decided who was asked; False if it may be found by a hint."""
        queued = not self.attempts.has_hint(job.id) and self.jobs.move(
            job, State.QUEUED, queued_at=now, submitted_at=None, asked_at=None, due_at=None, tries=0
        )
        if queued:
            self.line.enter_first(job.id, job.request.chat_id, is_ready=False)
            self.statuses.touch(job.id, now)
        return queued

    def leave_in_doubt(self, job: Job, now: Instant) -> bool:
        """End a job in doubt; what there was to say was said when the person was asked."""
        left = self.jobs.move(job, State.FAILED, reason=Reason.DOUBT, finished_at=now, answered_at=now, due_at=None)
        if left:
            self.statuses.touch(job.id, now)
        return left

    def lose_chat(self, chat_id: int, now: Instant) -> None:
        """Drop what waits for a chat that cannot be written to: an order would be paid for nobody."""
        for job in self.jobs.open_in(chat_id):
            self.take_back(job, now)
        self.outbox.drop_chat(chat_id, now)
