"""What a unit of work may touch: every table, behind its own small set of questions and changes."""

import sqlite3
from dataclasses import replace

from bot.job import Instant, Job, Reason, Request, State, day_of
from bot.store.account import Account
from bot.store.agenda import Agenda, agenda
from bot.store.attempts import Attempts
from bot.store.breakers import Breakers
from bot.store.chats import Chats, hello_key
from bot.store.counts import Counts
from bot.store.erasure import Erasure
from bot.store.facts import Fact
from bot.store.history import History
from bot.store.inbox import Inbox
from bot.store.jobs import WAITING, Jobs, form_columns
from bot.store.line import Line
from bot.store.menus import Menus
from bot.store.moments import Moments
from bot.store.outbox import Outbox
from bot.store.owner import Owner
from bot.store.parts import Parts
from bot.store.people import People
from bot.store.sight import Sight
from bot.store.standings import Standings
from bot.store.statuses import Sign, Statuses
from bot.wish import shape_at_the_end


class Transaction:
    """One transaction after the other on a connection; valid only inside the unit of work that it was given to."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        #: what the present unit of work has brought about so far, for those who keep figures
        self.facts: list[Fact] = []
        self.inbox = Inbox(db)
        self.jobs = Jobs(db, self.facts)
        self.parts = Parts(db)
        self.line = Line(db)
        self.attempts = Attempts(db)
        self.outbox = Outbox(db, self.facts)
        self.statuses = Statuses(db, self.facts)
        self.breakers = Breakers(db)
        self.owner = Owner(db)
        self.people = People(db)
        self.chats = Chats(db)
        self.menus = Menus(db, self.facts)
        self.moments = Moments(db)
        self.standings = Standings(db)
        self.counts = Counts(db)
        self.account = Account(db, self.facts)
        self.erasure = Erasure(db)
        self.history = History(db)
        self.sight = Sight(db)

    @property
    def changes(self) -> int:
        """How many changes of rows there were on this connection, undone ones too."""
        return self._db.total_changes

    def agenda(self) -> Agenda:
        """Return when there is something to do."""
        return agenda(self._db)

    def wished(self, request: Request, words: str) -> Request:
        """Return a request with its words, and in the form that they ask for, or else its chat's preferences."""
        prompt, shape = shape_at_the_end(words)
        form = self.chats.form_of(request.chat_id)
        return replace(request, prompt=prompt, form=replace(form, shape=shape or form.shape))

    def complete(self, job: Job, words: str, now: Instant) -> bool:
        """Queue a request that has its pictures and its words; False if somebody was faster."""
        wished = self.wished(job.request, words)
        queued = self.jobs.move(
            job,
            State.QUEUED,
            prompt=wished.prompt,
            **form_columns(wished.form),
            message_id=_first_message(job),
            queued_at=now,
            due_at=None,
            closes_by=None,
        )
        complete = self.jobs.get(job.id)
        if queued and complete is not None:
            self.enter_line(complete, now)
        return queued

    def enter_line(self, job: Job, now: Instant) -> None:
        """Let a queued job wait for its preparation and its turn, and the person know."""
        self.line.enter(job.id, job.request.chat_id, job.request.user_id)
        self.statuses.accepted(job, now)

    def take_back(self, job: Job, now: Instant) -> bool:
        """Cancel a job if nothing was ordered for it yet; False if it is too late."""
        if job.state not in WAITING:
            return False
        self.line.drop(job.id)
        self.statuses.touch(job.id, now)
        if job.state is State.QUEUED:
            self.statuses.sign(job, Sign.TAKEN_BACK, now)
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
            self.statuses.sign(job, Sign.NOT_DONE, now)
        return left

    def forget_person(self, user_id: int, now: Instant) -> None:
        """End everything of a person, in all chats, and forget it; what is ordered is paid for and never sent.

        Steps under way find their job in another state than the one that they read, and walk away.
        """
        for job in self.jobs.open_anywhere(user_id):
            if not self.take_back(job, now):
                self.jobs.move(job, State.FAILED, reason=Reason.DELETED, finished_at=now, due_at=None)
                self.account.spend(self.account.price(), day_of(now))  # nobody looks any more what it costs
                self.statuses.sign(job, Sign.TAKEN_BACK, now)
        self.erasure.forget_person(user_id, now)

    def lose_chat(self, chat_id: int, now: Instant) -> None:
        """Drop what waits for a chat that cannot be written to: an order would be paid for nobody."""
        for job in self.jobs.open_in(chat_id):
            self.take_back(job, now)
        self.outbox.drop_chat(chat_id, now)

    def move_chat(self, old_id: int, new_id: int, now: Instant) -> None:
        """Go on in the supergroup that a group became; doing it twice is the same as once.

        The messages of the group are not those of the supergroup, so nothing replies to them any more.
        """
        if self.chats.is_greeted(old_id):
            self.outbox.never_mind(hello_key(new_id), now)  # it only looked like a new one
        if self.chats.former_id(new_id) != old_id:
            self.chats.move(old_id, new_id)
        moved = self.jobs.move_chat(old_id, new_id)
        self.line.move_chat(old_id, new_id)
        self.counts.move_chat(old_id, new_id)
        self.standings.move(old_id, new_id)
        self.outbox.move_chat(old_id, new_id, now)
        self.inbox.release(old_id)
        for job in self.jobs.open_in(new_id):
            is_asked = job.closes_by is None if job.state is State.GATHERING else job.asked_at is not None
            if job.id in moved and is_asked:
                self.statuses.anew(job, now)


def _first_message(job: Job) -> int | None:
    """Return the message that the answer to a request replies to: its first picture, where it has one here."""
    if job.request.message_id is None:
        return None
    return min(source.place for source in job.request.sources) or job.request.message_id
