"""What the status of a job says: composed from what is stored, at the moment when it is to be shown."""

import json
from dataclasses import dataclass
from statistics import median

from bot.chat.buttons import Action, Button
from bot.job import MAX_PROMPT, Instant, Job, Reason, State, later, seconds_between
from bot.jobs.gates import Limits
from bot.store.outbox import Parcel
from bot.store.parts import PartKind
from bot.store.transaction import Transaction
from bot.texts import en

#: Seconds between two looks at a place in the queue: at least these, and more the longer the queue is.
REFRESH = 10.0

#: The same while nothing moves.
LONG_REFRESH = 60.0

#: Seconds of trouble at Kie after which a place in the queue means nothing any more.
PATIENCE = 15.0

#: Finished pictures from which the usual time is taken, and how few are too few to say anything.
KNOWN, TOO_FEW = 50, 3

#: Orders per second that the window of the rate limit allows.
WINDOW = 10.0


@dataclass(frozen=True)
class Showing:
    """What a status says."""

    text: str
    buttons: tuple[Button, ...] = ()
    #: whether it stays like this for good
    is_last: bool = False
    #: whether the person has to see it: a question
    matters: bool = False
    #: when it has to be looked after again, if nothing happens
    look_at: Instant | None = None

    @property
    def digest(self) -> str:
        """All that can be seen, to tell whether anything has changed."""
        return json.dumps([self.text, [each.data for each in self.buttons]], ensure_ascii=False)


@dataclass(frozen=True)
class Errand:
    """What has to be done about the message of a status."""

    status: Parcel
    #: None: delete the message
    showing: Showing | None


def errand(tx: Transaction, status: Parcel, limits: Limits, now: Instant) -> Errand | None:
    """Say what has to be done about a status that is due; None, and nothing is due any more, if nothing has."""
    job = None if status.say.job_id is None else tx.jobs.get(status.say.job_id)
    if status.is_over or job is None:
        return Errand(status, None)
    showing = _showing(tx, job, limits, now)
    if showing is None or showing.digest == status.shown:
        tx.statuses.wait(status.id, None if showing is None else showing.look_at)
        return None
    return Errand(status, showing)


def _showing(tx: Transaction, job: Job, limits: Limits, now: Instant) -> Showing | None:
    """Compose what there is to say; None while that is left to another message."""
    match job.state:
        case State.GATHERING:
            return _question(tx, job)
        case State.QUEUED:
            return _queued(tx, job, limits, now)
        case State.SUBMITTING:
            return _doubt(job) if job.asked_at is not None else Showing(en.being_edited(_usual_seconds(tx)))
        case State.RUNNING:
            return Showing(en.OVERDUE if job.overdue_at is not None else en.being_edited(_usual_seconds(tx)))
        case State.CANCELLED:
            return Showing(en.QUESTION_OVER if job.reason is Reason.NO_PROMPT else en.CANCELLED_HERE, is_last=True)
        case State.FAILED if job.reason is Reason.DOUBT:
            return Showing(en.DOUBT_LEFT, is_last=True)
        case _:
            return None  # the answer follows, and this goes when it has come


def _question(tx: Transaction, job: Job) -> Showing:
    pictures = tx.parts.count(job.id, PartKind.PICTURE)
    text = en.question(pictures, len(tx.parts.prompt(job.id)), MAX_PROMPT)
    return Showing(text, (_cancel(job),), matters=True)


def _doubt(job: Job) -> Showing:
    question = job.asked_at or 0
    buttons = (
        Button(en.BUTTON_AGAIN, Action.AGAIN, job.id, question),
        Button(en.BUTTON_LEAVE, Action.LEAVE, job.id, question),
    )
    return Showing(en.DOUBT, buttons, matters=True)


def _queued(tx: Transaction, job: Job, limits: Limits, now: Instant) -> Showing:
    place = tx.line.place_of(job.id) or 1
    usual = _usual_seconds(tx)
    wait = _wait(place, limits, usual)
    is_stuck = seconds_between(job.queued_at or now, now) >= limits.deadline > wait
    if is_stuck or any(seconds_between(each.since, now) >= PATIENCE for each in tx.breakers.all()):
        return Showing(en.WAITING, (_cancel(job),), look_at=later(now, LONG_REFRESH))
    text = en.queued(place, None if usual is None else wait + usual)
    return Showing(text, (_cancel(job),), look_at=later(now, max(REFRESH, wait / 10)))


def _wait(place: int, limits: Limits, usual: float | None) -> float:
    """Estimate the seconds until it is its turn, from the two limits that make jobs wait."""
    by_rate = limits.creates_per_window / WINDOW
    by_places = limits.running / usual if usual else by_rate
    return (place - 1) / min(by_rate, by_places)


def _usual_seconds(tx: Transaction) -> float | None:
    took = tx.jobs.latest_durations(KNOWN)
    return median(took) / 1000 if len(took) >= TOO_FEW else None


def _cancel(job: Job) -> Button:
    return Button(en.BUTTON_CANCEL, Action.CANCEL, job.id)
