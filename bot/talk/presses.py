"""Presses of the buttons under our messages; each is answered, and each decides once."""

from bot.chat.buttons import Action, Pressed
from bot.job import FINAL, Instant, Job, State
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk.reading import ButtonPressed, Origin
from bot.talk.replying import toast
from bot.texts import en


def button_pressed(tx: Transaction, origin: Origin, press: ButtonPressed, now: Instant) -> None:
    """Do what a press asks for, if it is still open to the one who pressed, and say so."""
    toast(tx, origin, press.press_id, _told(tx, origin, press.pressed, now), now)


def _told(tx: Transaction, origin: Origin, pressed: Pressed | None, now: Instant) -> str:
    job = None if pressed is None else tx.jobs.get(pressed.job_id)
    if pressed is None or job is None or job.request.chat_id != origin.chat_id:
        return en.TOAST_OLD
    if job.request.user_id != origin.user_id:
        return en.TOAST_NOT_YOURS
    match pressed.action:
        case Action.CANCEL:
            return _cancel(tx, job, now)
        case Action.ORIGINAL:
            return _original(tx, job, origin, now)
        case Action.AGAIN:
            return _decided(tx, job, pressed, en.TOAST_AGAIN, now)
        case Action.LEAVE:
            return _decided(tx, job, pressed, en.TOAST_LEFT, now)


def _cancel(tx: Transaction, job: Job, now: Instant) -> str:
    if tx.take_back(job, now):
        return en.TOAST_CANCELLED
    return en.TOAST_SETTLED if job.state in FINAL or job.asked_at is not None else en.TOAST_TOO_LATE


def _original(tx: Transaction, job: Job, origin: Origin, now: Instant) -> str:
    if tx.outbox.is_on_its_way(job.id, Kind.FILE):
        return en.TOAST_COMING
    if job.result_url is None:
        return en.ORIGINAL_GONE
    say = Say(
        key=f"job:{job.id}:original:{now}",
        kind=Kind.FILE,
        chat_id=origin.chat_id,
        thread_id=job.request.thread_id,
        reply_to=origin.message_id,
        body=en.ORIGINAL,
        job_id=job.id,
    )
    tx.outbox.add(say, now)
    return en.TOAST_FETCHING


def _decided(tx: Transaction, job: Job, pressed: Pressed, told: str, now: Instant) -> str:
    """Let the person decide about an order in doubt, by the buttons of the question that is open."""
    if job.state is not State.SUBMITTING or job.asked_at is None or job.asked_at != pressed.question:
        return en.TOAST_SETTLED
    decide = tx.order_again if pressed.action is Action.AGAIN else tx.leave_in_doubt
    return told if decide(job, now) else en.TOAST_SETTLED
