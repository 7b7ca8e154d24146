"""What the status of a job says: composed from what is stored, at the moment when it is to be shown."""

import json
from dataclasses import dataclass

from bot.chat import buttons
from bot.chat.buttons import Action, Button
from bot.job import MAX_PROMPT, Instant, Job, Reason, State, later, seconds_between
from bot.jobs import halt
from bot.jobs.gates import Limits, can_pay
from bot.store.breakers import Breaker
from bot.store.menus import read_menu
from bot.store.outbox import Kind, Parcel
from bot.store.transaction import Transaction
from bot.texts import Sentence, sentence
from bot.texts.ideas import IDEAS
from bot.texts.times import roughly, until_tomorrow

#: Seconds between two looks at a place in the queue: at least these, and more the longer the queue is.
REFRESH = 10.0

#: The same while nothing moves.
LONG_REFRESH = 60.0

#: The same where it is hours that are told.
VERY_LONG_REFRESH = 1800.0

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
        return json.dumps([self.text, [(each.label, each.data) for each in self.buttons]], ensure_ascii=False)


@dataclass(frozen=True)
class Errand:
    """What has to be done about the message of a status."""

    status: Parcel
    #: None: delete the message
    showing: Showing | None


def errand(tx: Transaction, status: Parcel, limits: Limits, now: Instant) -> Errand | None:
    """Say what has to be done about a status that is due; None, and nothing is due any more, if nothing has."""
    if status.is_over:
        return Errand(status, None)
    if status.say.kind is Kind.MENU:
        showing: Showing | None = _menu(status.say.body)
    else:
        job = None if status.say.job_id is None else tx.jobs.get(status.say.job_id)
        showing = None if job is None else _showing(tx, job, limits, now)
        if job is None or (showing is not None and not _is_for_all_to_see(status, showing)):
            return Errand(status, None)
    if showing is None or showing.digest == status.shown:
        tx.statuses.wait(status.id, None if showing is None else showing.look_at)
        return None
    return Errand(status, showing)


def _is_for_all_to_see(status: Parcel, showing: Showing) -> bool:
    """Say whether others who read along have to see it as well."""
    return status.say.chat_id > 0 or status.is_asked_for or showing.matters or showing.is_last


def _menu(body: str) -> Showing:
    menu = read_menu(body)
    pressed = [(label, buttons.read(data)) for label, data in menu.buttons]
    return Showing(
        menu.text, tuple(Button(label, each.action, each.about, each.number) for label, each in pressed if each)
    )


def _showing(tx: Transaction, job: Job, limits: Limits, now: Instant) -> Showing | None:
    """Compose what there is to say; None while that is left to another message."""
    match job.state:
        case State.GATHERING:
            return _question(tx, job)
        case State.QUEUED:
            return _queued(tx, job, limits, now)
        case State.SUBMITTING if job.asked_at is not None:
            return _doubt(job, job.asked_at)
        case State.SUBMITTING:
            return _queued(tx, job, limits, now)  # whether Kie takes the order is known in a moment
        case State.RUNNING:
            return _under_way(tx, job)
        case _:
            return _ended(tx, job)


def _ended(tx: Transaction, job: Job) -> Showing | None:
    if job.state is State.CANCELLED:
        return Showing(_words(job, _cancelled(tx, job)), is_last=True)
    if job.reason is Reason.DOUBT:
        return Showing(_words(job, sentence("doubt-left")), is_last=True)
    if job.unfetched_at is not None and job.answering_at is None:
        return Showing(_words(job, sentence("made-not-fetched")))
    return None  # the answer follows, and this goes when it has come


def _cancelled(tx: Transaction, job: Job) -> Sentence:
    if job.reason is Reason.NO_PROMPT:
        return sentence("question-over")
    return sentence("cancelled-in-doubt" if tx.attempts.is_in_doubt(job.id) else "cancelled-here")


