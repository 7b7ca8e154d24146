"""What a unit of work may touch: every table, behind its own small set of questions and changes."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from bot.job import Instant, Job, Reason, Request, State, day_of
from bot.store import chronicle
from bot.store.account import Account
from bot.store.agenda import Agenda, agenda
from bot.store.attempts import Attempts
from bot.store.breakers import Breakers
from bot.store.chats import Chats, hello_key
from bot.store.conversion_queue import ConversionQueue
from bot.store.counts import Counts
from bot.store.erasure import Erasure
from bot.store.facts import Fact, LogLine
from bot.store.history import History
from bot.store.inbox import Inbox
from bot.store.jobs import WAITING, Jobs, form_columns
from bot.store.line import Line
from bot.store.menus import Menus
from bot.store.moments import Moments
from bot.store.outbox import Ending, Kind, Outbox, Parcel
from bot.store.owner import Owner
from bot.store.parts import Parts
from bot.store.people import People
from bot.store.quota import Quota
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
        self.conversions = ConversionQueue(db)
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
        self.quota = Quota(db)
        self.account = Account(db, self.facts)
        self.erasure = Erasure(db)
        self.history = History(db)
        self.sight = Sight(db)

    def log(self, write: Callable[..., None], words: str, *values: object, **how: Any) -> None:
        """Log something by a method of a logger, once this is committed, and only then."""
        self.facts.append(LogLine(partial(write, words, *values, **how)))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is written within where that raises; what was written before stays."""
        told = len(self.facts)
        self._db.execute("SAVEPOINT row")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # else SQLite has undone everything, as it does when the disk is full
                self._db.execute("ROLLBACK TO row")
                self._db.execute("RELEASE row")
            del self.facts[told:]
            raise
        self._db.execute("RELEASE row")

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
            self.quota.complete(job.id, day_of(now))
            self.enter_line(complete, now)
        return queued

    def enter_line(self, job: Job, now: Instant) -> None:
        """Let a queued job wait for its preparation and its turn, and the person know."""
        self.line.enter(job.id, job.request.chat_id, job.request.charged_to)
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
            self._spend_on_doubt(now)
            self.line.enter_first(job.id, job.request.chat_id, is_ready=False)
            self.statuses.touch(job.id, now)
        return queued

    def sent(self, parcel: Parcel, message_id: int | None, now: Instant) -> None:
        """Write down that something was sent, and as which message; with its answer a job is answered."""
        self.outbox.sent(parcel, message_id, now)
        job = None if parcel.say.job_id is None else self.jobs.get(parcel.say.job_id)
        if job is not None:
            self._take_the_place(parcel, job, now)
        if job is not None and parcel.say.is_answer and self.jobs.note(job, answered_at=now):
            self._end_status(job, message_id, now)
            self.statuses.sign(job, Sign.DONE if parcel.say.kind is Kind.PICTURE else Sign.NOT_DONE, now)
            self.facts.append(chronicle.answered(job, now))

    def _take_the_place(self, parcel: Parcel, job: Job, now: Instant) -> None:
        """Let go what was said in place of a picture or a file: it has come, or something else is said about it."""
        place = parcel.instead_of or parcel.say.kind
        if place not in (Kind.PICTURE, Kind.FILE):
            return
        self.outbox.delete_texts_instead(job.id, parcel.say.chat_id, place, now, but=parcel.id)
        if parcel.say.kind is Kind.PICTURE and not parcel.say.is_answer:
            self.statuses.sign(job, Sign.DONE, now)

    def _end_status(self, job: Job, answer_id: int | None, now: Instant) -> None:
        """Let the status message go, unless it has become the answer."""
        status = self.statuses.of(job.id)
        if status is not None and status.message_id == answer_id:
            self.outbox.ended(status.id, Ending.SENT, now)
        else:
            self.statuses.over(job.id, now)

    def delete_answer(self, job: Job, message_id: int, now: Instant) -> None:
        """Have an answer deleted for good, with the files that belong to it; `message_id` is where it was pressed.

        Nothing of it that is still to come is sent, and where Kie has it is forgotten.
        """
        answer = self.outbox.answer_under_way(job.id)
        if answer is not None:  # it has arrived, as the press shows, though nobody has told us so yet
            self.sent(answer, message_id, now)
        for kind in (Kind.PICTURE, Kind.FILE):
            self.outbox.withdraw(job.id, kind, now)
            self.outbox.delete_texts_instead(job.id, job.request.chat_id, kind, now, but=None)
        standing = {each.message_id or 0 for each in self.outbox.pictures_of(job.id)}
        for each in sorted(standing | {message_id}):
            self.outbox.delete_message(job.id, job.request.chat_id, each, now)
        if job.answer_deleted_at is None:
            self.jobs.note(job, answer_deleted_at=now, result_url=None)

    def leave_in_doubt(self, job: Job, now: Instant) -> bool:
        """End a job in doubt; what there was to say was said when the person was asked."""
        left = self.jobs.move(job, State.FAILED, reason=Reason.DOUBT, finished_at=now, answered_at=now, due_at=None)
        if left:
            self._spend_on_doubt(now)
            self.statuses.touch(job.id, now)
            self.statuses.sign(job, Sign.NOT_DONE, now)
        return left

    def _spend_on_doubt(self, now: Instant) -> None:
        """Take an order in doubt that nobody looks for any more for one that was taken, and paid as usual."""
        self.account.spend(self.account.price(), day_of(now))

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