def _question(tx: Transaction, job: Job) -> Showing:
    length, count = len(tx.parts.prompt(job.id)), len(job.request.sources)
    if length > MAX_PROMPT:
        asked = sentence("question-too-long", length=length, most=MAX_PROMPT)
    else:
        asked = sentence("question", count=count, where="group" if job.request.is_in_group else "private")
    ideas = _ideas(job) if count == 1 and not length and not job.request.is_in_group else ()
    return Showing(_words(job, asked), (*ideas, _cancel(job)), matters=True)


def _ideas(job: Job) -> tuple[Button, ...]:
    return tuple(
        Button(_words(job, sentence(f"idea-{idea.name}")), Action.IDEA, job.id, number)
        for number, idea in IDEAS.items()
    )


def _doubt(job: Job, asked_at: Instant) -> Showing:
    buttons = (
        Button(_words(job, sentence("button-again")), Action.AGAIN, job.id, asked_at),
        Button(_words(job, sentence("button-leave")), Action.LEAVE, job.id, asked_at),
    )
    return Showing(_words(job, sentence("doubt")), buttons, matters=True)


def _under_way(tx: Transaction, job: Job) -> Showing:
    if job.overdue_at is not None:
        return Showing(_words(job, sentence("takes-long")))
    return Showing(_words(job, _with_time("being-edited", tx.jobs.usual_seconds(KNOWN, TOO_FEW))))


def _queued(tx: Transaction, job: Job, limits: Limits, now: Instant) -> Showing:
    place = tx.line.place_of(job.id, now) or 1
    usual = tx.jobs.usual_seconds(KNOWN, TOO_FEW)
    wait = _wait(place, tx.jobs.count_at_kie(later(now, -limits.deadline)), limits, usual)
    breakers = tx.breakers.all()
    halted = _halted(tx, job, breakers, limits, wait, now)
    if halted is not None:
        refresh = LONG_REFRESH if can_pay(tx, limits, now) else VERY_LONG_REFRESH
        return Showing(_words(job, halted), (_cancel(job),), look_at=later(now, refresh))
    told = _with_time("got-it" if place <= 1 else "in-the-queue", None if usual is None else wait + usual, place=place)
    # whether a trouble of before is over shows in a moment
    refresh = halt.PATIENCE if breakers else max(REFRESH, wait / 10)
    return Showing(_words(job, told), (_cancel(job),), look_at=later(now, refresh))


def _halted(
    tx: Transaction, job: Job, breakers: list[Breaker], limits: Limits, wait: float, now: Instant
) -> Sentence | None:
    """Say what keeps a job waiting beside those before it, None where that is nothing."""
    waited = seconds_between(job.queued_at or now, now)
    known = halt.why(breakers, now)
    if known is not None and waited >= halt.PATIENCE:
        return halt.words(known, limits)
    # one that is being ordered is paid for, and may be the last that can be
    if job.state is State.QUEUED and not can_pay(tx, limits, now):
        return sentence("waiting-for-tomorrow", time=until_tomorrow(now))
    in_trouble = any(seconds_between(each.since, now) >= PATIENCE for each in breakers)
    if waited >= limits.deadline > wait or (waited >= PATIENCE and in_trouble):
        return sentence("waiting")
    return None


def _with_time(name: str, seconds: float | None, **values: int) -> Sentence:
    """Say how long it takes as well, where that is known."""
    if seconds is None:
        return sentence(name, **values)
    return sentence(f"{name}-with-time", time=roughly(seconds), **values)


def _words(job: Job, told: Sentence) -> str:
    return told.into(job.request.language)


def _wait(place: int, at_kie: int, limits: Limits, usual: float | None) -> float:
    """Estimate the seconds until it is its turn, from the two limits that make jobs wait."""
    by_rate = (place - 1) / (limits.creates_per_window / WINDOW)
    to_finish = max(0, at_kie + place - limits.running)  # before this one gets a place
    return max(by_rate, to_finish * (usual or 0.0) / limits.running)


def _cancel(job: Job) -> Button:
    return Button(_words(job, sentence("button-cancel")), Action.CANCEL, job.id)
